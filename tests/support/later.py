"""Runs a process of today as the next release might be, within the same version of the messages.

    python -P tests/support/later.py webfront scheduler
    python -P tests/support/later.py node_scripts agent

Every struct of `wire.messages` has a field more, and there is one more kind of event, `warmed`, which the agent sends
after each claim. Everything else is today's code.
"""

from __future__ import annotations

import ast
import importlib.util
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent.parent

KIND = """
class Warmed(msgspec.Struct, frozen=True, tag="warmed", tag_field="type"):
    job: str
    attempt: int
    at: float
    degrees: tuple[float, ...] = (21.5,)
"""


def add_to(messages: ast.Module) -> ast.Module:
    """The additions, in the text of the module."""
    for node in messages.body:
        if isinstance(node, ast.ClassDef) and ast.unparse(node.bases[0]) == "msgspec.Struct":
            node.body += ast.parse("since: str = 'a later release'").body
    union = next(node for node in messages.body if ast.unparse(node).startswith("Event = "))
    at = messages.body.index(union)
    messages.body[at : at + 1] = ast.parse(KIND + ast.unparse(union) + " | Warmed").body
    return messages


def load_later_messages() -> Any:
    """Import `wire.messages` with its additions, before anything else imports it."""
    path = PROJECT / "wire/messages.py"
    spec = importlib.util.spec_from_file_location("wire.messages", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wire.messages"] = module
    exec(compile(add_to(ast.parse(path.read_text())), str(path), "exec"), module.__dict__)
    return module


def tell_of_warmth(messages: Any) -> None:
    """Have the agent's outbox send a `warmed` after each `claimed`, in the same batch."""
    from node_scripts.outbox import Outbox

    put = Outbox.put

    def put_and_tell(self: Outbox, event: Any, on_confirmed: Callable[[], None] | None = None) -> None:
        put(self, event, on_confirmed)
        if isinstance(event, messages.Claimed):
            put(self, messages.Warmed(event.job, event.attempt, event.at))

    Outbox.put = put_and_tell  # type: ignore[method-assign]


if __name__ == "__main__":
    later = load_later_messages()
    if sys.argv[1] == "node_scripts":
        tell_of_warmth(later)
    sys.argv[:] = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

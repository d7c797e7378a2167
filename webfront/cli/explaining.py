"""`skerry jobs explain` and `skerry run --plan`: why a job is where it is, and where one would go."""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from webfront.cli import commands
from webfront.cli.commands import say
from webfront.cli.errors import OK
from webfront.cli.tables import moment, table

_MOST_COUNTED: Final = 1000


def jobs_explain(options: argparse.Namespace) -> int:
    """Where the job is, what it waits for, and what each node says."""
    why = commands.signed_in().get(f"jobs/{options.job}/explain")["explanation"]
    lines = [why["sentence"]]
    if why["waits_for"]:
        lines.append(f"waits for      {why['waits_for']}{_since(why['since'])}")
    if stage := why["stage"]:
        detail = f", {stage['detail']}" if stage["detail"] else ""
        lines.append(f"its node is    {stage['what']}{_since(stage['since'])}{detail}")
    lines.append(f"{'by then' if why['until'] else 'then':<14} {_until(why)}")
    if why["before"]:
        lines.append(f"in line        {_before(why['before'])}")
    if why["decision"]:
        lines.append(f"last decision  {why['decision']} ({moment(why['decided_at'])})")
    if why["nodes"]:
        lines += ["", _said(why["nodes"])]
    say(options, {"explanation": why}, "\n".join(lines))
    return OK


def plan(options: argparse.Namespace) -> int:
    """Where a job of this app would go; nothing is submitted."""
    app, _, version = options.app.partition("@")
    found = commands.signed_in().get("jobs/plan", app=app, version=version or None)["plan"]
    placement = found["placement"]
    rows = [
        (
            one["node"],
            *(f"{one['score'][part]:.3f}" for part in ("value", "load", "performance", "temperature_factor")),
            f"{one['score']['free_cpu_percent']:.0f} %",
            f"{one['score']['free_memory_gb']:.1f} GB",
            f"{one['live']} of {one['slots']}",
        )
        for one in placement["ranking"]
    ]
    lines = [f"{found['app']}@{found['version'][:12]}: {placement['sentence']}"]
    if found["before"]:
        lines.append(_before(found["before"]))
    if rows:
        headings = ("NODE", "SCORE", "LOAD", "PERFORMANCE", "TEMPERATURE", "CPU FREE", "MEMORY FREE", "SLOTS")
        lines += ["", table(headings, rows)]
    if found["excluded"]:
        lines += ["", _said(found["excluded"])]
    say(options, {"plan": found}, "\n".join(lines))
    return OK


def _said(nodes: list[dict[str, Any]]) -> str:
    return table(("NODE", "SAYS"), [(one["node"], one["words"] + _free_by(one)) for one in nodes])


def _free_by(node: dict[str, Any]) -> str:
    return f"; a slot is free by {moment(node['free_by'])}" if node["free_by"] else ""


def _since(at: float | None) -> str:
    return f", {max(0.0, time.time() - at):.0f} s" if at else ""


def _until(why: dict[str, Any]) -> str:
    return f"{moment(why['until'])}: {why['then']}" if why["until"] else str(why["then"])


def _before(count: int) -> str:
    many = f"{_MOST_COUNTED:,} jobs or more are" if count >= _MOST_COUNTED else f"{count} jobs are"
    return f"{'1 job is' if count == 1 else many} before it"

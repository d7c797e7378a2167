"""Results that a play has fetched from a machine without an agent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from node_scripts.running import files, results
from node_scripts.running.share import Share
from wire.messages import Order, OutputFile


def commit_fetched(order: Order, outputs: Sequence[OutputFile], fetched: Path, share: Share) -> tuple[OutputFile, ...]:
    """Put them on the share as an agent does it, and nothing that is not what the machine said it is.

    What is there already is left as it is. `ResultsRefused`, `UnsafePath`, FileNotFoundError.
    """
    folder = share.results / order.job
    with share.as_owner():
        is_there = (folder / str(order.attempt)).is_dir()
    for one in () if is_there else outputs:
        if files.describe(fetched / files.inside(one.name)) != (one.size, one.sha256):
            raise results.ResultsRefused(f"{one.name} is not the file that the machine told of")
    return results.commit(
        fetched,
        [one.name for one in outputs],
        folder,
        order.attempt,
        owner=None,
        limit_mb=order.resources.disk_mb,
        reached=share.as_owner,
        noted=fetched.with_name("stored.json"),
    )

"""What apps printed, as records: a line each, carried when its attempt has ended and its log is whole.

Lines that a node hands over later, since it was cut off, are in the job's log and not among the records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from webfront.activity.facts import Fact
from webfront.jobs.logs import printed_lines
from webfront.logs.records import Record, encode, moment

DATASET: Final = "skerry.app"


def records_of(ends: Sequence[Fact], *, share: Path) -> Iterator[Record]:
    """A record of each line of these attempts; `ends` are the facts of their ends."""
    for end in ends:
        if end.attempt is None:
            continue
        for line in printed_lines(share, end.job, end.attempt):
            yield encode(
                f"{end.job}-{end.attempt}-{line.number:x}",
                {
                    "@timestamp": moment(line.at),
                    "event.dataset": DATASET,
                    "message": line.text,
                    "user.name": end.user,
                    "skerry.app": end.app,
                    "skerry.node": end.node,
                    "skerry.job": end.job,
                    "skerry.attempt": end.attempt,
                    "skerry.line": line.number,
                },
            )

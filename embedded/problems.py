"""What can go wrong with the embedded platform: what it is, and what to do about it."""

from __future__ import annotations

import re
from typing import Final


class Problem(Exception):
    """Something only a person can fix."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice


_KNOWN: Final = (
    (
        r"no space left on device|disk quota exceeded",
        "the disk is full",
        "Free some space (`df -h` shows which disk is full), then run ./quickstart again.",
    ),
    (
        r"temporary failure (in name resolution|resolving)|could not resolve|network is unreachable"
        r"|failed to establish a new connection|failed to fetch|connection timed out",
        "the network does not answer",
        "Check the connection, and proxy settings (http_proxy, https_proxy, pip.conf), then run ./quickstart again: it "
        "goes on where it stopped.",
    ),
    (
        r"a (password|terminal) is required|is not in the sudoers|may not run sudo|permission denied",
        "a right is missing",
        "Run it as root, or as a user that may use sudo.",
    ),
    (
        r"address already in use|eaddrinuse",
        "a port is in use",
        "Stop what listens there, or choose other ports: SKERRY_PORT_BASE=18460 ./quickstart",
    ),
)


def recognise(text: str) -> Problem | None:
    """The problem that the output of a failed program tells of, if it is one that people meet."""
    for pattern, what, advice in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            return Problem(what, advice)
    return None

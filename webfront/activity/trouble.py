"""An error of a consumer or a chore, in the words that administrators see on the page of the platform's activity."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 500
"""Characters that the rows hold."""


def told(error: Exception) -> str:
    """The error's kind and what it says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST]

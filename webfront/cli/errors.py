"""What ends the command, and with which exit code."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""The job failed or was cancelled."""
USAGE: Final = 2
"""The command line cannot be used; argparse's own code."""
REFUSED: Final = 3
"""The server refused: not found, not allowed, invalid."""
UNREACHABLE: Final = 4
"""The server does not answer, or a part of it does not."""
NOT_SIGNED_IN: Final = 5
INTERRUPTED: Final = 130


class CliError(Exception):
    """Ends the command with a message for the person at the terminal."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code


class Unanswered(CliError):
    """Nothing answers, or only to say that it cannot now."""

    def __init__(self, message: str, *, sent: bool) -> None:
        """`sent`: it may have been carried out all the same."""
        super().__init__(message, UNREACHABLE)
        self.sent = sent

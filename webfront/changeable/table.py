"""The settings that may be changed while the platform runs, one line each.

A setting is a whole number between its bounds.
"""

from __future__ import annotations

import dataclasses
import difflib
from typing import Final

from webfront.errors import InvalidInput, NotFound

LONGEST_DAYS: Final = 36_500


@dataclasses.dataclass(frozen=True, slots=True)
class Changeable:
    """A setting; one line in `SETTINGS`."""

    name: str
    words: str
    """What it is, for an administrator."""
    default: int = 0
    variable: str = ""
    """The field of `webfront.settings.Settings` that is its default instead: it was a variable of the environment
    first, and platforms that set it go on as they were."""
    least: int = 1
    most: int = LONGEST_DAYS

    def parse(self, text: str) -> int:
        """The value that was meant. InvalidInput."""
        digits = text.strip()
        if digits.isascii() and digits.isdigit() and len(digits) < 12 and self.least <= int(digits) <= self.most:
            return int(digits)
        raise InvalidInput(f"{self.name} must be a whole number from {self.least} to {self.most}, not {text[:64]!r}.")


INPUTS_DAYS: Final = Changeable("inputs.days", "days after a job's end for which its input is kept", 180)
RESULTS_DAYS: Final = Changeable("results.days", "days after a job's end for which its results are kept", 180)
LOGS_DAYS: Final = Changeable("logs.days", "days after a job's end for which its attempts' logs are kept", 30)
RANKINGS_DAYS: Final = Changeable("rankings.days", "days after a job's end for which it is kept how nodes ranked", 7)
JOBS_DAYS: Final = Changeable("jobs.days", "days after a job's end for which anything of it is kept", 1095)
PLAYS_DAYS: Final = Changeable("plays.days", "days after a play's end for which it and its steps are kept", 180)
VERSIONS_DAYS: Final = Changeable(
    "versions.days", "days after its upload for which an app's version is kept that nobody has run", 180
)
FACTS_DAYS: Final = Changeable("facts.days", "days for which it is kept what has happened", variable="facts_keep_days")
AUDIT_DAYS: Final = Changeable(
    "audit.days", "days for which it is kept what people did, where that is longer than facts.days", 365
)

LOGS_MAX_MB: Final = Changeable(
    "logs.max_mb", "MiB of an attempt's log that are kept: of a longer one the first and the last part", 16, most=8192
)

SETTINGS: Final = (
    INPUTS_DAYS,
    RESULTS_DAYS,
    LOGS_DAYS,
    LOGS_MAX_MB,
    RANKINGS_DAYS,
    JOBS_DAYS,
    PLAYS_DAYS,
    VERSIONS_DAYS,
    FACTS_DAYS,
    AUDIT_DAYS,
)


def find(name: str) -> Changeable:
    """The setting of that name. NotFound, with the nearest that there is."""
    known = {one.name: one for one in SETTINGS}
    if (found := known.get(name)) is not None:
        return found
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    raise NotFound(f"There is no setting {name[:64]}. {advice}")

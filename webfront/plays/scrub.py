"""Taking a play's secrets out of any text about it: a second line of defence behind `no_log`."""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

from webfront.fleet.views import Secrets

_HIDDEN: Final = "[hidden]"
_KEY_BLOCK: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_SHORT: Final = 4
"""A password shorter than this is only taken out where it stands alone: it is part of too many words."""


class Scrubber:
    """Replaces the secrets of one play, also as they look in JSON or quoted for a shell."""

    def __init__(self, secrets: Secrets) -> None:
        forms: set[str] = set()
        for line in (secrets.password, *secrets.private_key.splitlines()):
            text = line.strip()
            if text and not text.startswith("-----"):
                forms |= {line, text, json.dumps(text)[1:-1], shlex.quote(text), repr(text)[1:-1]}
        patterns = [
            re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
            # Longest first: a shorter form may be a part of a longer one.
            for form in sorted(forms, key=len, reverse=True)
        ]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        text = _KEY_BLOCK.sub(_HIDDEN, text)
        return self._pattern.sub(_HIDDEN, text) if self._pattern else text

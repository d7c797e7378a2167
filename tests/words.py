"""Plain English: phrases that were mended once and are not to come back. `./test lint` runs it.

Each line of `MENDED` is what was written and what to write instead. Phrases are looked for in every tracked text file
that a person reads something of, whatever the case and wherever a line breaks.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

MENDED: Final = {
    "grown old": "has expired",
    "a slip in it": "may be mistyped",
    "often a slip": "a typing mistake",
    "works as epoch": "leading (epoch ...)",
    "another scheduler works": "another scheduler is leading",
    "the agent works, with": "the agent is running",
    "see to the share": "mount and check the share",
    "lives, and no longer has": "is running, but no longer has",
    "leads nowhere": "does not resolve to an address",
    "mend the app": "fix the app",
    "to mend it": "to repair it",
    "put right what": "fix what",
    "is not your fault": "say whose fault it is",
    "stands between": "is in the way",
    "shut this controller out": "blocked this controller",
    "installed anew": "reinstalled",
    "where it lacks": "which disk is full",
    "at work here": "running here",
    "say that it is well": "report that it is healthy",
    "else ask an administrator": "otherwise ask an administrator",
    "gives the token back": "revoke the token",
}
_LEFT_OUT: Final = re.compile(r"^tests/words\.py$|\.(woff2|png|npz|csv|svg|zip|sql)$|(^|/)(LICENSE|CHANGELOG\.md)")


def main() -> int:
    project = Path(__file__).resolve().parent.parent
    listed = subprocess.run(["git", "ls-files"], cwd=project, check=True, capture_output=True, text=True).stdout
    phrases = {re.compile(r"\s+(?:[#*]\s+)?".join(map(re.escape, one.split())), re.IGNORECASE): one for one in MENDED}
    found = 0
    for name in listed.splitlines():
        path = project / name
        if _LEFT_OUT.search(name) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        for pattern, phrase in phrases.items():
            for match in pattern.finditer(text):
                found += 1
                print(f'{name}:{text.count(chr(10), 0, match.start()) + 1}: "{phrase}": write "{MENDED[phrase]}"')
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes the table of the API's calls into docs/api.md, from what the routes say: `python docs/reference.py`.

A test holds the page to it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_BEGIN: Final = "<!-- calls: made by docs/reference.py -->\n"
_END: Final = "<!-- calls end -->\n"


def with_calls(page: str, calls: str) -> str:
    """The page with this table in its place."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{calls}\n{_END}{after}"


def main() -> None:
    project = Path(__file__).resolve().parent.parent
    sys.path.insert(0, str(project))
    from webfront.api.description import reference
    from webfront.application import create_app, create_services
    from webfront.broker.publisher import Publisher
    from webfront.settings import Settings
    from wire.broker import BrokerAddress

    nowhere = Path("/nonexistent")
    settings = Settings(nowhere, nowhere, "", nowhere, "", "")
    services = create_services(settings, Publisher(BrokerAddress("localhost", 0, "/", "", "")))
    page = project / "docs/api.md"
    page.write_text(with_calls(page.read_text(encoding="utf-8"), reference(create_app(settings, services=services))))


if __name__ == "__main__":
    main()

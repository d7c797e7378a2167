"""The stylesheet, the scripts, the fonts and the mark."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import bottle

from webfront.web.services import Services

_FOLDER: Final = Path(__file__).resolve().parent.parent / "static"
# Said here, not guessed: what the machine's own list of types says differs from one to the next.
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
_REVALIDATE: Final = "no-cache"
_KEEP: Final = "public, max-age=604800"


def register(app: bottle.Bottle, services: Services) -> None:
    @app.get("/static/<path:path>", access="public", database=False)
    def static(path: str) -> bottle.HTTPResponse:
        ending = Path(path).suffix
        found = bottle.static_file(path, root=_FOLDER, mimetype=_TYPES.get(ending, "text/plain"))
        # A font never changes under its name; a style or script may with the next version, and is asked for again.
        found.set_header("Cache-Control", _KEEP if ending == ".woff2" else _REVALIDATE)
        return found

    @app.get("/favicon.ico", access="public", database=False)
    def favicon() -> bottle.HTTPResponse:
        return static("favicon.svg")

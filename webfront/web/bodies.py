"""Request bodies: how large one may be, and the form in it.

`webfront.web.intake` has taken a body in, or given a reason why not, before the request gets its thread: what a route
reads here is a file. Without it (another WSGI server, a test) Bottle makes that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import bottle

from webfront.errors import TooLarge
from webfront.web.forms import read_form

SMALL: Final = 2**20
"""The most bytes of a body that is no upload."""

UNKNOWN: Final = 16 * 1024
"""The most bytes of a body whose sender is not known: so little that it stays in memory, of thousands at once."""

FILE: Final = "bottle.request.body"
REFUSED: Final = "skerry.body.refused"
"""Where the intake puts a body into the environment, and the error that is the answer where it took none."""

# JSON and plain forms are read into memory, up to this. Of the class, since Bottle makes its requests itself.
bottle.BaseRequest.MEMFILE_MAX = SMALL


def is_form(environ: Mapping[str, Any]) -> bool:
    """Whether the body is a multipart form, which may hold a file."""
    return str(environ.get("CONTENT_TYPE", "")).lower().startswith("multipart/")


def announced(environ: Mapping[str, Any]) -> int | None:
    """The length that the request states; None for a body that ends with its last chunk."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    try:
        return max(0, int(environ.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0


def too_large(most_bytes: int) -> TooLarge:
    # What is allowed for the fields around an upload is not worth mentioning.
    told = most_bytes - SMALL if most_bytes > SMALL else most_bytes
    words = f"{told // 2**20} MiB" if told >= SMALL else f"{told // 1024} KiB"
    return TooLarge(f"This is too large: the most here is {words}.")


def prepare(most_bytes: int) -> None:
    """Say why the body was not taken in, if it was not; parse a multipart form. TooLarge, InvalidInput, OSError."""
    environ: dict[str, Any] = bottle.request.environ
    if (refused := environ.get(REFUSED)) is not None:
        raise refused
    if (announced(environ) or 0) > most_bytes:
        raise too_large(most_bytes)
    if is_form(environ):
        environ["bottle.request.post"] = read_form(bottle.request.body, str(environ["CONTENT_TYPE"]))


def is_unread(environ: Mapping[str, Any]) -> bool:
    """Whether the body is still on its way: what follows on this connection would not be a request."""
    return REFUSED in environ

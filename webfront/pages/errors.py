"""The page of an error. Every one says what to change, or what to do next."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

import bottle

from webfront.errors import NotSignedIn, SkerryError, Throttled
from webfront.pages.rendering import relative, see_other
from webfront.pages.rendering import render as render_template

_HEADINGS: Final = {
    400: "That does not work",
    401: "Sign in first",
    403: "Not allowed",
    404: "There is nothing here",
    405: "That does not work",
    409: "Not now",
    410: "It is not kept any more",
    413: "Too large",
    429: "Too many tries",
    500: "Something broke here",
    503: "A part of Skerry does not answer",
}

_ADVICE: Final = {
    400: "Go back, change what is named above, and send it again.",
    401: "Sign in, then do it again.",
    403: "If this page was open for long, load it again and repeat what you did. Otherwise ask an administrator.",
    404: "The address may be mistyped, or what it named is gone. The lists show what is there.",
    405: "Open the page again and use its buttons.",
    409: "Look at its page for its present state, and try again when that allows it.",
    410: "Run the app again to have it anew. An administrator says for how long such things are kept.",
    413: "Send a smaller file, or ask an administrator to raise SKERRY_MAX_UPLOAD_MB.",
    429: "Wait a little, then try again.",
    500: (
        "The fault is the platform's, not yours. Try again; if it keeps happening, the reason is in "
        "the web front's log, for an administrator."
    ),
    503: (
        "Try again in a few seconds; nothing accepted before is lost. If it keeps happening, /api/v1/health says which "
        "part."
    ),
}


def render(error: SkerryError, request: bottle.BaseRequest) -> bottle.HTTPResponse:
    """The answer to a page's request that failed: the sign-in page where that is missing, else the error in words."""
    if isinstance(error, NotSignedIn) and request.method == "GET":
        wanted = request.path + (f"?{request.query_string}" if request.query_string else "")
        return see_other("/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}")
    advice = _ADVICE.get(error.status, _ADVICE[500 if error.status >= 500 else 400])
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(int(error.retry_after_s) + 1)
        advice = f"Try again {relative(-max(5.0, error.retry_after_s))}."
    page = render_template(
        "error.html",
        status=error.status,
        code=error.code,
        heading=_HEADINGS.get(error.status, _HEADINGS[500 if error.status >= 500 else 400]),
        message=error.message,
        lines=[str(line) for line in error.detail] if isinstance(error.detail, list | tuple) else (),
        advice=advice,
        back=_where_from(request),
    )
    return bottle.HTTPResponse(page, status=error.status, headers=headers)


def _where_from(request: bottle.BaseRequest) -> str:
    """The page of ours that the request came from, for a link back; nothing when it came from elsewhere."""
    came_from = urlsplit(str(request.get_header("Referer", "")))
    if came_from.netloc != request.get_header("Host") or (came_from.path == request.path and request.method == "GET"):
        return ""
    return came_from.path + (f"?{came_from.query}" if came_from.query else "")

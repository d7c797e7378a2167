"""Files as answers: whole, or from where a download that was cut off goes on (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

import bottle

from webfront.jobs.views import Download
from webfront.web.windows import OwnWindow

# One range; a request for several is answered with the whole file, as it may be.
_RANGE: Final = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


def attachment(download: Download) -> bottle.HTTPResponse:
    """The file, as one that a browser saves rather than shows: it is a stranger's.

    With `Range`, the part that is asked for (206), or that there is none (416). `If-Range` makes that depend on the
    file's still being the same; its tag is the file's SHA-256, so that an answer of another attempt differs.
    """
    tag = f'"{download.sha256}"'
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", download.name)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(download.name)}",
        "ETag": tag,
        "Accept-Ranges": "bytes",
    }
    wanted = bottle.request.get_header("Range", "")
    if bottle.request.get_header("If-Range", tag).strip() != tag:
        wanted = ""
    begin, end = wanted_range(wanted, download.size) if bottle.request.method == "GET" else (0, download.size)
    if begin >= end and download.size:
        download.file.close()
        return bottle.HTTPResponse("", 416, **headers | {"Content-Range": f"bytes */{download.size}"})
    headers["Content-Length"] = str(end - begin)
    if end - begin == download.size:
        return bottle.HTTPResponse(download.file, 200, **headers)
    headers["Content-Range"] = f"bytes {begin}-{end - 1}/{download.size}"
    return bottle.HTTPResponse(OwnWindow(download.file, begin, end - begin), 206, **headers)


def wanted_range(header: str, size: int) -> tuple[int, int]:
    """From which byte to before which one of so many; the end is not behind the begin where there are none of those.

    What is no single range of bytes asks for all of them.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or found[1] == found[2] == "":
        return 0, size
    if not found[1]:
        last = int(found[2])
        return (max(0, size - last), size) if last else (size, size)
    begin, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    if found[2] and end <= begin:
        return 0, size  # no range at all
    return (begin, min(end, size)) if begin < size else (size, size)

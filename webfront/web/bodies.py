"""Request bodies: bounded, and read once from the connection into where they are used.

Bottle alone would copy each body whole to a temporary file and each file in it to another; it also knows no limit for
the first. Here the multipart parser reads straight from the connection, and a small field stays in memory.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import bottle

from webfront.errors import InvalidInput, TooLarge

SMALL: Final = 2**20
"""The most bytes of a body that is no upload."""

_FIELDS_IN_MEMORY: Final = 4 * 2**20
_FILE_IN_MEMORY: Final = 256 * 1024
_MOST_FIELDS: Final = 100

# JSON and plain forms are read into memory, up to this. Of the class, since Bottle makes its requests itself.
bottle.BaseRequest.MEMFILE_MAX = SMALL


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Source:
    """The connection's bytes, and whether all of a body have been taken from it."""

    def __init__(self, source: _Readable, length: int) -> None:
        self._source = source
        self._left = length
        self.is_at_end = False

    def read(self, size: int = -1) -> bytes:
        part = self._source.read(size)
        self._left -= len(part)
        self.is_at_end = not part or self._left == 0
        return part


class BoundedBody:
    """The connection's body, as Bottle reads one: no more than `most_bytes`, whatever the length was said to be."""

    def __init__(self, source: _Readable, most_bytes: int, length: int) -> None:
        """`length` is the Content-Length, -1 when there is none (a chunked body, ended by its last chunk)."""
        self._source = source
        self._most = most_bytes
        self._left = length
        self._taken = 0

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes, fewer only at the end of the body."""
        parts: list[bytes] = []
        wanted = size if size >= 0 else self._most + 1
        if self._left >= 0:
            wanted = min(wanted, self._left)
        while wanted > 0:
            part = self._source.read(min(wanted, 256 * 1024))
            if not part:
                break
            parts.append(part)
            wanted -= len(part)
            self._taken += len(part)
            if self._left >= 0:
                self._left -= len(part)
            if self._taken > self._most:
                raise too_large(self._most)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Bottle seeks to the beginning before it reads; a second reading is not possible."""
        if offset or whence or self._taken:
            raise OSError("a request's body is read only once")
        return 0


def too_large(most_bytes: int) -> TooLarge:
    # What is allowed for the fields around an upload is not worth mentioning.
    told = most_bytes - SMALL if most_bytes > SMALL else most_bytes
    return TooLarge(f"This is too large: the most here is {told // 2**20} MiB.")


def bound(environ: dict[str, Any]) -> None:
    """Put the bounded body in the place where Bottle looks for one it has read. Called before routing."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        # The server has taken the chunks apart already, and says so; Bottle would try it again.
        del environ["HTTP_TRANSFER_ENCODING"]
        length = -1
    else:
        length = _length(environ)
    if environ.get("wsgi.input") is not None and length:
        source = _Source(environ["wsgi.input"], length)
        environ["bottle.request.body"] = BoundedBody(source, SMALL, length)
        environ["skerry.body"] = (source, length)


def is_unread(environ: dict[str, Any]) -> bool:
    """Whether some of the body is still on its way: what follows on this connection would not be a request."""
    source, _ = environ.get("skerry.body", (None, 0))
    return source is not None and not source.is_at_end


def prepare(most_bytes: int) -> None:
    """Bound a multipart form by `most_bytes` and parse it; any other body is a small one. TooLarge, InvalidInput."""
    environ: dict[str, Any] = bottle.request.environ
    source, length = environ.get("skerry.body", (None, 0))
    if source is None:
        return
    kind = str(environ.get("CONTENT_TYPE", ""))
    is_form = kind.lower().startswith("multipart/")
    if length > (most_bytes if is_form else SMALL):
        raise too_large(most_bytes if is_form else SMALL)
    if not is_form:
        return
    body = BoundedBody(source, most_bytes, length)
    boundary = bottle._parse_http_header(kind)[0][1].get("boundary")
    if not boundary:
        raise InvalidInput("The multipart form names no boundary.")
    # Bottle's own parser, since its `request.POST` gives it a limit of memory that a small file and a field use up.
    parser = bottle._MultipartParser(
        body, boundary, length, disk_limit=most_bytes, mem_limit=_FIELDS_IN_MEMORY, memfile_limit=_FILE_IN_MEMORY
    )
    form = bottle.FormsDict()
    form.recode_unicode = False
    for number, part in enumerate(parser.parse()):
        if number >= _MOST_FIELDS:
            raise InvalidInput(f"The form has more than {_MOST_FIELDS} fields.")
        if part.filename is None:
            if not part.is_buffered():
                raise InvalidInput(f"The field {str(part.name)[:40]} is too long.")
            form[part.name] = _text(part)
        elif part.filename:  # a form's file field that was left empty has an empty name
            form[part.name] = bottle.FileUpload(part.file, part.name, _name(part.filename), part.headerlist)
    environ["bottle.request.post"] = form


def close_files() -> None:
    """Give the space of this request's uploaded files back now, rather than when the thread's next request comes."""
    form = bottle.request.environ.get("bottle.request.post")
    for name in form or ():
        for value in form.getall(name):
            if isinstance(value, bottle.FileUpload):
                value.file.close()


def _text(part: Any) -> str:
    try:
        return str(part.raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The field {str(part.name)[:40]} is not UTF-8 text.") from error


def _name(raw: str) -> str:
    """A header's text is read as Latin-1; browsers send the file's name as UTF-8."""
    try:
        return raw.encode("latin1").decode("utf-8")
    except UnicodeError:
        return raw


def _length(environ: dict[str, Any]) -> int:
    try:
        return max(0, int(environ.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0

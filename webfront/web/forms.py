"""Multipart forms (RFC 7578): their fields as text, their files as windows of the body, which is copied nowhere."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import IO, Final

import bottle

from webfront.errors import InvalidInput
from webfront.web.windows import Window

_TEXT_TOGETHER: Final = 4 * 2**20
_MOST_FIELDS: Final = 100
_LONGEST_HEAD: Final = 8192
_CHUNK: Final = 2**20
_CUT_OFF: Final = "The multipart form is cut off: its last boundary is missing."
# What may follow a boundary: the end of the form, or of the line.
_AFTER: Final = re.compile(rb"--|[ \t]*\r\n")
_LONGEST_AFTER: Final = 256


def read_form(body: IO[bytes], kind: str) -> bottle.FormsDict:
    """The form in this body, which can be sought and stays open as long as the files are read.

    `kind` is the Content-Type. InvalidInput.
    """
    boundary = bottle._parse_http_header(kind)[0][1].get("boundary")
    if not boundary:
        raise InvalidInput("The multipart form names no boundary.")
    form = bottle.FormsDict()
    form.recode_unicode = False
    room = _TEXT_TOGETHER
    for number, (head, content) in enumerate(_parts(body, boundary.encode("latin-1"))):
        if number >= _MOST_FIELDS:
            raise InvalidInput(f"The form has more than {_MOST_FIELDS} fields.")
        name, file_name = _names(head)
        if file_name is None:
            room -= content.length
            if room < 0:
                raise InvalidInput(f"The field {name[:40]} is too long.")
            form[name] = _text(name, content.readall() or b"")
        elif file_name:  # a form's file field that was left empty has an empty name
            form[name] = bottle.FileUpload(io.BufferedReader(content, _CHUNK), name, file_name, {})
    return form


def _parts(body: IO[bytes], boundary: bytes) -> Iterator[tuple[bytes, Window]]:
    """Head and content of each part. InvalidInput where the form does not keep to its boundary."""
    delimiter = b"\r\n--" + boundary
    _, after = _delimiter(body, 0, delimiter)
    while after is not None:
        head = _piece(body, after, _LONGEST_HEAD)
        # A part without a head begins with the empty line.
        length = 0 if head.startswith(b"\r\n") else head.find(b"\r\n\r\n") + 2
        if length == 1:
            raise InvalidInput("The multipart form has a part whose head has no end.")
        begin = after + length + 2
        end, after = _delimiter(body, begin, delimiter)
        yield head[:length], Window(body, begin, end - begin)


def _delimiter(body: IO[bytes], begin: int, delimiter: bytes) -> tuple[int, int | None]:
    """Where the next delimiter begins, and what follows it; None after the last one.

    The first one of a form may stand without the line's end before it.
    """
    place = begin
    while True:
        if begin == 0 and place == 0 and _piece(body, 0, len(delimiter) - 2) == delimiter[2:]:
            found, after = 0, len(delimiter) - 2
        else:
            found = _find(body, place, delimiter)
            after = found + len(delimiter)
        if (ending := _AFTER.match(_piece(body, after, _LONGEST_AFTER))) is not None:
            return found, None if ending[0] == b"--" else after + ending.end()
        place = found + 1


def _find(body: IO[bytes], begin: int, wanted: bytes) -> int:
    kept = b""
    body.seek(begin)
    while chunk := body.read(_CHUNK):
        looked_at = kept + chunk
        if (found := looked_at.find(wanted)) >= 0:
            return begin - len(kept) + found
        kept = looked_at[-(len(wanted) - 1) :]
        begin += len(chunk)
    raise InvalidInput(_CUT_OFF)


def _piece(body: IO[bytes], begin: int, most: int) -> bytes:
    body.seek(begin)
    return body.read(most)


def _names(head: bytes) -> tuple[str, str | None]:
    """The field's name, and its file's name where it is a file."""
    for line in head.split(b"\r\n"):
        title, _, value = line.partition(b":")
        if title.strip().lower() == b"content-disposition":
            options = bottle._parse_http_header(value.strip().decode("latin-1"))[0][1]
            if name := options.get("name"):
                file_name = options.get("filename")
                return _name(name), None if file_name is None else _name(file_name)
    raise InvalidInput("The multipart form has a part without a name.")


def _text(name: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The field {name[:40]} is not UTF-8 text.") from error


def _name(raw: str) -> str:
    """A header's text is read as Latin-1; browsers send the file's name as UTF-8."""
    try:
        return raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return raw

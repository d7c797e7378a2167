"""The beginning of a CSV file as a table, for any file: huge, ragged, binary, empty."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import BinaryIO, Final

ROWS: Final = 200
COLUMNS: Final = 50
BYTES: Final = 512 * 1024
"""How much of the file is read at most, whatever is in it."""
CELL: Final = 200


@dataclass(frozen=True)
class Column:
    name: str
    numeric: bool
    """Every value shown is a number (or empty): the page aligns them."""


@dataclass(frozen=True)
class Table:
    name: str
    size: int
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    words: str
    """What is shown of what there is."""


def preview(name: str, size: int, file: BinaryIO) -> Table:
    """The first rows of a CSV file with a header. Reads at most `BYTES`; what is no text gives no rows, and says so."""
    data = file.read(BYTES)
    cut = len(data) < size
    if cut:
        data = data[: data.rfind(b"\n") + 1] or data
    if b"\0" in data:
        return Table(name, size, (), (), "This is not text. Download it to look at it.")
    text = data.decode("utf-8-sig", errors="replace")
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            if row:
                rows.append(row)
            if len(rows) > ROWS + 1:
                break
    except csv.Error as error:
        if not rows:
            return Table(name, size, (), (), f"It cannot be shown as a table ({error}). Download it to look at it.")
        cut = True
    if not rows:
        return Table(name, size, (), (), "The file is empty.")
    header, body = rows[0], rows[1 : ROWS + 1]
    width = min(COLUMNS, max(len(row) for row in (header, *body)))
    cells = tuple(tuple(_cell(row[i]) if i < len(row) else "" for i in range(width)) for row in body)
    columns = tuple(
        Column(_cell(header[i]) if i < len(header) else "", _numeric([row[i] for row in cells])) for i in range(width)
    )
    return Table(name, size, columns, cells, _words(len(rows) - 1, len(body), cut, len(header) > COLUMNS))


def _words(found: int, shown: int, cut: bool, wide: bool) -> str:
    narrowed = f", the first {COLUMNS} columns" if wide else ""
    if found > shown or cut:
        return f"The first {shown} rows{narrowed}. The download has all of them."
    return f"All {shown} rows{narrowed}." if shown != 1 else f"Its one row{narrowed}."


def _cell(text: str) -> str:
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _numeric(values: list[str]) -> bool:
    return any(values) and all(_is_number(value) for value in values if value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text

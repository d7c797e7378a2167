"""Multipart forms: fields as text, files as windows of the body, whatever lies around the boundaries."""

from __future__ import annotations

import io
import random

import pytest

from webfront.errors import InvalidInput
from webfront.web import forms
from webfront.web.forms import read_form

KIND = "multipart/form-data; boundary=x"


def part(name: str, content: bytes, file_name: str | None = None) -> bytes:
    file = "" if file_name is None else f'; filename="{file_name}"'
    head = f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return b"--x\r\n" + head.encode() + content + b"\r\n"


WHOLE = part("a", b"1") + part("file", b"two\r\n--y\r\n--xy\r\n", "ä.csv") + part("none", b"", "") + b"--x--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        WHOLE,
        b"a preamble\r\n" + WHOLE,
        WHOLE + b"an epilogue\r\n--x\r\n",
        WHOLE.replace(b"--x\r\n", b"--x \t\r\n"),
        WHOLE.removesuffix(b"\r\n"),
    ],
    ids=["as it is", "with a preamble", "with an epilogue", "with blanks", "without the last line's end"],
)
def test_a_form_is_read(body: bytes) -> None:
    form = read_form(io.BytesIO(body), KIND)
    assert form.getunicode("a") == "1"
    assert "none" not in form
    assert form["file"].raw_filename == "ä.csv"
    assert form["file"].file.read() == b"two\r\n--y\r\n--xy\r\n"


BROKEN = {
    "nothing": b"",
    "no boundary": b"hello",
    "no end": WHOLE.removesuffix(b"--x--\r\n"),
    "an end in the middle of a file": WHOLE[:90],
    "no name": b"--x\r\n\r\n1\r\n--x--\r\n",
    "a head without an end": b"--x\r\n" + b"A: " + b"x" * 9000 + b"\r\n\r\n1\r\n--x--\r\n",
    "too many fields": part("a", b"1") * 101 + b"--x--\r\n",
    "too long a field": part("a", b"1" * (4 * 2**20 + 1)) + b"--x--\r\n",
    "no text": part("a", b"\xff") + b"--x--\r\n",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_broken_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_form(io.BytesIO(body), KIND)


def test_a_boundary_is_found_wherever_the_pieces_end_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = random.Random(1).randbytes(100) + b"\r\n--" + b"\r\n-"
    body = part("file", content, "a.bin") + part("b", b"2") + b"--x--\r\n"
    for size in range(1, 60):
        monkeypatch.setattr(forms, "_CHUNK", size)
        form = read_form(io.BytesIO(body), KIND)
        assert (form["file"].file.read(), form["b"]) == (content, "2")


def test_two_files_are_read_side_by_side() -> None:
    body = part("one", b"1" * 5000, "1") + part("two", b"2" * 5000, "2") + b"--x--\r\n"
    form = read_form(io.BytesIO(body), KIND)
    one, two = form["one"].file, form["two"].file
    assert [one.read(3000), two.read(3000), one.read(), two.read()] == [
        b"1" * 3000,
        b"2" * 3000,
        b"1" * 2000,
        b"2" * 2000,
    ]
    assert (one.seek(-1, 2), one.read(), one.seek(0), one.read(1)) == (4999, b"1", 0, b"1")

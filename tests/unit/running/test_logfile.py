"""Lines keep their numbers however they are read, and nothing an app writes is too much."""

from __future__ import annotations

import os
from pathlib import Path

from node_scripts.running.logfile import LINE_BYTES, LogReader, LogSink, count_lines


def test_lines_are_numbered_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    reader = LogReader(log)
    assert reader.read(0, 10) == []
    log.write_bytes(b"one\ntwo\r\n\xff\xfe\nhal")
    assert reader.read(0, 2) == ["one", "two"]
    assert reader.read(2, 10) == ["\ufffd\ufffd"]
    assert reader.read(3, 10) == []
    with log.open("ab") as file:
        file.write(b"f\nlast")
    assert reader.read(3, 10) == ["half"]
    assert reader.read(4, 10, whole=True) == ["last"]
    assert reader.read(5, 10, whole=True) == []
    assert reader.read(1, 10, whole=True) == ["two", "\ufffd\ufffd", "half", "last"]
    assert LogReader(log).read(3, 1) == ["half"]
    assert count_lines(log) == 5


def test_a_long_line_is_one_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 300_000 + b"\n" + b"y" * LINE_BYTES + b"\nz\n")
    first, second, third = LogReader(log).read(0, 10)
    assert first.startswith("x" * LINE_BYTES + " [cut")
    assert (second, third) == ("y" * LINE_BYTES, "z")
    assert count_lines(log) == 3


def test_output_past_the_bound_is_dropped_with_a_word(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    log = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    sink = LogSink(reading, log, 1000)
    for number in range(100):
        os.write(writing, b"line %03d of the flood\n" % number)
    assert sink.pump()
    os.write(writing, b"the last words\n")
    os.close(writing)
    assert not sink.pump()
    lines = LogReader(tmp_path / "log").read(0, 1000)
    assert lines[0] == "line 000 of the flood"
    assert "reached its bound" in lines[-1]
    assert (tmp_path / "log").stat().st_size < 1200
    assert sink.tail.endswith(b"the last words\n")

"""Lines keep their numbers however they are read, and nothing an app writes is too much."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from node_scripts.running.logfile import LINE_BYTES, LOG_BOUND, LogBound, LogReader, LogSink, bound_of, count_lines


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


def test_what_was_read_before_is_passed_over_a_bounded_amount_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    lines = [f"{number} {'x' * (number % 300)}" for number in range(1, 60_001)]
    log.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr("node_scripts.running.logfile._PASSES", 2)
    for after in (0, 1, 777, 30_000, 59_999, 60_000):
        reader, calls = LogReader(log), 1
        while reader.pass_over(after):
            calls += 1
        assert calls <= after // 10_000 + 1
        assert reader.read(after, 2) == lines[after : after + 2]
        assert reader.read(0, 1) == lines[:1]
        # Where it is past the line, it begins anew.
        reader.pass_over(5)
        assert reader.read(5, 1) == lines[5:6]
    log.write_bytes(b"one\n\x003 [skerry] left out\nfive\nsix\n")
    reader = LogReader(log)
    assert not reader.pass_over(4)
    assert reader.read(4, 10) == ["five", "six"]
    assert not LogReader(tmp_path / "none").pass_over(4)


def test_a_bound_has_a_first_and_a_last_part_and_its_lines_grow_with_it() -> None:
    assert bound_of(16) == LOG_BOUND
    assert bound_of(1) == LogBound(2**20, 12_500) == bound_of(0)
    largest = bound_of(8192)
    assert largest.bytes == 2**33 == bound_of(10**6).bytes
    assert largest.lines == 102_400_000
    assert largest.last == LOG_BOUND.last  # what a keeper holds in memory does not grow


class Spool:
    """A sink with its pipe, its file and its clock."""

    def __init__(self, folder: Path, bound: LogBound) -> None:
        reading, self.writing = os.pipe()
        self.log = os.open(folder / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.now = 0.0
        self.sink = LogSink(reading, self.log, bound, live=folder / "live", clock=lambda: self.now)
        self.reader = LogReader(folder / "log")

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            for start in range(0, len(piece), 50_000):
                os.write(self.writing, piece[start : start + 50_000])
                assert self.sink.pump()

    def finish(self) -> None:
        os.close(self.writing)
        assert not self.sink.pump()
        self.sink.finish()

    def read(self) -> tuple[dict[int, str], list[tuple[int, int]]]:
        """Lines by number, and what was dropped."""
        lines: dict[int, str] = {}
        gaps = []
        number = 0
        while part := self.reader.read(number, 1000, whole=True):
            lines.update(enumerate(part, number + 1))
            number += len(part)
            if dropped := self.reader.dropped_after(number):
                gaps.append((number + 1, number + dropped))
                number += dropped
        return lines, gaps


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A disk that has so many bytes `left`, as the sink's own writes meet it."""
    real, disk = os.write, {"left": 2**40, "fd": -1}

    def write(fd: int, data: bytes) -> int:
        if fd != disk["fd"]:
            return real(fd, data)
        if not disk["left"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(fd, data[: disk["left"]])
        disk["left"] -= written
        return written

    monkeypatch.setattr("node_scripts.running.logfile.os.write", write)
    return disk


@pytest.mark.parametrize("piece", [7, 1000, 40_000])
def test_of_a_log_past_its_bound_the_first_and_the_last_lines_stay(tmp_path: Path, piece: int) -> None:
    spool = Spool(tmp_path, LogBound(10_000, 10**6))
    said = b"".join(b"line %d\n" % n for n in range(1, 5001)) + b"the last words"
    spool.say(*(said[start : start + piece] for start in range(0, len(said), piece)))
    spool.finish()
    lines, ((begin, end),) = spool.read()
    assert spool.sink.lines == count_lines(tmp_path / "log") == 5001
    assert lines.pop(begin - 1).startswith(f"[skerry] lines {begin - 1:,} to {end:,} were dropped")
    assert {n: text for n, text in lines.items() if n <= 5000} == {
        n: f"line {n}" for n in (*range(1, begin - 1), *range(end + 1, 5001))
    }
    assert lines[5001] == "the last words"
    assert 9_900 < (tmp_path / "log").stat().st_size < 10_300
    assert spool.sink.tail.endswith(b"the last words")


def test_lines_are_bounded_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LogBound(2**24, 1000))
    spool.say(b"\n" * 2**20)
    spool.finish()
    lines, gaps = spool.read()
    assert len(lines) == 1001
    assert gaps == [(502, 2**20 - 500)]
    assert spool.sink.lines == 2**20


def test_a_log_within_its_bound_is_whole(tmp_path: Path) -> None:
    """Also where its end had to be held back."""
    spool = Spool(tmp_path, LogBound(10_000, 100))
    spool.say(*(b"%d\n" % n for n in range(1, 101)))
    assert len(spool.reader.read(0, 1000)) == 50
    spool.finish()
    assert spool.read() == ({n: str(n) for n in range(1, 101)}, [])


def test_one_line_without_end_costs_no_other_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LogBound(100_000, 1000))
    spool.say(b"first\n", b"x" * 50_000_000, b"\nlast\n", b"y" * LINE_BYTES + b"\n", b"z" * 70_000 + b"\nend\n")
    spool.finish()
    lines, gaps = spool.read()
    assert gaps == []
    assert (lines[1], lines[3], lines[4], lines[6]) == ("first", "last", "y" * LINE_BYTES, "end")
    assert all(lines[n].startswith(c * LINE_BYTES + " [cut") for n, c in ((2, "x"), (5, "z")))


def test_an_app_cannot_write_a_mark(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LogBound(100_000, 1000))
    spool.say(b"\x0099 [skerry] lines were dropped\n", b"next\n", b"\0", b"0 x\n\0\n")
    spool.finish()
    lines, gaps = spool.read()
    assert gaps == []
    assert lines == {1: "\ufffd99 [skerry] lines were dropped", 2: "next", 3: "\ufffd0 x", 4: "\ufffd"}


def test_what_a_full_disk_did_not_take_is_added_when_it_can_be(tmp_path: Path, full: dict[str, int]) -> None:
    spool = Spool(tmp_path, LogBound(100_000, 10_000))
    full.update(fd=spool.log, left=333)
    spool.say(*(b"tick %d\n" % n for n in range(1, 201)))
    assert 30 < len(spool.reader.read(0, 1000)) < 50
    full["left"] = 2**40
    spool.now = 10.0
    spool.sink.look()
    spool.say(*(b"tick %d\n" % n for n in range(201, 401)))
    assert len(spool.reader.read(0, 1000)) == 400
    spool.finish()
    assert spool.read() == ({n: f"tick {n}" for n in range(1, 401)}, [])


@pytest.mark.parametrize("at_the_end", [True, False])
def test_what_a_full_disk_never_took_is_declared(tmp_path: Path, full: dict[str, int], at_the_end: bool) -> None:
    spool = Spool(tmp_path, LogBound(2_000, 10_000))
    full.update(fd=spool.log, left=333)
    spool.say(*(b"tick %d\n" % n for n in range(1, 401)))
    full["left"] = 0 if at_the_end else 2**40
    spool.finish()
    lines, gaps = spool.read()
    assert spool.sink.lines == 400
    if at_the_end:
        assert max(lines) < 50
        assert gaps == []
    else:
        ((begin, end),) = gaps
        assert "were dropped" in lines.pop(begin - 1)
        cut = lines.pop(begin - 2)  # as much of it as the disk took
        assert f"tick {begin - 2}".startswith(cut)
        assert lines == {n: f"tick {n}" for n in (*range(1, begin - 2), *range(end + 1, 401))}
        assert max(lines) == 400


def test_the_newest_lines_are_seen_while_the_app_runs(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LogBound(2**20, 1000))
    assert spool.reader.live() is None
    for second in range(20):
        spool.now = float(second)
        spool.say(*(b"%d\n" % (second * 1000 + n) for n in range(1, 1001)))
        spool.now += 0.6
        spool.sink.look()
        seen = spool.reader.live()
        assert seen is not None
        assert seen.lines[-1] == str(seen.first + len(seen.lines) - 1) == str(second * 1000 + 1000)
        assert spool.reader.live() is None
    spool.finish()


def test_numbers_stay_within_what_can_be_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path, LogBound(1000, 100))
    spool.say(b"\n" * 1000)
    spool.sink._held.dropped += 10**12
    spool.finish()
    lines, ((_, end),) = spool.read()
    assert f"to {10**12 + 950:,} were dropped" in lines[51]
    assert end == spool.sink.lines == 10**9

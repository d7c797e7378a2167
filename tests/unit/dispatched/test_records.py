"""What takes msgspec's place in the shipped code reads and writes what msgspec does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from dispatch import kit
from node_scripts.dispatched.places import Staged, State
from node_scripts.running.interface import Ended, LiveLog
from node_scripts.running.rooms import Exit
from wire.messages import AppRef, Cause, Order, OutputFile, Resources, Usage

ORDER = Order(
    job="01J",
    attempt=2,
    app=AppRef("ö", "a" * 64, "m.py", None, ("p.csv", "ü/q.png")),
    resources=Resources(timeout_s=7, memory_mb=99),
    input="inputs/01J/a b.csv",
    parameters={"threshold": "0.5", "x": "{{ y }}"},
)
RECORDS = [
    ORDER,
    Staged(ORDER, 3, 2**53),
    State("installing"),
    State("", 17.25),
    Exit(Cause.TIMEOUT, "ran too long", None, Usage(1.5, 0.25, 3.0)),
    Ended(Cause.OK, "", 0, (OutputFile("p.csv", 3, "f" * 64),), 12, Usage()),
    Ended(Cause.NODE_LOST),
    Exit(Cause.OK, log_lines=400),
    LiveLog(7, ("ö", "")),
]
ECHO = """
import sys, msgspec
from wire.messages import *
from node_scripts.dispatched.places import Staged, State
from node_scripts.running.interface import Ended, LiveLog
from node_scripts.running.rooms import Exit
assert msgspec.__file__.startswith(sys.argv[1]), msgspec.__file__
for line in sys.stdin.buffer.read().splitlines():
    name, _, body = line.partition(b" ")
    one = msgspec.json.decode(body, type=globals()[name.decode()])
    assert msgspec.json.decode(msgspec.json.encode(one), type=type(one)) == one
    sys.stdout.buffer.write(msgspec.json.encode(one) + b"\\n")
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.make(tmp_path_factory.mktemp("kit"))


def test_each_record_comes_back_from_the_shipped_code_as_msgspec_reads_it(packed: Path) -> None:
    given = b"\n".join(type(one).__name__.encode() + b" " + msgspec.json.encode(one) for one in RECORDS)
    program = f"import sys; sys.path.insert(0, {str(packed)!r})\n" + ECHO
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, str(packed)], input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    for one, line in zip(RECORDS, done.stdout.splitlines(), strict=True):
        assert msgspec.json.decode(line, type=type(one)) == one


REFUSED: list[tuple[bytes, type[msgspec.Struct]]] = [
    (b"{", Ended),
    (b"[]", Ended),
    (b"{}", Ended),
    (b'{"cause": "boredom"}', Ended),
    (b'{"cause": "ok", "log_lines": "many"}', Ended),
    (b'{"cause": "ok", "outputs": [{"name": "x"}]}', Ended),
    (b'{"what": 3}', State),
    (b'{"order": {}, "slot": 0, "serial": 1}', Staged),
]
REFUSE = """
import sys, msgspec
from node_scripts.dispatched.places import Staged, State
from node_scripts.running.interface import Ended
for line in sys.stdin.buffer.read().splitlines():
    name, _, body = line.partition(b" ")
    try:
        msgspec.json.decode(body, type=globals()[name.decode()])
    except msgspec.MsgspecError:
        continue
    sys.exit(line.decode())
"""


def test_what_msgspec_refuses_the_shipped_code_refuses(packed: Path) -> None:
    for body, kind in REFUSED:
        with pytest.raises(msgspec.MsgspecError):
            msgspec.json.decode(body, type=kind)
    given = b"\n".join(kind.__name__.encode() + b" " + body for body, kind in REFUSED)
    program = f"import sys; sys.path.insert(0, {str(packed)!r})\n" + REFUSE
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_the_same_code_makes_the_same_kit(packed: Path, tmp_path: Path) -> None:
    assert kit.make(tmp_path).read_bytes() == packed.read_bytes()
    assert kit.make(tmp_path).name == packed.name


def test_it_needs_nothing_beside_it(packed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(packed), str(tmp_path / "root"), "prepare", "far"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "root" / "orders").is_dir()

"""Types are worked out before there are threads: two that decode the first of a kind at once end the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]

# Threads that change places as often as they can, and decode types that nothing has decoded before.
RACE = """
import sys, threading
import msgspec
{prepared}
sys.setswitchinterval(1e-6)

def at_once(decode):
    barrier = threading.Barrier(4)
    def go():
        barrier.wait()
        try:
            decode()
        except msgspec.DecodeError:
            pass
    threads = [threading.Thread(target=go) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
"""
MADE = """
many = [(f"f{n}", int | str | None, None) for n in range(12)]
whole = []
for number in range(60):
    parts = [msgspec.defstruct(f"Part{number}_{n}", many) for n in range(8)]
    whole.append(msgspec.defstruct(f"Whole{number}", [(f"p{n}", one | None, None) for n, one in enumerate(parts)]))
prepare_structs()
for kind in whole:
    at_once(lambda: msgspec.json.decode(b'{"p7": {"f11": 3}, "p0": {"f0": 1}}', type=kind))
"""
OURS = """
def below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from below(one)

kinds = list(below(msgspec.Struct))
assert len(kinds) > 20, len(kinds)
assert prepare_structs() >= len(set(kinds))
for kind in kinds:
    try:
        decoder = msgspec.json.Decoder(kind)
    except TypeError:
        continue
    at_once(lambda: msgspec.json.decode(b"{}", type=kind))
"""


def run(program: str) -> int:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=120).returncode


def test_prepared_types_stand_threads() -> None:
    assert run(RACE.format(prepared="from wire.structs import prepare_structs") + MADE) == 0


@pytest.mark.parametrize("process", ["webfront.application", "webfront.plays.process", "webfront.scheduling.scheduler"])
def test_each_process_has_all_of_its_own_types_prepared(process: str) -> None:
    prepared = f"import {process}\nfrom wire.structs import prepare_structs\n"
    assert run(RACE.format(prepared=prepared) + OURS) == 0


@pytest.mark.parametrize(
    "place", ["webfront/server.py", "webfront/__main__.py", "dispatch/__main__.py", "node_scripts/__main__.py"]
)
def test_where_a_process_begins_they_are_prepared(place: str) -> None:
    assert "    prepare_structs()\n" in (PROJECT / place).read_text()

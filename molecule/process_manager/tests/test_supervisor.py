"""What a service asks of supervisor: its program runs, with its settings, and comes back whatever happens to it."""

from __future__ import annotations

import time
from typing import Any

from support.converge import Converge

WITHIN_S = 60.0
CONTROL = "/home/edge/venv/bin/supervisorctl -c /home/edge/supervisor/supervisord.conf"


def pid(host: Any) -> int:
    """The program's process; 0 where there is none."""
    told = host.run(f"{CONTROL} pid greeter").stdout.strip()
    return int(told) if told.isdigit() else 0


def another_runs(host: Any, before: int) -> bool:
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        if pid(host) not in (0, before):
            return True
        time.sleep(0.5)
    return False


def test_the_program_has_read_its_settings(host: Any) -> None:
    assert host.check_output("cat /home/edge/told") == "ahoy from the skerry as 100% mate"


def test_a_killed_program_comes_back(host: Any) -> None:
    before = pid(host)
    host.run_expect([0], f"kill -KILL {before}")
    assert another_runs(host, before)


def test_nobody_else_reaches_supervisor(host: Any) -> None:
    with host.sudo("nobody"):
        assert host.run(f"{CONTROL} status").rc != 0


def test_check_mode_tells_a_change_and_makes_none(host: Any) -> None:
    before = pid(host)
    told = Converge()("--check", "--diff", "--extra-vars=greeting=farewell")
    assert told.changed == ["Write what the program reads at its start", Converge.RESTART]
    assert "+farewell" in told.output
    assert (pid(host), host.check_output("cat /home/edge/greeting")) == (before, "ahoy")


def test_a_change_restarts_the_program_and_a_killed_supervisor_is_started(host: Any) -> None:
    before = pid(host)
    assert Converge()("--extra-vars=greeting=farewell").changed[-1] == Converge.RESTART
    assert pid(host) != before
    host.run_expect([0], "kill -KILL $(cat /home/edge/supervisor/supervisord.pid)")
    # Its program lives on and is nobody's: a platform ends it by its mark, which is not this role's to do.
    host.run("pkill sleep")
    assert "Start supervisor" in Converge()("--extra-vars=greeting=farewell").changed
    assert host.check_output("cat /home/edge/told").startswith("farewell")

"""`./quickstart` on a fresh Debian machine: from nothing to predictions, and everything it says it can do afterwards.

The machines have no systemd running, no Docker, no pip and no RabbitMQ: the checkout is all they are given.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable

from support.fresh import CHECKOUT, FROM_NOTHING_WITHIN_S, PROJECT, Machine, docker

AGAIN_WITHIN_S = 30
TRUE_LABELS = PROJECT / "examples/apps/digits/inputs/digits.csv"


def predictions_are_right(machine: Machine, path: str) -> None:
    rows = list(csv.DictReader(io.StringIO(machine.read(path))))
    with TRUE_LABELS.open(newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    right = sum(row["prediction"] == label for row, label in zip(rows, labels, strict=True))
    assert right / len(labels) > 0.9


def test_from_nothing_and_back(fresh_machine: Callable[[str], Machine]) -> None:
    machine = fresh_machine("debian-13")

    begun = time.monotonic()
    done = machine.quickstart(within_s=FROM_NOTHING_WITHIN_S)
    took = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    print(f"from nothing: {took:.0f} s")
    assert "true label" in done.stdout

    told = machine.status()
    assert {process["state"] for process in told["processes"]} == {"running"}
    predictions_are_right(machine, told["predictions"])
    assert machine.web_front_answers(told["web_url"])
    password_file = told["admin_password_file"]
    assert machine.run("stat", "--format", "%a", password_file).stdout.strip() in ("600", "400")
    assert machine.read(password_file).strip() not in done.stdout

    # Again: nothing is made anew, and no process is another one.
    begun = time.monotonic()
    assert machine.quickstart(within_s=AGAIN_WITHIN_S * 4).returncode == 0
    took = time.monotonic() - begun
    print(f"again: {took:.0f} s")
    assert took < AGAIN_WITHIN_S
    assert machine.status()["processes"] == told["processes"]

    assert machine.quickstart("stop").returncode == 0
    assert not machine.web_front_answers(told["web_url"])
    assert "running" not in {process["state"] for process in machine.status()["processes"]}
    left = machine.run("sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c SKERRY_EMBEDDED_HOME").stdout
    assert left.strip() == "0"

    # A port in use is named, with what to do.
    port = told["web_url"].rpartition(":")[2]
    held = docker("exec", "--detach", machine.id, "python3", "-m", "http.server", "--bind", "127.0.0.1", port)
    assert held == ""
    time.sleep(1)
    refused = machine.quickstart("start")
    assert refused.returncode != 0
    assert port in refused.stderr
    assert "What to do:" in refused.stderr
    machine.run("sh", "-c", "kill $(grep -l http.server /proc/[0-9]*/cmdline | cut -d / -f 3)")

    assert machine.quickstart("start").returncode == 0
    assert machine.web_front_answers(told["web_url"])

    assert machine.quickstart("destroy", "--yes").returncode == 0
    assert machine.run("test", "-e", f"{CHECKOUT}/.skerry").returncode == 1


def test_killed_at_any_moment_it_goes_on(fresh_machine: Callable[[str], Machine]) -> None:
    machine = fresh_machine("debian-12")
    # Amid the packages, amid the virtual environment, amid the platform's first start, wherever these fall here.
    for moment_s in (6, 20, 30):
        killed = machine.run("timeout", "--signal=KILL", str(moment_s), "./quickstart", within_s=moment_s + 60)
        assert killed.returncode == 137, killed.stdout + killed.stderr
    done = machine.quickstart(within_s=FROM_NOTHING_WITHIN_S)
    assert done.returncode == 0, done.stderr
    told = machine.status()
    assert {process["state"] for process in told["processes"]} == {"running"}
    predictions_are_right(machine, told["predictions"])

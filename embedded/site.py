"""Bringing the platform up through `playbooks/site.yml`, when something of what it is made from has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from embedded import processes
from embedded.console import Console
from embedded.home import PROJECT, Home, write_whole
from embedded.problems import Problem, recognise

_RUN_MARK: Final = "SKERRY_EMBEDDED_RUN"
_PARTS: Final = (
    "ansible.cfg",
    "dispatch",
    "library",
    "logstash",
    "playbooks",
    "requirements",
    "roles",
    "webfront",
    "wire",
)
_AGENT_PARTS: Final = (
    *("inventories/embedded", "library", "node_scripts", "playbooks", "requirements", "wire"),
    *("roles/node_agent", "roles/process_manager", "roles/skerry_code"),
)
_SHOWN_LINES: Final = 20
_PLAY: Final = re.compile(r"PLAY \[(.*)\]")
_TASK: Final = re.compile(r"(?:TASK|RUNNING HANDLER) \[(?:[a-z_]+ : )?(.*)\]")


def bring_up(home: Home, console: Console) -> None:
    """Run site.yml, unless the platform stands as this project would make it and everything runs."""
    end_earlier_runs(home)
    version = fingerprint(home, (*_PARTS, *home.inventories, "node_scripts"))
    if read_stamp(home).get("site") == version:
        if _runs(home):
            with console.step("The platform is up already"):
                return
        with console.step("Starting the platform"):
            processes.start(home)
        if _runs(home):
            return
    # Nothing vouches for what is half done: without a stamp the next run goes through all of it again.
    write_stamp(home, site="")
    _run_playbook(home, console)
    write_stamp(home, site=version)


def _runs(home: Home) -> bool:
    found = processes.list_processes(home)
    return bool(found) and all(one.state in {"running", "starting"} for one in found)


def agent_version(home: Home) -> str:
    """What the agents of this machine's nodes would be installed from."""
    return fingerprint(home, _AGENT_PARTS)


def fingerprint(home: Home, parts: tuple[str, ...]) -> str:
    """A hash over the parts' files, and over the settings."""
    digest = hashlib.sha256((home.path / "settings").read_bytes())
    for part in parts:
        top = PROJECT / part
        paths = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        for path in paths:
            if path.suffix != ".pyc":
                digest.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def read_stamp(home: Home) -> dict[str, str]:
    """What was brought up last, by part."""
    try:
        stamp: dict[str, str] = json.loads(home.stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp


def write_stamp(home: Home, **parts: str) -> None:
    """Note what was brought up."""
    write_whole(home.stamp, json.dumps(read_stamp(home) | parts))


def end_earlier_runs(home: Home) -> None:
    """End the playbook of a ./quickstart that was killed: it would go on by itself."""
    processes.end_marked(f"{_RUN_MARK}={home.path}")


def _run_playbook(home: Home, console: Console) -> None:
    environment = home.environment() | {
        _RUN_MARK: str(home.path),
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_HOME": str(home.path / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }
    log = home.path / "log" / "site.log"
    log.parent.mkdir(exist_ok=True)
    inventories = [word for inventory in home.inventories for word in ("-i", inventory)]
    command = [str(home.venv / "bin/ansible-playbook"), *inventories, "playbooks/site.yml"]
    with (
        log.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as run,
    ):
        try:
            _follow(run, kept, console)
        except BaseException:
            run.terminate()
            raise


def _follow(run: subprocess.Popen[str], kept: TextIO, console: Console) -> None:
    """Read the playbook's output to its end, telling a step for each of its plays that has something to do here."""
    lines: list[str] = []
    with contextlib.ExitStack() as steps:
        play = ""
        note: Callable[[str], None] = _nothing
        for line in run.stdout or ():
            kept.write(line)
            lines.append(line.rstrip("\n"))
            if found := _PLAY.match(line):
                play = found[1]
            elif found := _TASK.match(line):
                if play:
                    steps.close()
                    play, note = "", steps.enter_context(console.step(play))
                note(found[1])
            elif line.startswith("PLAY RECAP"):
                break
        for line in run.stdout or ():
            kept.write(line)
        if run.wait() != 0:
            # In here, so that the step it failed in is shown as failed.
            raise _explain(lines, Path(kept.name))


def _nothing(_task: str) -> None:
    """What is told of a task before the first play."""


def _explain(lines: list[str], log: Path) -> Problem:
    """The failing task and what it said."""
    start = max(
        (number for number, line in enumerate(lines) if re.match(r"(TASK|RUNNING HANDLER) \[", line)), default=0
    )
    told = [line for line in lines[start:] if line.strip() and not line.startswith(("PLAY RECAP", "NO MORE HOSTS"))]
    text = "\n".join(told[:_SHOWN_LINES])
    known = recognise(text)
    what = f"{known.what}\n{text}" if known else f"the platform could not be brought up\n{text}"
    advice = known.advice if known else "Fix what it names, then run ./quickstart again: it continues where it stopped."
    return Problem(what, f"{advice} All of it: {os.path.relpath(log)}")

"""`skerry jobs delete` and `skerry apps delete` against a web front as it runs: what they refuse, with which code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from support.front import PASSWORD, Front

from webfront.accounts.users import create_user
from webfront.activity.numbering import last_batch, number
from webfront.database.models import App, AppVersion, Consumer, Job
from webfront.scheduling.leadership import Leadership
from webfront.webhooks.enqueuing import CONSUMER

PROGRAM = "import sys; from webfront.cli import main; sys.exit(main())"
NO_JOB = "01" + "0" * 24


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Person:
    """Somebody with the command, and with or without a terminal."""

    def __init__(self, front: Front, home: Path) -> None:
        self._environment = front.environment | {"XDG_CONFIG_HOME": str(home)}

    def __call__(self, *arguments: str, typed: str | None = None) -> Done:
        """`typed` is what is typed at a terminal; None where there is none."""
        if typed is None:
            return self._run(arguments, subprocess.DEVNULL)
        terminal, its_end = pty.openpty()
        try:
            # Typed ahead; the last character ends the input, as Ctrl-D does.
            os.write(terminal, typed.encode() + b"\x04")
            return self._run(arguments, its_end)
        finally:
            os.close(terminal)
            os.close(its_end)

    def _run(self, arguments: tuple[str, ...], stdin: int) -> Done:
        command = [sys.executable, "-c", PROGRAM, *arguments]
        done = subprocess.run(
            command, env=self._environment, stdin=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)


class Place:
    """A platform on which bob has two versions of `tool` and jobs, one that runs and one that has ended."""

    def __init__(self, front: Front, folder: Path) -> None:
        self._front, self._folder = front, folder
        (folder / "password").write_text(PASSWORD)
        create_user("bob", PASSWORD)
        create_user("eve", PASSWORD)
        self.bob, self.eve, self.ada = self._person("bob"), self._person("eve"), self._person("ada")
        for text in ("print(1)", "print(2)"):
            (folder / "tool.py").write_text(text)
            assert self.bob("apps", "push", str(folder / "tool.py")).code == 0
        self.old, self.new = (row.hash[:12] for row in AppVersion.select().order_by(AppVersion.id))
        self.ended = self.submit("tool")
        assert self.bob("jobs", "cancel", self.ended).code == 0
        self.running = self.submit(f"tool@{self.old}")
        Job.update(state="running").where(Job.id == self.running).execute()

    def _person(self, name: str) -> Person:
        person = Person(self._front, self._folder / name)
        login = ("login", self._front.url, "--user", name, "--password-file", str(self._folder / "password"))
        assert person(*login).code == 0
        return person

    def stranger(self) -> Person:
        """Somebody who has not signed in."""
        return Person(self._front, self._folder / "nobody")

    def submit(self, app: str) -> str:
        return self.bob("run", app).out.strip()

    def schedule(self, app: str) -> None:
        """Have a schedule of bob's run it."""
        assert self.bob("schedules", "create", "nightly", app, "--cron", "@daily").code == 0

    def have_all_told(self) -> None:
        """As the leading scheduler does within a second: whoever is told of jobs' ends has been."""
        number(Leadership("the tests").take_over(1000.0))
        Consumer.create(name=CONSUMER, batch=last_batch())

    def end_all(self) -> None:
        Job.update(state="succeeded", finished_at=1.0).execute()

    def there(self) -> tuple[set[str], set[str], set[str]]:
        """Jobs, apps, and versions that can be run."""
        live = AppVersion.select().where(AppVersion.deleted_at.is_null())
        return (
            {row.id for row in Job.select()},
            {row.app.name for row in live},
            {row.hash[:12] for row in live},
        )


@pytest.fixture
def place(front: Front, tmp_path: Path) -> Place:
    return Place(front, tmp_path)


Refusal = tuple[Callable[[Place], Done], int, str]
JOBS: dict[str, Refusal] = {
    "it runs": (lambda p: p.bob("jobs", "delete", p.running, "--yes"), 3, "The job has not ended. Cancel it"),
    "its end is still to be told": (lambda p: p.bob("jobs", "delete", p.ended, "--yes"), 3, "still to be told"),
    "it is another's": (lambda p: p.eve("jobs", "delete", p.ended, "--yes"), 3, "There is no such job."),
    "it is not there": (lambda p: p.bob("jobs", "delete", NO_JOB, "--yes"), 3, "There is no such job."),
    "it is no job's name": (lambda p: p.bob("jobs", "delete", "../apps/tool", "--yes"), 3, "There is no"),
    "nobody is signed in": (lambda p: p.stranger()("jobs", "delete", p.ended, "--yes"), 5, "skerry login"),
    "there is no terminal": (lambda p: p.bob("jobs", "delete", p.ended), 2, "Give --yes."),
    "it is thought better of": (lambda p: p.bob("jobs", "delete", p.ended, typed="n\n"), 2, "Nothing was deleted."),
    "nothing is said": (lambda p: p.bob("jobs", "delete", p.ended, typed="\n"), 2, "Nothing was deleted."),
    "the terminal is left": (lambda p: p.bob("jobs", "delete", p.ended, typed=""), 2, "Nothing was deleted."),
    "none is named": (lambda p: p.bob("jobs", "delete", "--yes"), 2, "required: JOB"),
}
VERSIONS: dict[str, Refusal] = {
    "a job of it runs": (
        lambda p: p.bob("apps", "delete", f"tool@{p.old}", "--yes"), 3, "has not ended. Cancel it, or wait"
    ),
    "a schedule runs it": (lambda p: _scheduled(p, f"tool@{p.new}"), 3, "The schedule nightly runs this version."),
    "it is another's": (lambda p: p.eve("apps", "delete", f"tool@{p.new}", "--yes"), 3, "This app is somebody else's."),
    "it is not there": (lambda p: p.bob("apps", "delete", "tool@000000", "--yes"), 3, "There is no version 000000"),
    "it is not said which": (lambda p: p.bob("apps", "delete", "tool@", "--yes"), 2, "NAME, or NAME@VERSION"),
    "it is thought better of": (
        lambda p: p.bob("apps", "delete", f"tool@{p.new}", typed="no\n"), 2, "Nothing was deleted."
    ),
}  # fmt: skip
APPS: dict[str, Refusal] = {
    "a job of it runs": (lambda p: p.bob("apps", "delete", "tool", "--yes"), 3, "has not ended. Cancel it, or wait"),
    "a schedule runs it": (lambda p: _scheduled(p, "tool"), 3, "The schedule nightly runs tool."),
    "it is another's": (lambda p: p.eve("apps", "delete", "tool", "--yes"), 3, "This app is somebody else's."),
    "it is not there": (lambda p: p.bob("apps", "delete", "saw", "--yes"), 3, "There is no app saw."),
    "it has no name": (lambda p: p.bob("apps", "delete", f"@{p.new}", "--yes"), 2, "NAME, or NAME@VERSION"),
    "there is no terminal": (lambda p: p.bob("apps", "delete", "tool"), 2, "Give --yes."),
}


def _scheduled(place: Place, app: str) -> Done:
    place.end_all()
    place.schedule(app)
    return place.bob("apps", "delete", app, "--yes")


@pytest.mark.parametrize("cases", [JOBS, VERSIONS, APPS], ids=["jobs", "versions", "apps"])
def test_what_is_refused_stays_and_says_why(place: Place, cases: dict[str, Refusal]) -> None:
    before = place.there()
    for why, (refused, code, words) in cases.items():
        done = refused(place)
        assert (done.code, done.out) == (code, ""), (why, done)
        assert words in done.err, why
        assert place.there() == before, why


def test_what_is_deleted_is_gone_and_is_exit_code_0(place: Place) -> None:
    place.have_all_told()
    asked = place.bob("jobs", "delete", place.ended, typed="y\n")
    assert (asked.code, asked.out) == (0, f"{place.ended} is deleted.\n")
    assert f"Delete job {place.ended} with its input, its results and its log? [y/N] " in asked.err
    again = place.bob("jobs", "delete", place.ended, "--yes")
    assert (again.code, again.err) == (3, "skerry: There is no such job.\n")

    place.end_all()
    done = place.bob("apps", "delete", f"tool@{place.old}", "--yes", "--json")
    assert (done.code, json.loads(done.out)) == (0, {"app": "tool", "version": place.old})
    assert place.there() == ({place.running}, {"tool"}, {place.new})
    gone = place.bob("apps", "delete", f"tool@{place.old}", "--yes")
    assert (gone.code, f"Version {place.old} of tool was deleted on " in gone.err) == (3, True)
    last = place.bob("apps", "delete", f"tool@{place.new}", "--yes")
    assert (last.code, "This is the only version of tool. Delete the app instead." in last.err) == (3, True)

    whole = place.ada("apps", "delete", "tool", typed="yes\n")  # an administrator may, too
    assert (whole.code, whole.out) == (0, "tool is deleted.\n")
    assert "Delete tool with all its versions? [y/N] " in whole.err
    assert place.there() == ({place.running}, set(), set())
    assert json.loads(place.bob("apps", "list", "--json").out) == {"apps": []}
    assert App.get().name == "tool", "the name is bob's for as long as jobs tell that they ran it"

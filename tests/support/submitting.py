"""For tests of submissions: an app, its users, and requests by many threads or by another process.

    python -m support.submitting SHARE USER THREADS KEY...

is such another process: it finds the database by its settings, says `ready`, waits for a line, then sends each key by
so many threads at once, and says as JSON which jobs each key was answered with.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from support.stores import Store

from webfront.accounts.users import account_of
from webfront.accounts.views import Account
from webfront.database.models import App, AppVersion, User, database
from webfront.database.schema import open_database
from webfront.jobs.inputs import InputFile
from webfront.jobs.submission import Accepted, Submission

DATA = b"1,2\n"
TESTS = Path(__file__).resolve().parents[1]


def make_app(owner: Account, name: str = "tool", **manifest: object) -> AppVersion:
    """A new version of an app."""
    app = App.get_or_none(App.name == name) or App.create(name=name, owner=owner.id, created_at=0)
    number = AppVersion.select().count() + 1
    return AppVersion.create(
        app=app, hash=f"{number:064x}", manifest={"name": name, **manifest}, size=1, uploaded_at=number
    )


def submission(share: Path) -> Submission:
    return Submission(share, lambda job: None)


def submit(by: Submission, user: Account, key: str | None, data: bytes | None = DATA) -> Accepted:
    given = None if data is None else InputFile("in.csv", io.BytesIO(data))
    return by.submit(user, app="tool", input_file=given, key=key)


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Each in a thread of its own, all let go together; what one of them raises is raised."""
    barrier, errors = threading.Barrier(len(works)), list[BaseException]()

    def run(work: Callable[[], None]) -> None:
        try:
            barrier.wait(30)
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            database.obj.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Submitter:
    """Another process that submits."""

    def __init__(self, store: Store, share: Path, user: Account, threads: int, keys: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.submitting", str(share), str(user.name), str(threads), *keys],
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}", **store.environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def jobs(self) -> dict[str, list[str]]:
        """By key, what it was answered with."""
        told, _ = self._process.communicate(timeout=120)
        assert self._process.returncode == 0
        found: dict[str, list[str]] = json.loads(told)
        return found


def main(share: str, name: str, threads: str, *keys: str) -> None:
    password_file = os.environ.get("SKERRY_DATABASE_PASSWORD_FILE")
    open_database(os.environ["SKERRY_DATABASE_URL"], Path(password_file) if password_file else None)
    user, by = account_of(User.get(User.name == name)), submission(Path(share))
    answers: dict[str, list[str]] = {key: [] for key in keys}
    print("ready", flush=True)
    sys.stdin.readline()
    for key in keys:

        def work(key: str = key) -> None:
            answers[key].append(submit(by, user, key).job.id)

        at_once([work] * int(threads))
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])

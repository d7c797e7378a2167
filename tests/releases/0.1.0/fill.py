"""Written for the code of release 0.1.0, and run with it alone. Called as: fill.py fill|ask|accept.

`fill` makes and fills the database of SKERRY_DATABASE_URL. Then, as `ask` alone does, it prints what the API says: for
each user, the answer to every address. `accept` takes one job more and prints its id.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from webfront.accounts.users import create_user
from webfront.broker.publisher import Publisher
from webfront.database.connection import open_database
from webfront.database.models import (
    ApiToken,
    App,
    AppVersion,
    Attempt,
    Job,
    LogChunk,
    Node,
    Play,
    PlayEvent,
    Session,
    SignInFailure,
    User,
)
from webfront.settings import Settings
from webfront.web import create_app, create_services
from wire.broker import BrokerAddress

NOW = 1_767_225_600.0
"""2026-01-01; long ago by any test's clock, so that no answer depends on when it is given."""
NEVER = 4_102_444_800.0
TOKENS = {"ada": "a token of ada's for tests", "bob": "a token of bob's for tests"}
ODD = "ünïcödé 🪨, 'single' and \"double\" quotes, a \\backslash, 100 %, a ; and a --\n\ttab, trailing space "


def fill() -> None:
    from support.scratch import PASSWORD, Scratch

    # The same ids in each database that is filled.
    secrets.randbits = random.Random(1).getrandbits
    with tempfile.TemporaryDirectory() as share:
        scratch = Scratch(Path(share), NOW).fill()
        create_user("bob", PASSWORD)
        bob = User.get(User.name == "bob")
        _sign_in_rows(User.get(User.name == "ada"), bob)
        _nodes()
        _plays()
        for key in [key for key in scratch.job if key.startswith("old-") and len(key) > len("old-7")]:
            Job.delete().where(Job.id == scratch.job[key]).execute()
        _jobs(scratch, bob)


def _sign_in_rows(ada: User, bob: User) -> None:
    for user in (ada, bob):
        for number, expires_at in enumerate((NOW, NEVER)):
            token = hashlib.sha256(f"session {user.name} {number}".encode()).hexdigest()
            Session.create(token_hash=token, user=user, csrf_token="c" * 43, created_at=NOW, expires_at=expires_at)
        token = hashlib.sha256(TOKENS[user.name].encode()).hexdigest()
        ApiToken.create(token_hash=token, user=user, label=ODD[:30], created_at=NOW, expires_at=NEVER)
    SignInFailure.create(user_name="eve", client="192.0.2.7", at=NOW)
    SignInFailure.create(user_name="Ada", client="2001:db8::7", at=NOW + 0.25)


def _nodes() -> None:
    for state in ("draining", "drained", "removed"):
        Node.create(
            name=f"islet-{state}", state=state, state_reason=ODD, connection="ssh", address="192.0.2.9", ssh_port=2222,
            ssh_user="ops", labels=["gpu", ODD], slots=3, consecutive_failures=2, registered_by="bob", created_at=NOW,
            last_heartbeat_at=NOW - 0.125,
        )  # fmt: skip


def _plays() -> None:
    for verb, state in (("drain", "queued"), ("drain", "succeeded"), ("remove", "failed"), ("remove", "running")):
        ended = state in ("succeeded", "failed")
        play = Play.create(
            verb=verb, node="islet-drained", state=state, requested_by="bob", created_at=NOW,
            started_at=None if state == "queued" else NOW + 1, finished_at=NOW + 2.5 if ended else None,
            failed_step=ODD if state == "failed" else "", message=ODD * 20 if state == "failed" else "", advice=ODD,
        )  # fmt: skip
        for number, outcome in enumerate(("ok", "changed", "skipped", "failed", "running"), 1):
            PlayEvent.create(play=play, number=number, at=NOW + number, step=ODD, state=outcome, detail=ODD * 3)


def _jobs(scratch: Any, bob: User) -> None:
    """Bob's: one of each cause, one in each state of an attempt, and values that are hard to carry over."""
    version = AppVersion.select().join(App).where(App.name == "wordcount").get()
    causes = ("ok", "app_error", "timeout", "out_of_memory", "node_lost", "rejected", "cancelled")
    states = {"ok": "succeeded", "cancelled": "cancelled"}
    for number, cause in enumerate(causes):
        job = _job(scratch, bob, version, states.get(cause, "failed"), number, cause=cause, message=ODD, attempts=1)
        _attempt(job, 1, "ended", cause=cause, message=ODD * 3, exit_code=-9, ended_at=NOW + 3.0625, log_lines=2)
    for number, state in enumerate(("placed", "claimed", "running"), 20):
        job = _job(
            scratch, bob, version, "running" if state == "running" else "placed", number,
            cancel_requested=state == "running", attempts=2, excluded_nodes=["harbour"], waiting_reason="",
        )  # fmt: skip
        _attempt(job, 1, "ended", cause="node_lost", ended_at=NOW + 1)
        _attempt(job, 2, state)
    _job(scratch, bob, version, "queued", 30, priority=-10, waiting_reason=ODD, cancel_requested=True)
    large = _job(scratch, bob, version, "succeeded", 40, cause="ok", attempts=1, parameters={"large": "x" * 4000})
    attempt = _attempt(large, 1, "ended", cause="ok", ended_at=NOW, log_lines=1052)
    LogChunk.create(attempt=attempt, first=3, count=50, at=NOW, text="\n".join([ODD.replace("\n", " ")] * 50))
    LogChunk.create(attempt=attempt, first=53, count=1000, at=NOW, text="\n".join(["and on"] * 1000))


def _job(scratch: Any, user: User, version: AppVersion, state: str, number: int, **fields: Any) -> Job:
    over = state in ("succeeded", "failed", "cancelled")
    scratch.now = NOW + number
    return Job.create(
        id=scratch._ids.next(), app_version=version, user=user, state=state, submitted_at=NOW + number + 0.1,
        finished_at=NOW + number + 0.7 if over else None, input=None, force_insert=True,
        **{"parameters": {"text": ODD, "empty": ""}, **fields},
    )  # fmt: skip


def _attempt(job: Job, number: int, state: str, **fields: Any) -> Attempt:
    row: Attempt = Attempt.create(
        job=job, number=number, node="beta", state=state, placement={"sentence": ODD, "ranking": []},
        published_at=None if state == "placed" else NOW + 0.2, placed_at=NOW + 0.1,
        claimed_at=None if state == "placed" else NOW + 0.3, preparing=ODD,
        started_at=NOW + 0.4 if state in ("running", "ended") else None,
        usage={"wall_s": 1 / 3, "cpu_s": 1e-9} if state == "ended" else None, **fields,
    )  # fmt: skip
    LogChunk.create(attempt=row, first=1, count=2, at=NOW, text=f"{ODD.replace(chr(10), ' ')}\nsecond")
    return row


def ask(settings: Settings) -> dict[str, dict[str, Any]]:
    """For each user, what every address answers."""
    paths = ["/me", "/apps", "/nodes", "/jobs?limit=200", "/jobs?state=failed", "/jobs?app=wordcount&limit=3"]
    paths += [f"/apps/{row.name}" for row in App.select()]
    paths += [f"/nodes/{row.name}" for row in Node.select()]
    paths += [f"/plays/{row.id}{more}" for row in Play.select() for more in ("", "/events")]
    paths += [f"/jobs/{row.id}" for row in Job.select()]
    paths += [f"/jobs/{row.job_id}/log?attempt={row.number}" for row in Attempt.select()]
    answers: dict[str, dict[str, Any]] = {}
    for user, token in TOKENS.items():
        with _client(settings, token) as client:
            asked = {path: client.get(path) for path in sorted(paths)}
        answers[user] = {path: {"status": one.status_code, **one.json()} for path, one in asked.items()}
    return answers


def accept(settings: Settings) -> str:
    with _client(settings, TOKENS["bob"]) as client:
        answer = client.post("/jobs", json={"app": "wordcount", "parameters": {"of": "a release that was taken back"}})
        return str(answer.raise_for_status().json()["job"]["id"])


def _client(settings: Settings, token: str) -> httpx.Client:
    publisher = Publisher(BrokerAddress("127.0.0.1", 1, "/", "skerry", "x"), ship_logs=False)
    app = create_app(settings, services=create_services(settings, publisher))
    return httpx.Client(
        transport=httpx.WSGITransport(app),
        base_url="http://skerry.test/api/v1",
        headers={"Authorization": f"Bearer {token}"},
    )


def main(what: str) -> None:
    with tempfile.TemporaryDirectory() as share:
        settings = Settings.from_environment(
            {
                "SKERRY_STATE_DIR": share,
                "SKERRY_SHARE_DIR": share,
                "SKERRY_BROKER_URL": "amqp://skerry@127.0.0.1:1/",
                "SKERRY_BROKER_PASSWORD_FILE": "/dev/null",
                "SKERRY_BROKER_ADMIN_URL": "http://127.0.0.1:1",
                **{name: value for name, value in os.environ.items() if name.startswith("SKERRY_DATABASE_")},
            }
        )
        open_database(settings.database_url, settings.database_password_file, create=what == "fill")
        if what == "fill":
            fill()
        print(json.dumps(accept(settings) if what == "accept" else ask(settings)))


if __name__ == "__main__":
    main(sys.argv[1])

"""Rows as a busy week leaves them, for looking at pages: nodes in several states, plays, apps, and jobs of each end."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from webfront.accounts.users import create_user
from webfront.activity.facts import DEEDS, Kind, NewFact, Outcome, record_many
from webfront.apps.service import AppService
from webfront.database.connection import transaction
from webfront.database.models import (
    App,
    AppVersion,
    Attempt,
    Delivery,
    Invitation,
    Job,
    LogChunk,
    Node,
    Play,
    PlayEvent,
    Schedule,
    ScheduleTick,
    User,
    Webhook,
)
from webfront.fleet.states import NodeState
from webfront.jobs.identifiers import Ulids
from webfront.scheduling.constraints import Candidate, Demand
from webfront.scheduling.placement import decide
from webfront.scheduling.score import Pending, score
from webfront.settings import ScoreSettings
from wire.messages import Metrics

PASSWORD = "a rock at sea, far out"
DIGITS = b"""name: digits
description: Reads handwritten digits, 8 by 8 pixels each, and says which they are.
entrypoint: predict.py
requirements: requirements.txt
inputs: {required: true, accept: [.csv]}
parameters:
  threshold: {default: "0.5", description: Below this probability it says that it is unsure.}
  top: {description: How many guesses to write for each digit.}
resources: {memory_mb: 512, cpus: 1, timeout_s: 300}
retries: {node_lost: 3}
"""
TRACEBACK = """reading measurements.csv
Traceback (most recent call last):
  File "/srv/skerry/apps/cache/4f1c/predict.py", line 41, in <module>
    main()
  File "/srv/skerry/apps/cache/4f1c/predict.py", line 33, in main
    rows = [float(cell) for cell in line]
ValueError: could not convert string to float: 'n/a'"""


class Scratch:
    """Fills the database that is open, and the share. `job[...]` and `play[...]` hold the ids by what they show."""

    def __init__(self, share: Path, now: float) -> None:
        self.share, self.now = share, now
        self.job: dict[str, str] = {}
        self.play: dict[str, int] = {}
        self.schedule = ""
        self.webhook = 0
        self.invitation: dict[str, int] = {}
        self._ids = Ulids(lambda: self.now)
        self.account = create_user("ada", PASSWORD, is_admin=True)

    def fill(self) -> Scratch:
        self.nodes()
        self.plays()
        self.apps()
        self.jobs()
        self.schedules()
        self.webhooks()
        self.invitations()
        self.deeds()
        return self

    def nodes(self) -> None:
        self._node("alpha", "active", _metrics(12.4, 31.0, 8.2), slots=2, labels=["x86", "indoors"])
        self._node("beta", "active", _metrics(91.3, 78.5, 15.9, events=1423.0), slots=4, labels=["gpu"])
        self._node(
            "gannet-cliff",
            "suspect",
            _metrics(55.0, 8.0, 3.9, temperature=81.0),
            ago=19,
            reason="no heartbeat for 19 s",
        )
        self._node("attic", "registering", None, reason="")
        self._node(
            "harbour",
            "dead",
            _metrics(70.0, 60.0, 4.0),
            ago=3700,
            reason="no heartbeat for 45 s; 2 attempts were given to other nodes",
        )

    def deeds(self) -> None:
        """Of a month, by many and of every kind: more in the morning, the latest half a minute ago."""
        kinds = sorted(DEEDS)
        facts = []
        for number in range(900):
            often = (Kind.JOB_SUBMIT, Kind.SESSION_BEGIN, Kind.JOB_DOWNLOAD, kinds[number % len(kinds)])
            kind = often[number % 7 % 4]
            noun = kind.partition(".")[0]
            facts.append(
                NewFact(
                    kind,
                    self.now - 30 - number * 2880 - number % 5 * 600,
                    Outcome.FAILURE if number % 11 == 0 else Outcome.SUCCESS,
                    user=f"a-user-of-the-institute-with-a-long-name-{number % 23:02}" if number % 3 else "ada",
                    controller=f"{'api' if number % 4 else 'pages'}.{noun}s",
                    node=f"node-{number % 25}" if noun == "node" else "",
                )
            )
        with transaction():
            record_many(facts)

    def invitations(self) -> None:
        """In each state; `joined` is a node that has come by one."""
        self._node("joined", "active", _metrics(40.0, 50.0, 3.0))
        Node.update(joined=True, address="10.0.8.21").where(Node.name == "joined").execute()
        machine = {
            "host": "a-machine-with-a-long-name.workshop.example",
            "addresses": ["10.0.8.20", "2001:db8:1234:5678:9abc:def0:1234:5678"],
            "arch": "x86_64",
            "system": "debian 13",
            "python": "3.13",
            "code": "ABC-234",
            "was": "",
            "seen_from": "192.0.2.7",
        }
        for number, state in enumerate(("open", "claimed", "approved", "taken", "refused", "revoked", "expired")):
            row = Invitation.create(
                token_hash=f"{number}" * 64,
                node="joined" if state in ("approved", "taken") else "workshop",
                slots=2,
                labels=["gpu"],
                state="open" if state == "expired" else state,
                invited_by="ada",
                created_at=self.now - 3000,
                expires_at=self.now + (-60 if state == "expired" else 600),
                machine=None if state in ("open", "expired") else machine,
                claimed_at=self.now - 60,
                decided_by="ada",
                decided_at=self.now - 30,
            )
            self.invitation[state] = row.id

    def _node(
        self,
        name: str,
        state: str,
        metrics: Metrics | None,
        *,
        slots: int = 1,
        labels: list[str] | None = None,
        ago: float = 2.0,
        reason: str = "",
    ) -> None:
        found = score(metrics, ScoreSettings(), Pending()) if metrics else None
        Node.create(
            name=name,
            state=state,
            state_reason=reason,
            connection="local" if name == "alpha" else "ssh",
            address="localhost" if name == "alpha" else f"{name}.lan.example",
            ssh_user="root",
            labels=labels or [],
            host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGsEnq2nH0sXkq3oZ0n1v2m8mP0b9R5c7m0Qq3sD1f2K",
            slots=slots,
            arch="x86_64" if metrics else "",
            agent_version="0.1.0" if metrics else "",
            metrics=msgspec.to_builtins(metrics) if metrics else None,
            score=msgspec.to_builtins(found) if found else None,
            last_heartbeat_at=self.now - ago if metrics else None,
            registered_by="ada",
            created_at=self.now - 86400 * 3,
        )

    def schedules(self) -> None:
        now = self.now
        row = Schedule.create(
            id=self._ids.next(),
            user=self.account.id,
            name="every-morning-before-the-shift-begins",
            app="digits",
            cron="30 7 * * 1-5",
            zone="America/Argentina/ComodRivadavia",
            parameters={"threshold": "0.7"},
            when_running="skip",
            state="active",
            next_at=now + 40_000,
            created_at=now - 9 * 86400,
            force_insert=True,
        )
        became = (
            ("submitted", self.job["succeeded"], "", 1),
            ("skipped", None, "Its last job had not ended.", 1),
            ("missed", None, "3 times were missed: the platform did not run then, or came to it too late.", 3),
            ("refused", None, "digits has no parameter threshold; it has: top.", 1),
        )
        for days, (outcome, job, words, count) in enumerate(became):
            at = now - (days + 1) * 86400
            ScheduleTick.create(
                schedule=row,
                due_at=at,
                until_at=at + 7200 if count > 1 else None,
                count=count,
                at=at + 1,
                outcome=outcome,
                job=job,
                words=words,
            )
        self.schedule = row.id

    def webhooks(self) -> None:
        now = self.now
        long = "https://hooks.example.com/" + "a-long-way-to-the-receiver/" * 6
        self.webhook = Webhook.create(
            user=self.account.id, url=long, app="digits", key="sealed", created_at=now - 86400 * 40, failures=7,
            failing_since=now - 7200, rest_until=now + 600,
        ).id  # fmt: skip
        Webhook.create(user=self.account.id, url="https://ci.example.com/skerry", key="sealed", created_at=now)
        ends = (
            ("delivered", self.job["succeeded"], 200, ""),
            ("failed", self.job["failed"], 503, "It answered 503 for 24 hours."),
            ("pending", self.job["memory"], None, "The connection was refused."),
            ("pending", None, None, ""),
        )
        for number, (state, job, status, error) in enumerate(ends):
            at = now - 90_000 + number * 20_000
            Delivery.create(
                id=self._ids.next(),
                webhook=self.webhook,
                job=job,
                body='{"kind": "job.end"}',
                state=state,
                created_at=at,
                tries=1 if state == "delivered" else 7 * number,
                next_at=now + 600,
                give_up_at=at + 86400,
                tried_at=None if job is None else at + 1,
                ended_at=None if state == "pending" else at + 2,
                status=status,
                error=error,
                force_insert=True,
            )

    def plays(self) -> None:
        steps = [
            ("reach", "Reach the machine"),
            ("check", "Check its Python"),
            ("check", "Check its clock"),
            ("check", "Check the room on its disk"),
            ("admit", "Admit its broker user"),
            ("install", "Install the node agent"),
            ("install", "Start the node agent"),
            ("heartbeat", "Wait for its first heartbeat"),
            ("measure", "Measure its speed"),
        ]
        self._play("succeeded", "beta", steps, "changed", 3600 * 30)
        self._play(
            "failed",
            "gannet-cliff",
            steps[:4],
            "failed",
            3600 * 9,
            "Check the room on its disk",
            "There is 0.3 GB free on /, the agent needs 1 GB",
            "Free some room there (journalctl --vacuum-size=100M is a start), then run it again.",
        )
        self._play("running", "attic", steps[:5], "running", 12)

    def _play(
        self,
        state: str,
        node: str,
        steps: list[tuple[str, str]],
        last: str,
        ago: float,
        failed: str = "",
        message: str = "",
        advice: str = "",
    ) -> None:
        at = self.now - ago
        over = state != "running"
        play = Play.create(
            verb="register",
            node=node,
            state=state,
            requested_by="ada",
            created_at=at,
            started_at=at + 0.4,
            finished_at=at + 38 if over else None,
            failed_step=failed,
            message=message,
            advice=advice,
        )
        self.play[state] = play.id
        for number, (phase, step) in enumerate(steps, 1):
            ended = last if number == len(steps) else ("ok", "ok", "changed", "skipped")[number % 4]
            PlayEvent.create(
                play=play,
                number=number,
                at=at + number * 2,
                step=step,
                phase=phase,
                state=ended,
                detail="fatal: 0.3 GB free" if ended == "failed" else "",
            )

    def apps(self) -> None:
        service = AppService(self.share, 512, lambda: self.now - 86400)
        for changes in (b"", b"# mended\n"):
            service.upload(
                self.account,
                _zip({"app.yml": DIGITS, "predict.py": b"print('hello')\n" + changes, "requirements.txt": b""}),
                file_name="digits.zip",
            )
        service.upload(self.account, io.BytesIO(b"print('words')\n"), file_name="wordcount.py")

    def jobs(self) -> None:
        self._done("cancelled", "cancelled", 86400 * 2)
        self._done(
            "memory",
            "failed",
            86400,
            cause="out_of_memory",
            message="used 612 MB of the 512 MB it asked for",
            exit_code=-9,
        )
        self._done("failed", "failed", 7200, cause="app_error", message="exit code 1", log=TRACEBACK, exit_code=1)
        for number in range(60):
            self._done(f"old-{number}", "succeeded", 6000 - number * 10)
        self._done("succeeded", "succeeded", 300, log=_training_log(), outputs=self._predictions)
        self._retried()
        running = self._job("running", "running", 41)
        self._attempt(
            running, 1, 41, state="running", log=_training_log(240), gap=True, preparing="installing requirements"
        )
        placed = self._job("preparing", "placed", 4)
        self._attempt(placed, 1, 4, state="claimed", preparing="installing requirements: numpy, scikit-learn")
        self._job("queued", "queued", 65, waiting="no node has the label gpu and a free slot", attempts=0)

    def _retried(self) -> None:
        job = self._job("retried", "succeeded", 1500, attempts=2, finished=1400)
        self._attempt(job, 1, 1500, cause="node_lost", message="harbour has not been heard for 45 s", node="harbour")
        self._attempt(job, 2, 1440, cause="ok", log="second try\nall is well")

    def _done(
        self,
        key: str,
        state: str,
        ago: float,
        *,
        cause: str | None = None,
        message: str = "",
        log: str = "one line",
        exit_code: int = 0,
        outputs: Any = None,
    ) -> None:
        cause = cause or {"succeeded": "ok"}.get(state, state)
        job = self._job(key, state, ago, finished=ago - 4.3, cause=cause, message=message)
        self._attempt(
            job,
            1,
            ago,
            cause=cause,
            message=message,
            log=log,
            exit_code=exit_code,
            outputs=outputs(job.id) if outputs else [],
        )

    def _job(
        self,
        key: str,
        state: str,
        ago: float,
        *,
        finished: float | None = None,
        cause: str | None = None,
        message: str = "",
        waiting: str = "",
        attempts: int = 1,
    ) -> Job:
        digits = AppVersion.select().join(App).where(App.name == "digits").order_by(AppVersion.id.desc()).get()
        live, self.now = self.now, self.now - ago
        self.job[key] = self._ids.next()
        self.now = live
        row: Job = Job.create(
            id=self.job[key],
            app_version=digits,
            user=User.get(),
            state=state,
            input=f"inputs/{self.job[key]}/measurements-of-the-north-shore.csv",
            parameters={"threshold": "0.5"},
            attempts=attempts,
            cause=cause,
            message=message,
            waiting_reason=waiting,
            submitted_at=self.now - ago,
            finished_at=self.now - finished if finished is not None else None,
            force_insert=True,
        )
        return row

    def _attempt(
        self,
        job: Job,
        number: int,
        ago: float,
        *,
        state: str = "ended",
        cause: str | None = None,
        message: str = "",
        node: str = "beta",
        log: str = "",
        exit_code: int | None = None,
        outputs: list[dict[str, Any]] | None = None,
        preparing: str = "",
        gap: bool = False,
    ) -> None:
        at, ended = self.now - ago + 0.012, state == "ended"
        lines = log.split("\n") if log else []
        row = Attempt.create(
            job=job,
            number=number,
            node=node,
            state=state,
            placement=_placement(node),
            published_at=at,
            placed_at=at,
            claimed_at=at + 0.004,
            preparing=preparing,
            started_at=at + 1.4 if state in ("running", "ended") else None,
            ended_at=at + 4.2 if ended else None,
            cause=cause,
            message=message,
            exit_code=exit_code,
            outputs=outputs or [],
            log_lines=len(lines) if ended else None,
            usage={"wall_s": 2.8, "cpu_s": 2.31, "peak_memory_mb": 143.2} if ended else None,
        )
        half = len(lines) // 2
        chunks = [(1, lines)] if not gap else [(1, lines[:half]), (half + 6, lines[half + 5 :])]
        for first, some in chunks:
            if some:
                LogChunk.create(attempt=row, first=first, count=len(some), at=at, text="\n".join(some))

    def _predictions(self, job_id: str) -> list[dict[str, Any]]:
        text = "id,prediction,probability,label\n" + "".join(
            f"{i},{i * 7 % 10},{0.99 - i % 40 / 100:.4f},{i * 7 % 10}\n" for i in range(360)
        )
        folder = self.share / "results" / job_id / "1"
        folder.mkdir(parents=True)
        (folder / "predictions.csv").write_text(text)
        return [{"name": "predictions.csv", "size": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}]


def _metrics(
    cpu: float, memory: float, free_gb: float, *, events: float | None = 980.0, temperature: float | None = None
) -> Metrics:
    return Metrics(
        cpu_count=4,
        free_cpu_percent=cpu,
        memory_gb=free_gb * 100 / memory,
        free_memory_gb=free_gb,
        free_memory_percent=memory,
        free_disk_gb=112.4,
        load_1m=1.37,
        temperature_c=temperature,
        events_per_second=events,
    )


def _placement(node: str) -> dict[str, Any]:
    metrics = {"alpha": _metrics(12.4, 31.0, 8.2), node: _metrics(91.3, 78.5, 15.9, events=1423.0)}
    views = [
        Candidate(name, NodeState.ACTIVE, (), "x86_64", 2, 1, 3, score(found, ScoreSettings()))
        for name, found in metrics.items()
    ]
    views.append(Candidate("gannet-cliff", NodeState.SUSPECT, (), "x86_64", 2, 0, 3, None))
    found: dict[str, Any] = msgspec.to_builtins(decide(Demand(memory_mb=512), views))
    return found


def _training_log(lines: int = 60) -> str:
    return "\n".join(
        f"{i:>5}/{lines}  digit {i * 7 % 10}  probability {0.99 - i % 40 / 100:.4f}" for i in range(1, lines + 1)
    )


def _zip(files: dict[str, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    made.seek(0)
    return made

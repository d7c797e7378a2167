"""Skerry itself: the real job service, scheduler process and agent process, on a virtual host of the same RabbitMQ."""

from __future__ import annotations

import asyncio
import io
import os
import secrets
import sqlite3
import sys
import time
import urllib.parse
from pathlib import Path

from benchmarks.lanes.lane import WORKERS, Processes, Rows, StartFile, wait_until
from tests.support.rabbitmq import PrivateRabbit

NODE = "bench"
BACKLOG = 200

_APP = "import time\nprint(time.monotonic_ns())\n"
_MANIFEST = "name: noop\nentrypoint: noop.py\ninputs: {required: false}\noutputs: []\n"


class SkerryLane:
    """Implements `Lane`: the whole platform but the app's process."""

    name = "Skerry, dispatch"
    agent_module = "benchmarks.noop_agent"
    arguments: tuple[str, ...] = ()

    def __init__(self, rabbit: PrivateRabbit, directory: Path) -> None:
        self._rabbit = rabbit
        self._directory = directory
        self._processes = Processes(directory)
        self._starts = StartFile(directory / "starts")
        self._vhost = type(self).__name__.lower()
        self._controller = {
            **os.environ,
            "SKERRY_STATE_DIR": str(directory),
            "SKERRY_SHARE_DIR": str(directory / "share"),
            "SKERRY_BROKER_URL": rabbit.url + self._vhost,
            "SKERRY_BROKER_PASSWORD_FILE": str(rabbit.password_file),
            "SKERRY_BROKER_ADMIN_URL": rabbit.admin_url,
            "SKERRY_NODE_BACKLOG": str(BACKLOG),
            "SKERRY_LOG_LEVEL": "WARNING",
        }

    def start(self) -> None:
        # Imported here, since each lane binds the tables to a database of its own.
        from webfront.accounts.users import create_user
        from webfront.apps.service import AppService
        from webfront.broker.admission import admit
        from webfront.broker.management import Management
        from webfront.broker.publisher import Publisher
        from webfront.broker.topology import declare_platform
        from webfront.database import models
        from webfront.settings import Settings
        from wire.broker import Broker

        quoted = urllib.parse.quote(self._rabbit.user)
        self._rabbit.api(f"/api/vhosts/{self._vhost}", "PUT", {})
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        self._rabbit.api(f"/api/permissions/{self._vhost}/{quoted}", "PUT", rights)
        settings = Settings.from_environment(self._controller)
        settings.share_dir.mkdir()
        self._settings = settings
        self._bind(create=True)

        async def declare() -> None:
            broker = Broker(settings.broker_address(), name="bench")
            running = asyncio.create_task(broker.run())
            while not broker.connected:
                await asyncio.sleep(0.02)
            await declare_platform(broker)
            await broker.stop()
            await running

        asyncio.run(declare())
        self._account = create_user("bench", secrets.token_urlsafe(16), is_admin=True)
        apps = AppService(settings.share_dir, settings.max_upload_mb)
        apps.upload(self._account, io.BytesIO(self._app()), file_name="noop.zip")
        models.Node.create(
            name=NODE,
            state="active",
            connection="local",
            address="127.0.0.1",
            slots=WORKERS,
            arch="",
            created_at=time.time(),
        )
        password = secrets.token_urlsafe(24)
        admit(Management.of(settings), NODE, password)
        password_file = self._directory / "node-password"
        password_file.write_text(password)
        address = settings.broker_url.split("@", 1)[1]
        node = {
            **os.environ,
            "SKERRY_NODE_ID": NODE,
            "SKERRY_NODE_STATE_DIR": str(self._directory / "node"),
            "SKERRY_SHARE_DIR": str(settings.share_dir),
            "SKERRY_BROKER_URL": f"amqp://node-{NODE}@{address}",
            "SKERRY_BROKER_PASSWORD_FILE": str(password_file),
            "SKERRY_NODE_SLOTS": str(WORKERS),
            "SKERRY_LOG_LEVEL": "WARNING",
            "BENCH_STARTS": str(self._starts.path),
        }
        self._publisher = Publisher(settings.broker_address(), name="bench", ship_logs=False)
        self._publisher.start()
        self._processes.start("scheduler", [sys.executable, "-m", "webfront", "scheduler"], self._controller)
        self._processes.start("agent", [sys.executable, "-m", self.agent_module, *self.arguments], node)
        database = self._directory / "skerry.sqlite"
        self._rows = Rows(database, "SELECT count(*) FROM job WHERE state = 'succeeded'")
        failed = Rows(database, "SELECT count(*) FROM job WHERE state = 'failed'")
        wait_until(lambda: self._publisher.connected, "the publisher's connection")
        self.submit(1)
        wait_until(lambda: self.outcomes() + failed.count() == 1, f"the first job of {self.name}")
        if failed.count():
            reason = models.Job.select().first().message
            raise RuntimeError(f"the first job of {self.name} failed: {reason}")

    def submit(self, count: int) -> None:
        from webfront.jobs.submission import Submission

        self._bind()
        submission = Submission(self._settings.share_dir, self._publisher.hint)
        for _ in range(count):
            submission.submit(self._account, app="noop")

    def outcomes(self) -> int:
        return self._rows.count()

    def starts(self) -> list[int]:
        return self._starts.read()

    def stop(self) -> None:
        self._processes.stop()
        publisher = getattr(self, "_publisher", None)
        if publisher is not None:
            publisher.stop()

    def _bind(self, *, create: bool = False) -> None:
        """Point the tables at this lane's database; two lanes of Skerry share this process."""
        from webfront.database import models
        from webfront.database.schema import migrate_database, open_database

        if create:
            migrate_database(self._settings.database_url)
            self._database = open_database(self._settings.database_url)
        models.database.initialize(self._database)

    def _app(self) -> bytes:
        import zipfile

        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.yml", _MANIFEST)
            archive.writestr("noop.py", _APP)
        return buffer.getvalue()


class SkerryProcessLane(SkerryLane):
    """Implements `Lane`: the same with the real runner, a process per job."""

    name = "Skerry, process per job"
    agent_module = "node_scripts"
    arguments = ("agent",)

    def starts(self) -> list[int]:
        """The app can write nowhere outside its folder, so it prints its start; the log came before the outcome."""
        connection = sqlite3.connect(f"file:{self._directory}/skerry.sqlite?mode=ro", uri=True)
        try:
            return [int(text) for (text,) in connection.execute("SELECT text FROM log_chunk ORDER BY id")]
        finally:
            connection.close()

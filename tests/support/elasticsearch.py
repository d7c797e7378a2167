"""A private, real Elasticsearch for tests: what `prepare engine` has fetched, run on ports of its own with security on.

It is a launcher and, as its child, the server. Both run in a PID namespace, whose end takes whatever is in it along.
The engine refuses to run as root, while root's cache and pytest's folders are closed to other users: in its user
namespace root has another number, and what it writes is root's own. Nothing is written to the distribution.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from .mariadb import end_with_parent
from .rabbitmq import free_ports

PREPARE = Path(__file__).resolve().parents[1] / "hosts" / "prepare"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30

_ALONE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--pid", "--fork", "--kill-child=SIGKILL"]
# The least that a short life costs: half the processor time of what it is run with elsewhere.
_JVM = """\
-Xms512m
-Xmx512m
-XX:-AlwaysPreTouch
-XX:+UseSerialGC
-XX:TieredStopAtLevel=1
-XX:+ExitOnOutOfMemoryError
-Djava.io.tmpdir=${ES_TMPDIR}
"""
_LOG = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}][%node_name]%marker %m%consoleException%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def distribution() -> Path:
    """Where `prepare engine` has put it."""
    done = subprocess.run([PREPARE, "engine"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return Path(done.stdout.strip().splitlines()[-1])


def basic(user: str, password: str) -> str:
    """The header `Authorization` of a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclasses.dataclass
class PrivateElasticsearch:
    """A server under `directory`. `user` and `password` are of its superuser."""

    directory: Path
    user: str = "elastic"
    password: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(18))
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._home = distribution()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port, transport_port = free_ports(2)
        self.password_file = self.directory / "password"
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(self.password)
        java = shutil.which("java")
        if java is None:
            raise RuntimeError("there is no java: install the package default-jre-headless")
        config = self.directory / "config"
        for folder in (config, self.directory / "tmp"):
            folder.mkdir(exist_ok=True)
        (config / "jvm.options").write_text(_JVM)
        (config / "log4j2.properties").write_text(_LOG)
        settings = {
            "node.name": "engine",
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": self.port,
            "transport.port": transport_port,
            "path.data": str(self.directory / "data"),
            "path.logs": str(self.directory / "logs"),
            "xpack.security.enabled": True,
            "cluster.routing.allocation.disk.threshold_enabled": False,
        }
        # JSON is YAML.
        (config / "elasticsearch.yml").write_text(json.dumps(settings, indent=1))
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "ES_JAVA_HOME": str(Path(java).resolve().parents[1]),
            "ES_PATH_CONF": str(config),
            "ES_TMPDIR": str(self.directory / "tmp"),
            "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
            # Otherwise each process writes into a folder in /tmp that is named for user 1000.
            "JDK_JAVA_OPTIONS": "-XX:-UsePerfData",
        }
        self._log = self.directory / "output"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, with what it had on disk, and wait until all of that can be asked for."""
        if not (self.directory / "config" / "elasticsearch.keystore").exists():
            subprocess.run(
                [self._home / "bin" / "elasticsearch-keystore", "add", "--force", "--stdin", "bootstrap.password"],
                env=self._environment, input=f"{self.password}\n".encode(), check=True, capture_output=True,
            )  # fmt: skip
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_ALONE, str(self._home / "bin" / "elasticsearch")], env=self._environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=end_with_parent,
            )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"Elasticsearch ended at once:\n{self._log.read_text()[-3000:]}")
            # It says 401 until it knows its users, and then that the time is over until it has opened its indices.
            with contextlib.suppress(httpx.HTTPError):
                if self.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")[0] == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"Elasticsearch did not answer in time:\n{self._log.read_text()[-3000:]}")

    def request(
        self, method: str, path: str, body: dict[str, Any] | str | None = None, *, authorization: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Ask it, as its superuser or by another header `Authorization`; a text is sent as lines of JSON."""
        headers = {"Authorization": authorization or basic(self.user, self.password)}
        content = body if isinstance(body, str) else None if body is None else json.dumps(body)
        if content is not None:
            headers["Content-Type"] = f"application/{'x-ndjson' if isinstance(body, str) else 'json'}"
        answer = httpx.request(method, self.url + path, content=content, headers=headers, timeout=30)
        return answer.status_code, answer.json() if answer.content else {}

    def stop(self) -> None:
        """Ask it to end, and wait until all of it has ended."""
        try:
            self._end(signal.SIGTERM, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a power cut of the engine alone."""
        self._end(signal.SIGKILL)

    def _end(self, signal_number: int, timeout_s: float | None = None) -> None:
        if self.process is not None and self.process.poll() is None:
            # The launcher is the first process of its namespace: it has ended when the server has ended as well.
            for launcher in psutil.Process(self.process.pid).children():
                launcher.send_signal(signal_number)
            self.process.wait(timeout_s)
        self.process = None

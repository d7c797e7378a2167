"""A private, real RabbitMQ for tests: the distribution's package run as an ordinary process on ports of its own."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_TIMEOUT_S = 90


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@dataclasses.dataclass
class PrivateRabbit:
    """A broker under `directory`. `url` and `password` are of a user with every right in the virtual host `/`."""

    directory: Path
    user: str = "skerry"
    password: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(18))
    process: subprocess.Popen[bytes] | None = None
    certificate: Path | None = None
    """Key and certificate (PEM) to speak TLS with as well, on ports of their own."""

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        ports = free_ports(6)
        self.port, self.admin_port, self.dist_port, self.epmd_port, self.tls_port, self.admin_tls_port = ports
        self.password_file = self.directory / "password"
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(self.password)
        (self.directory / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.admin_port}\n"
            f"default_user = {self.user}\ndefault_pass = {self.password}\n"
            "default_user_tags.administrator = true\nloopback_users = none\n"
            "disk_free_limit.absolute = 50MB\nlog.file.level = warning\n" + self._tls()
        )

    def _tls(self) -> str:
        if self.certificate is None:
            return ""
        files = "".join(
            f"{section}.{kind} = {self.certificate}\n"
            for section in ("ssl_options", "management.ssl")
            for kind in ("certfile", "keyfile")
        )
        return (
            f"listeners.ssl.default = 127.0.0.1:{self.tls_port}\n"
            f"management.ssl.ip = 127.0.0.1\nmanagement.ssl.port = {self.admin_tls_port}\n" + files
        )

    @property
    def url(self) -> str:
        return f"amqp://{self.user}@127.0.0.1:{self.port}/"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    def start(self) -> None:
        """Start it and wait until its management API answers."""
        with (self.directory / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [str(SERVER)], env=self._environment(), stdout=output, stderr=output, start_new_session=True
            )
        self._wait()

    def control(self, *words: str) -> None:
        """Call `rabbitmqctl`."""
        subprocess.run(
            [str(SERVER.with_name("rabbitmqctl")), *words], env=self._environment(), check=True, capture_output=True
        )

    def _environment(self) -> dict[str, str]:
        home = self.directory
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none.conf"),
            # Idle schedulers of Erlang spin by default, which costs the tests' own processor.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise RuntimeError(f"RabbitMQ ended at once:\n{(self.directory / 'output').read_text()[-3000:]}")
            try:
                if self.api("/api/health/checks/port-listener/" + str(self.port))["status"] == "ok":
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise RuntimeError("RabbitMQ did not answer in time")

    def api(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Call the management API; the decoded answer, or an empty dict."""
        request = urllib.request.Request(
            self.admin_url + path, method=method, data=None if body is None else json.dumps(body).encode()
        )
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def kill(self) -> None:
        """SIGKILL, as a power cut of the broker alone."""
        if self.process is not None:
            # The start script waits for the Erlang machine in the same process group.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Kill it and start it again, with what it had on disk."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it and its port mapper."""
        self.kill()
        command = ["epmd", "-port", str(self.epmd_port), "-kill"]
        environment = {**os.environ, "ERL_EPMD_ADDRESS": "127.0.0.1"}
        # The mapper refuses to end until it has noticed that its node is gone.
        for _ in range(50):
            answer = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
            if "Killed" in answer.stdout or "cannot connect" in (answer.stdout + answer.stderr).lower():
                return
            time.sleep(0.1)

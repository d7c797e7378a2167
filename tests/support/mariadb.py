"""A private, real MariaDB for tests: the distribution's package run as an ordinary process on a port of its own."""

from __future__ import annotations

import ctypes
import dataclasses
import getpass
import secrets
import signal
import subprocess
import time
from pathlib import Path

import pymysql

from .rabbitmq import free_ports

SERVER = Path("/usr/sbin/mariadbd")
START_TIMEOUT_S = 60
_NO_DEFAULTS = "--no-defaults"


def end_with_parent() -> None:
    """Have the kernel kill the server when whoever started it is gone, however it went."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


@dataclasses.dataclass
class PrivateMariadb:
    """A server under `directory`, which neither reads nor touches the system's own. Its user has every right.

    Its own settings are those that Skerry must not depend on: MariaDB's default character set is latin1.
    """

    directory: Path
    user: str = "skerry"
    password: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(18))
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        if not SERVER.exists():
            raise RuntimeError(f"{SERVER} is not there: install the package mariadb-server")
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.port,) = free_ports(1)
        self.password_file = self.directory / "password"
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(self.password)

    def url(self, database: str) -> str:
        return f"mysql://{self.user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, with its user, and wait until it answers."""
        data = self.directory / "data"
        if not data.exists():
            subprocess.run(
                ["mariadb-install-db", _NO_DEFAULTS, f"--datadir={data}", f"--user={getpass.getuser()}",
                 "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-log-bin"],
                check=True, capture_output=True,
            )  # fmt: skip
        first = self.directory / "first.sql"
        first.write_text(f"GRANT ALL ON *.* TO '{self.user}'@'127.0.0.1' IDENTIFIED BY '{self.password}';\n")
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(SERVER), _NO_DEFAULTS, f"--datadir={data}", f"--user={getpass.getuser()}",
                 f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.directory}/socket",
                 f"--pid-file={self.directory}/pid", "--skip-name-resolve", "--skip-log-bin", f"--init-file={first}",
                 # A test's rows outlive the server's death, and need not outlive the machine's.
                 "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--innodb-doublewrite=0",
                 "--innodb-buffer-pool-size=128M", "--innodb-log-file-size=32M"],
                stdout=log, stderr=log, start_new_session=True, preexec_fn=end_with_parent,
            )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"MariaDB ended at once:\n{(self.directory / 'log').read_text()[-3000:]}")
            try:
                self.run("SELECT 1")
            except pymysql.MySQLError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError("MariaDB did not answer in time")

    def run(self, *statements: str, database: str | None = None) -> tuple[tuple[object, ...], ...]:
        """Run statements in a connection of their own; the rows of the last."""
        connection = pymysql.connect(
            host="127.0.0.1", port=self.port, user=self.user, password=self.password, database=database, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())

    def kill(self) -> None:
        """SIGKILL, as a power cut of the database alone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

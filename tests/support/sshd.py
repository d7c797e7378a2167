"""A real SSH server for tests: the distribution's sshd with a configuration, host key and user of its own."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

from support.rabbitmq import free_ports

SSHD = Path("/usr/sbin/sshd")


class PrivateSshd:
    """An sshd on a free port, with a user who may use sudo with a password. Needs root, as tests here have."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.user = f"skerry-t{secrets.token_hex(3)}"
        # What trips quoting, templates and JSON.
        self.password = "p{{1}}a'\"$ \\" + secrets.token_hex(8)
        (self.port,) = free_ports(1)
        self.log = directory / "log"
        self._sudoers = Path("/etc/sudoers.d") / self.user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if not SSHD.exists() or shutil.which("sudo") is None:
            raise RuntimeError("the tests of plays need the packages openssh-server and sudo")
        directory = self.directory
        directory.chmod(0o755)
        run("useradd", "--create-home", "--shell", "/bin/bash", self.user)
        subprocess.run(["chpasswd"], input=f"{self.user}:{self.password}".encode(), check=True)
        self._sudoers.write_text(f"{self.user} ALL=(ALL) ALL\n")
        self._sudoers.chmod(0o440)
        self.new_host_key()
        self.authorized = directory / "authorized"
        self.authorized.touch(mode=0o644)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "given", "-f", str(directory / "given"))
        self.private_key = (directory / "given").read_text()
        self.authorized.write_text((directory / "given.pub").read_text())
        # Where sshd locks its unprivileged part in; made by the service's start on an ordinary machine.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        # OpenSSH 9.8 and later shut an address out for a while after failures, which the tests make on purpose.
        lenient = "PerSourcePenalties no\n" if self._knows("persourcepenalties") else ""
        (directory / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {directory}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {self.authorized}\nStrictModes no\nUsePAM no\nPasswordAuthentication yes\n"
            f"KbdInteractiveAuthentication no\n{lenient}"
        )
        self._launch()

    def new_host_key(self) -> None:
        """As if the machine had been reinstalled; a running server shows it after `restart`."""
        for name in ("host_key", "host_key.pub"):
            (self.directory / name).unlink(missing_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / "host_key"))

    @property
    def host_key(self) -> str:
        return " ".join((self.directory / "host_key.pub").read_text().split()[:2])

    def restart(self) -> None:
        self._end()
        self._launch()

    def stop(self) -> None:
        self._end()
        self._sudoers.unlink(missing_ok=True)
        subprocess.run(["userdel", "--remove", "--force", self.user], check=False, capture_output=True)
        shutil.rmtree(f"/home/{self.user}", ignore_errors=True)

    def _knows(self, option: str) -> bool:
        """Whether this release has the option: it refuses a configuration with one that it does not know."""
        ask = [str(SSHD), "-T", "-f", "/dev/null", "-h", str(self.directory / "host_key")]
        return f"\n{option} " in subprocess.run(ask, capture_output=True, text=True, check=True).stdout.lower()

    def _launch(self) -> None:
        command = [str(SSHD), "-D", "-f", str(self.directory / "sshd_config"), "-E", str(self.log)]
        self._process = subprocess.Popen(command)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"sshd did not start: {self.log.read_text()}")

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)

"""For tests of nodes without an agent: machines behind a real sshd, and a platform that works for them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.machines import make_machine, remove_machine
from support.rabbitmq import PrivateRabbit
from support.sshd import PrivateSshd
from support.stores import Store

from webfront.accounts.views import Account
from webfront.broker.management import Management
from webfront.database.connection import transaction
from webfront.database.models import App, AppVersion, Attempt, Job, Node, Play, PlayEvent, User
from webfront.fleet.views import NewNode, Secrets
from webfront.jobs.identifiers import Ulids
from webfront.jobs.logs import printed_lines
from webfront.plays.service import PlayService

PROJECT = Path(__file__).resolve().parents[2]
SPEAKING = """\
import argparse, os, pathlib, sys, time
p = argparse.ArgumentParser()
p.add_argument("--input"); p.add_argument("--output"); p.add_argument("--seconds", type=float, default=0)
p.add_argument("--status", type=int, default=0); p.add_argument("--megabytes", type=int, default=0)
a = p.parse_args()
print("begun as", os.getuid(), flush=True)
held = bytearray(a.megabytes * 1_000_000)
if os.environ["SKERRY_ATTEMPT"] != "1":  # tried again: for its outcome alone
    a.seconds = min(a.seconds, 1)
until, n = time.monotonic() + a.seconds, 0
while time.monotonic() < until:
    n += 1
    print("line", n, flush=True)
    time.sleep(0.25)
said = f"ran,{os.environ['SKERRY_JOB']},{os.environ['SKERRY_ATTEMPT']}\\n"
(pathlib.Path(a.output) / "predictions.csv").write_text(said)
sys.exit(a.status)
"""


class Relay:
    """A TCP relay before a port; `cut` drops what stands and lets nobody through until `mend`."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._is_cut = False
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._is_cut = True
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._open |= {client, server}
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open -= {source, target}


class FarMachine:
    """A machine with sshd and Python: this one, by a way of its own. `root` is where the platform's folder will be."""

    def __init__(self, folder: Path, *, sudo: bool = True) -> None:
        folder.chmod(0o755)
        self.root = folder / "dispatch"
        (folder / "sshd").mkdir()
        self.sshd = PrivateSshd(folder / "sshd")
        self.sshd.start()
        # Whoever signs in may use sudo without a password, or not at all.
        rule = f"{self.sshd.user} ALL=(ALL) NOPASSWD: ALL\n" if sudo else f"{self.sshd.user} ALL=(ALL) !ALL\n"
        self._sudoers(rule)
        # As sshd is set up on an ordinary machine; the test's own reads another file.
        home = Path(f"/home/{self.sshd.user}")
        config = folder / "sshd" / "sshd_config"
        config.write_text(config.read_text() + "MaxStartups 50\n")
        (home / ".ssh").mkdir(mode=0o700)
        self.authorized = home / ".ssh" / "authorized_keys"
        self.authorized.write_text(self.sshd.authorized.read_text())
        config.write_text(
            config.read_text().replace(
                f"AuthorizedKeysFile {self.sshd.authorized}", f"AuthorizedKeysFile {self.authorized}"
            )
        )
        subprocess.run(["chown", "-R", f"{self.sshd.user}:", str(home / ".ssh")], check=True)
        self.sshd.restart()
        self.relay = Relay(self.sshd.port)
        self.address, self.port = "127.0.0.1", self.relay.port
        self.user, self.private_key = self.sshd.user, self.sshd.private_key

    def _sudoers(self, rule: str) -> None:
        file = Path("/etc/sudoers.d") / self.sshd.user
        file.unlink()
        file.write_text(rule)
        file.chmod(0o440)

    def processes(self) -> dict[int, str]:
        """What runs of ours there: what attends to attempts, keepers, apps."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    if f"{self.root} host " in words or f"{self.root}/state/" in words:
                        found[int(entry.name)] = words
        return found

    def reboot(self) -> None:
        """All that runs there is gone, in one moment, and the files stay."""
        for _ in range(3):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def orders(self) -> list[str]:
        return sorted(path.name for path in (self.root / "orders").iterdir())

    def close(self) -> None:
        self.reboot()
        self.relay.close()
        subprocess.run(["pkill", "-KILL", "-u", self.sshd.user], check=False)
        self.sshd.stop()
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def far_machine(*, sudo: bool = True) -> Iterator[FarMachine]:
    # Not below pytest's own folder, which only root may enter.
    with tempfile.TemporaryDirectory(prefix="skerry-far-", dir="/var/tmp") as folder:
        machine = FarMachine(Path(folder), sudo=sudo)
        try:
            yield machine
        finally:
            machine.close()


class BootedMachine:
    """A container that boots systemd, with a user who may use sudo. It has neither the share nor the broker."""

    def __init__(self, name: str, folder: Path, release: str = "debian-13") -> None:
        self.name = f"{name}-{os.getpid()}"
        self.root = Path("/var/lib/skerry-dispatch")
        key = folder / self.name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self.private_key = key.read_text()
        options = (f"--release={release}", "--user=edge", f"--authorized-key={key}.pub")
        made = make_machine(self.name, f"{PROJECT}:dispatch", *options)
        self.address, self.port, self.user = made["address"], made["port"], made["user"]

    def run(self, *command: str) -> str:
        done = subprocess.run(["docker", "exec", self.name, *command], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def reboot(self) -> None:
        """Without a word to what runs there."""
        subprocess.run(["docker", "kill", self.name], check=True, capture_output=True)
        subprocess.run(["docker", "start", self.name], check=True, capture_output=True)

    def close(self) -> None:
        remove_machine(self.name)


class Controller:
    """A platform's scheduler and plays process, with what its web front would write."""

    def __init__(self, rabbit: PrivateRabbit, store: Store, folder: Path) -> None:
        self.rabbit = rabbit
        self.folder = folder
        self._ulids = Ulids()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.user = User.create(name="ada", password_hash="-", created_at=time.time(), is_admin=True)
        self.account = Account(id=self.user.id, name="ada", is_admin=True)
        self.share = folder / "share"
        for name in ("apps", "inputs", "results"):
            (self.share / name).mkdir(parents=True)
        self.roots: dict[str, Path] = {}
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(PROJECT),
            "SKERRY_STATE_DIR": str(folder),
            "SKERRY_SHARE_DIR": str(self.share),
            "SKERRY_BROKER_URL": rabbit.url,
            "SKERRY_BROKER_PASSWORD_FILE": str(rabbit.password_file),
            "SKERRY_BROKER_ADMIN_URL": rabbit.admin_url,
            "SKERRY_PROJECT_DIR": str(PROJECT),
            "SKERRY_INVENTORY": str(folder / "inventory.yml"),
            "SKERRY_CONTROLLER_NAME": "controller",
            "SKERRY_AGENTLESS_MEASURE_S": "5",
            **store.environment,
        }
        command = folder / "bin" / "skerry-admin"
        command.parent.mkdir()
        settings = " ".join(f"{name}='{value}'" for name, value in self.environment.items())
        command.write_text(f'#!/bin/sh\nexec env {settings} {sys.executable} -m webfront.admin.main "$@"\n')
        command.chmod(0o755)
        self.plays = PlayService(folder / "plays.sock", "controller")
        self.api = Management(rabbit.admin_url, rabbit.user, rabbit.password, "/")

    def write_inventory(self) -> None:
        hosts = "".join(f"    {name}: {{agentless_dir: {root}}}\n" for name, root in self.roots.items())
        (self.folder / "inventory.yml").write_text(
            "controllers:\n  hosts:\n    localhost:\n      ansible_connection: local\n"
            f"      ansible_python_interpreter: {sys.executable}\n      webfront_become: false\n"
            f"      webfront_bin_dir: {self.folder}/bin\nagentless_nodes:\n  hosts:\n{hosts or '    none:'}\n"
        )

    def start(self, name: str, *, called: str = "", **more: str) -> subprocess.Popen[bytes]:
        """Start the scheduler or the plays process; a second one of a kind is `called` something else."""
        with (self.folder / f"{called or name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "webfront", name], env={**self.environment, **more}, stdout=log, stderr=log
            )
        self._processes[called or name] = process
        return process

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        process.wait(30)

    def stop(self) -> None:
        for name in list(self._processes):
            self.kill(name, signal.SIGTERM)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def register(self, name: str, machine: FarMachine | BootedMachine, *, slots: int = 1) -> Play:
        """Register it without an agent, as the form does, and wait for the play's end."""
        self.roots[name] = machine.root
        self.write_inventory()
        new = NewNode(
            name=name,
            connection="ssh",
            address=machine.address,
            ssh_port=machine.port,
            ssh_user=machine.user,
            secrets=Secrets(private_key=machine.private_key),
            slots=slots,
            agentless=True,
        )
        play = self.plays.register(self.account, new).play
        return self.played(play.id)

    def played(self, play: int, *, within_s: float = 90) -> Play:
        until(lambda: Play.get_by_id(play).finished_at is not None, within_s)
        return Play.get_by_id(play)

    def steps(self, play: int) -> str:
        rows = PlayEvent.select().where(PlayEvent.play == play).order_by(PlayEvent.number)
        return "\n".join(f"{row.state} {row.step}: {row.detail}" for row in rows)

    def app(self, name: str = "speaking", code: str = SPEAKING, **manifest: Any) -> AppVersion:
        version = hashlib.sha256((name + code).encode()).hexdigest()
        folder = self.share / "apps" / version
        folder.mkdir()
        (folder / "main.py").write_text(code)
        app = App.create(name=name, owner=self.user, created_at=time.time())
        full = {"name": name, "entrypoint": "main.py", "outputs": ["predictions.csv"], **manifest}
        return AppVersion.create(app=app, hash=version, manifest=full, size=1, uploaded_at=time.time())

    def submit(self, version: AppVersion, **parameters: str) -> str:
        job = self._ulids.next()
        with transaction():
            Job.insert(
                id=job, app_version=version, user=self.user, state="queued", submitted_at=time.time(),
                parameters=parameters,
            ).execute()  # fmt: skip
        return job

    def state(self, job: str) -> str:
        return str(Job.get_by_id(job).state)

    def ended(self, job: str, within_s: float = 60) -> str:
        until(lambda: self.state(job) in ("succeeded", "failed", "cancelled"), within_s)
        return self.state(job)

    def causes(self, job: str) -> list[str | None]:
        return [a.cause for a in Attempt.select().where(Attempt.job == job).order_by(Attempt.number)]

    def lines(self, job: str) -> list[str]:
        attempts = range(1, Job.get_by_id(job).attempts + 1)
        return [line.text for number in attempts for line in printed_lines(self.share, job, number)]

    def predictions(self, job: str, attempt: int = 1) -> str:
        return (self.share / "results" / job / str(attempt) / "predictions.csv").read_text()

    def node(self, name: str) -> Node:
        return Node.get(Node.name == name)


def until(condition: Callable[[], object], within_s: float = 30) -> None:
    """Wait for a condition. Raises TimeoutError."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within_s:.0f} s")
        time.sleep(0.05)


@contextlib.contextmanager
def working(rabbit: PrivateRabbit, store: Store, folder: Path, **scheduler: str) -> Iterator[Controller]:
    """A controller at work, whose scheduler has these settings; afterwards what its processes have said is shown."""
    made = Controller(rabbit, store, folder)
    made.write_inventory()
    made.start("scheduler", **scheduler)
    made.start("plays")
    until(lambda: (folder / "plays.sock").exists())
    yield made
    made.stop()
    for name in ("scheduler", "plays"):
        print(name, made.log(name)[-6000:])

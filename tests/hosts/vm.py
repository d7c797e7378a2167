"""Virtual machines for the tests: Debian 13 on a kernel of its own, in Docker's network, as an SSH server.

For what a container cannot show, which has its host's kernel: mounting NFS and serving it, a boot, power that goes. The
processor is emulated (about a twelfth of this machine's speed): set SKERRY_VM_ACCEL=kvm where KVM works.

A machine's disk is a copy of the one that `prepare vm` makes, with its keys written into it. QEMU is a child of the
test, makes its own tap device and takes it away with itself.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

HOSTS = Path(__file__).resolve().parent
BOOTED_WITHIN_S = 300.0


class VmError(Exception):
    """A virtual machine could not be made or did not come up."""


class Reached:
    """A machine that is reached over SSH, as root. `folder` holds its keys, and its own is in the folder above it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.address = ""
        self.key = folder.parent / "id_ed25519"

    def know(self, host_key: str) -> None:
        """Write down the host key by which it is known, `TYPE KEY`."""
        with (self.folder.parent / "known_hosts").open("a") as file:
            file.write(f"{self.address} {host_key}\n")

    def answers(self, port: int) -> bool:
        try:
            with socket.create_connection((self.address, port), timeout=1):
                return True
        except OSError:
            return False

    def ssh(self) -> list[str]:
        options = {
            "UserKnownHostsFile": self.folder.parent / "known_hosts",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": 20,
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-q", "-i", str(self.key), *words]

    def run(self, script: str, *, within_s: float = 120) -> subprocess.CompletedProcess[str]:
        """A shell script there, as root."""
        command = [*self.ssh(), f"root@{self.address}", "sh", "-s"]
        return subprocess.run(command, input=script, capture_output=True, text=True, check=False, timeout=within_s)

    def check(self, script: str, *, within_s: float = 120) -> str:
        """What the script prints; it must go well."""
        done = self.run(script, within_s=within_s)
        assert done.returncode == 0, f"{self.name}: {script}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()


class Vm(Reached):
    """One machine, off until it is started. `folder` holds its disk, its keys and what it said on its console."""

    def __init__(self, folder: Path, name: str, number: int, *, memory_mb: int = 768) -> None:
        super().__init__(folder, name)
        self.memory_mb = memory_mb
        self._number = number
        network, self._gateway = docker_network()
        self._prefix = network.prefixlen
        # From the end of the network, where Docker's own addresses come last.
        self.address = str(network.broadcast_address - 1 - (os.getpid() % 100) * 4 - number)
        self._tap = f"skvm{os.getpid() % 1_000_000}-{number}"
        self._process: subprocess.Popen[bytes] | None = None

    def make(self, image: Path) -> None:
        """Its disk and keys."""
        self.folder.mkdir()
        if not self.key.exists():
            keygen(self.key)
        keygen(self.folder / "host_key")
        subprocess.run(["cp", "--sparse=always", image / "disk", self.folder / "disk"], check=True)
        self._image = image
        (self.folder / "hostname").write_text(f"{self.name}\n")
        shutil.copy("/etc/resolv.conf", self.folder / "resolv.conf")
        self._write(
            {
                "host_key": ("/etc/ssh/ssh_host_ed25519_key", 0o100600),
                "host_key.pub": ("/etc/ssh/ssh_host_ed25519_key.pub", 0o100644),
                "../id_ed25519.pub": ("/root/.ssh/authorized_keys", 0o100600),
                "hostname": ("/etc/hostname", 0o100644),
                "resolv.conf": ("/etc/resolv.conf", 0o100644),
            }
        )
        self.know(" ".join((self.folder / "host_key.pub").read_text().split()[:2]))

    def _write(self, files: dict[str, tuple[str, int]]) -> None:
        lines = ["mkdir /root/.ssh", "sif /root/.ssh mode 040700"]
        for source, (path, mode) in files.items():
            lines += [f"rm {path}", f"write {self.folder / source} {path}", f"sif {path} mode {mode:o}"]
        lines += [f"sif {path} uid 0" for path, _ in files.values()]
        script = self.folder / "debugfs"
        script.write_text("\n".join(lines) + "\n")
        subprocess.run(["debugfs", "-w", "-f", script, self.folder / "disk"], check=True, capture_output=True)

    def start(self) -> None:
        """Power on. Returns at once."""
        script = self.folder / "up"
        script.write_text('#!/bin/sh\nip link set "$1" master docker0 up\n')
        script.chmod(0o755)
        accelerator = os.environ.get("SKERRY_VM_ACCEL", "tcg")
        address = f"ip={self.address}::{self._gateway}:{self._netmask}:{self.name}:eth0:off"
        command = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none",
            "-accel", "tcg,thread=multi" if accelerator == "tcg" else accelerator,
            "-cpu", "qemu64" if accelerator == "tcg" else "host",
            "-m", str(self.memory_mb),
            "-serial", f"file:{self.folder / 'console'}",
            "-kernel", str(self._image / "vmlinuz"), "-initrd", str(self._image / "initrd"),
            "-append", f"root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off {address}",
            "-drive", f"file={self.folder / 'disk'},format=raw,if=virtio,cache=unsafe",
            "-netdev", f"tap,id=net,ifname={self._tap},script={script},downscript=no",
            "-device", f"virtio-net-pci,netdev=net,mac=52:54:00:{os.getpid() % 256:02x}:{self._number:02x}:01,romfile=",
            "-device", "virtio-rng-pci",
        ]  # fmt: skip
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def _netmask(self) -> str:
        return str(ipaddress.ip_network(f"0.0.0.0/{self._prefix}").netmask)

    def wait(self) -> None:
        """Until it answers on SSH."""
        until = time.monotonic() + BOOTED_WITHIN_S
        while not self.answers(22):
            if self._process is None or self._process.poll() is not None:
                raise VmError(f"{self.name} is off: {(self.folder / 'qemu.log').read_text()[-500:]}")
            if time.monotonic() > until:
                raise VmError(
                    f"{self.name} did not boot: {(self.folder / 'console').read_text(errors='replace')[-800:]}"
                )
            time.sleep(0.5)

    def power_off(self) -> None:
        """As when its plug is pulled."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def keygen(file: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "vm", "-f", str(file)], check=True)


def docker_network() -> tuple[ipaddress.IPv4Network, str]:
    """Docker's bridge, and this machine's address in it."""
    shown = subprocess.run(
        ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    network = ipaddress.IPv4Network(shown.stdout.strip())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        # Nothing is sent: this only asks the kernel by which address it would.
        one.connect((str(network[2]), 9))
        return network, str(one.getsockname()[0])


def image() -> Path:
    """Where `prepare vm` has put kernel, initrd and disk."""
    done = subprocess.run([HOSTS / "prepare", "vm"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise VmError(done.stderr[-2000:])
    return Path(done.stdout.strip().splitlines()[-1])

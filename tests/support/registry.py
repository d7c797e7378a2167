"""A private registry for images, from the distribution's package `docker-registry`.

It asks for a password when it is given one. Docker trusts a registry on a loopback address without TLS, so that images
of it are named `127.0.0.1:PORT/...`; a machine beside this one reaches it by a forwarder on its own loopback address.
"""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import httpx

READY_WITHIN_S = 15.0


class PrivateRegistry:
    """`host` is how images of it are named."""

    USER = "builder"

    def __init__(self, directory: Path, *, listen: str = "127.0.0.1", password: str = "") -> None:
        self._directory = directory
        self._listen = listen
        self.password = password
        self._auth = (self.USER, password) if password else None
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as one:
            one.bind((listen, 0))
            self.port: int = one.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"

    def start(self) -> None:
        configuration = self._directory / "config.yml"
        configuration.write_text(
            f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '{self._listen}:{self.port}'}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self._directory}/data}}}}\n"
        )
        if self.password:
            # The registry knows bcrypt alone, which is in the distribution's crypt.
            hashing = ["perl", "-e", "print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))", self.password]
            hashed = subprocess.run(hashing, capture_output=True, text=True, check=True).stdout
            (self._directory / "htpasswd").write_text(f"{self.USER}:{hashed}\n")
            with configuration.open("a") as file:
                file.write(f"auth: {{htpasswd: {{realm: images, path: {self._directory}/htpasswd}}}}\n")
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(configuration)], stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                httpx.get(f"http://{self.host}/v2/", auth=self._auth, timeout=2).raise_for_status()
            except httpx.HTTPError:
                assert time.monotonic() < until, (self._directory / "log").read_text()
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)

    def tags(self, name: str) -> list[str]:
        found: list[str] = (
            httpx.get(f"http://{self.host}/v2/{name}/tags/list", auth=self._auth, timeout=10).json().get("tags") or []
        )
        return found

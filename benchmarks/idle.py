"""How much memory nginx takes for connections that wait: against a lab (`./lab up`), at its front door.

Each connection speaks TLS and has asked for one file before it waits, as a browser's does. The memory is what nginx's
processes have of their own and their share of what they have together (PSS), as the kernel counts it.
"""

from __future__ import annotations

import resource
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from tests.support.trust import trust_in

_AT_ONCE: Final = 16
_ASK: Final = b"HEAD /static/skerry.css HTTP/1.1\r\nHost: %s\r\n\r\n"
_MEMORY: Final = "cat $(pgrep -x nginx | sed 's,.*,/proc/&/smaps_rollup,') | awk '/^Pss:/ {sum += $2} END {print sum}'"


def run(steps: list[int]) -> list[dict[str, object]]:
    """A row for each number of connections, the first of which is none."""
    address = _on_proxy("hostname -I").split()[0]
    trusted = trust_in(_on_proxy("cat /etc/nginx/skerry/ca.crt"))
    _allow(max(steps) + 100)
    rows: list[dict[str, object]] = []
    with _connections() as held:
        for wanted in [0, *sorted(steps)]:
            begun = time.monotonic()
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                held += pool.map(lambda _: _open(address, trusted), range(wanted - len(held)))
            seconds = time.monotonic() - begun
            memory_kb = int(_on_proxy(_MEMORY))
            before_kb = rows[0]["nginx kB"] if rows else memory_kb
            assert isinstance(before_kb, int)
            rows.append(
                {
                    "connections": len(held),
                    "nginx kB": memory_kb,
                    "kB each": round((memory_kb - before_kb) / len(held), 1) if held else 0.0,
                    "opened in s": round(seconds, 1),
                    "still open": sum(_is_open(one) for one in held),
                }
            )
    return rows


@contextmanager
def _connections() -> Iterator[list[ssl.SSLSocket]]:
    held: list[ssl.SSLSocket] = []
    try:
        yield held
    finally:
        for one in held:
            one.close()


def _open(address: str, trusted: ssl.SSLContext) -> ssl.SSLSocket:
    made = trusted.wrap_socket(socket.create_connection((address, 443), timeout=30), server_hostname=address)
    made.sendall(_ASK % address.encode())
    answer = made.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the front door answered {answer[:60]!r}")
    return made


def _is_open(connection: ssl.SSLSocket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        connection.settimeout(30)


def _allow(files: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        raise RuntimeError(f"this process may open {hard} files, and needs {files}: raise ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def _on_proxy(command: str) -> str:
    done = subprocess.run(["./lab", "ssh", "controller", command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"There is no lab to measure: ./lab up makes one. {done.stderr.strip()}")
    return done.stdout.strip()

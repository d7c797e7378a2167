"""The Unix socket over which the web front hands a play's secrets to the plays process.

One request a connection: a JSON object, the writer closes its half, the reader answers `{"ok": true}` or
`{"error": "..."}`. The secrets stay in the plays process's memory: never a file, never the database, never a log. They
are forgotten when the play ends, after a time limit, and with the process.

Hand over before the play's row can be seen as `queued` (inside the transaction that creates it): then no play starts
without the secrets meant for it, and a play whose secrets could not be handed over never comes to be.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

import msgspec

from webfront.errors import Conflict, InvalidInput, Unavailable
from webfront.fleet.views import Secrets

_log = logging.getLogger(__name__)

_TIMEOUT_S: Final = 5.0
_MOST_BYTES: Final = 64 * 1024
_KEEP_S: Final = 900.0
"""How long the secrets of a play that does not start are kept; a play waits for others only on the same node."""
_CREDENTIALS: Final = struct.Struct("3i")
"""Linux's `struct ucred`: process, user and group id."""


class _Request(msgspec.Struct, omit_defaults=True):
    play: int | None = None
    """None only wakes the plays process."""
    private_key: str = ""
    password: str = ""


class _Answer(msgspec.Struct, omit_defaults=True):
    ok: bool = False
    error: str = ""


def hand_over(socket_path: Path, play_id: int, secrets: Secrets) -> None:
    """Give the plays process the secrets of a play. Raises `Unavailable` when it does not take them."""
    _ask(socket_path, _Request(play=play_id, private_key=secrets.private_key, password=secrets.password))


def forget(socket_path: Path, play_id: int) -> None:
    """Have the plays process forget the secrets of a play that will not run. One that does not answer has none."""
    with contextlib.suppress(Unavailable):
        _ask(socket_path, _Request(play=play_id))


def wake(socket_path: Path) -> None:
    """Have the plays process look for queued plays now. Only for speed: it looks each second anyway, so no error."""
    with contextlib.suppress(Unavailable, InvalidInput):
        _ask(socket_path, _Request())


def _ask(socket_path: Path, request: _Request) -> None:
    body = msgspec.json.encode(request)
    if len(body) > _MOST_BYTES:
        raise InvalidInput("The private key or the password is far too long; give one key, not a key ring.")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(str(socket_path))
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
            answer = msgspec.json.decode(_read_all(connection), type=_Answer)
    except (OSError, msgspec.MsgspecError) as error:
        # Not the error's own text: a decoder's complaint may quote what it read.
        raise Unavailable(
            "The plays process does not answer, so nothing was started. Is `python -m webfront plays` running? "
            "Try again in a moment."
        ) from (error if isinstance(error, OSError) else None)
    if not answer.ok:
        raise Unavailable(f"The plays process refused the request: {answer.error}.")


def _read_all(connection: socket.socket) -> bytes:
    parts = bytearray()
    while chunk := connection.recv(16384):
        parts += chunk
        if len(parts) > _MOST_BYTES:
            raise OSError("the message is too long")
    return bytes(parts)


class SecretKeeper:
    """The plays process's end of the socket, and the memory that holds what came through it."""

    def __init__(
        self,
        socket_path: Path,
        on_request: Callable[[], None],
        *,
        keep_s: float = _KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = socket_path
        self._on_request = on_request
        self._keep_s = keep_s
        self._clock = clock
        self._held: dict[int, tuple[float, Secrets]] = {}
        self._guard = threading.Lock()
        self._lock_file: TextIO | None = None
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Listen, readable and writable by this user only. Raises `Conflict` when another plays process does."""
        lock_path = self._path.with_name(self._path.name + ".lock")
        lock_file = lock_path.open("a", encoding="utf-8")
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock_file.close()
            raise Conflict(f"Another plays process already works with {self._path}; only one may run.") from None
        # The lock is ours, so a socket lying here is of a process that died.
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Bound under a umask, not changed afterwards: there is no moment at which others could connect.
        before = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            lock_file.close()
            raise Unavailable(f"The socket {self._path} cannot be made: {error.strerror or error}.") from error
        finally:
            os.umask(before)
        listener.listen(16)
        self._lock_file, self._listener = lock_file, listener
        threading.Thread(target=self._serve, args=(listener,), name="secrets", daemon=True).start()

    def close(self) -> None:
        """Stop listening and forget everything."""
        if self._listener is not None:
            self._path.unlink(missing_ok=True)
            # Wakes the thread that waits in accept; closing alone would not.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        if self._lock_file is not None:
            self._lock_file.close()
        with self._guard:
            self._held.clear()

    def take(self, play_id: int) -> Secrets | None:
        """The play's secrets, which are forgotten here with this call; None where they are not here, or no longer."""
        with self._guard:
            held = self._held.pop(play_id, None)
        return None if held is None else held[1]

    def forget_old(self) -> None:
        """Forget what was kept for longer than the limit."""
        with self._guard:
            limit = self._clock() - self._keep_s
            for play_id in [play_id for play_id, (since, _) in self._held.items() if since < limit]:
                del self._held[play_id]

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            with connection:
                try:
                    connection.settimeout(_TIMEOUT_S)
                    connection.sendall(msgspec.json.encode(self._answer(connection)))
                except OSError as error:
                    _log.warning("a request on the plays socket broke off: %s", error)

    def _answer(self, connection: socket.socket) -> _Answer:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(raw)
        # Read in any case: closing with something unread would take the answer away with it.
        body = _read_all(connection)
        if uid not in (0, os.geteuid()):
            _log.warning("user id %d tried to use the plays socket and was refused", uid)
            return _Answer(error="this user may not start plays")
        try:
            request = msgspec.json.decode(body, type=_Request)
        except msgspec.MsgspecError:
            # The body is not logged, nor the decoder's complaint: it may hold a secret.
            return _Answer(error="the request could not be read")
        if request.play is not None:
            secrets = Secrets(request.private_key, request.password)
            with self._guard:
                if secrets.is_empty:
                    self._held.pop(request.play, None)
                else:
                    self._held[request.play] = (self._clock(), secrets)
        self._on_request()
        return _Answer(ok=True)

"""Requests come in and answers go out: granian's RSGI on one side, the WSGI application and its threads on the other.

A thread is held while the application works, and neither while a body comes in (`webfront.web.intake`) nor while an
answer goes out: a small one is handed over whole, a large one is a file, from which granian itself sends, at the
client's pace and with a few hundred kilobytes in memory.

granian opens that file by its name. It gets the name of our open descriptor, which stays open until the connection has
ended: what was checked when the file was opened is what is sent, whatever becomes of its name meanwhile. So such an
answer is the last of its connection.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final

from granian.rsgi import HTTPProtocol, Scope  # type: ignore[attr-defined]  # it hands the first one on

from webfront.web.bodies import FILE, REFUSED, announced
from webfront.web.intake import CutOff, Intake
from webfront.web.windows import Window

_log = logging.getLogger(__name__)

_IN_MEMORY: Final = 2**20
"""What of an answer is handed over whole."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Gateway:
    """What granian calls. `threads` is how many requests the application works on at once."""

    def __init__(self, app: Application, intake: Intake, *, threads: int, folder: Path) -> None:
        """`folder` is where large answers are gathered that are no files yet."""
        self._app = app
        self._intake = intake
        self._threads = ThreadPoolExecutor(threads, "web")
        self._folder = folder

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        environ = environ_of(scope)
        if announced(environ) != 0 and not await self._take_body(environ, protocol):
            protocol.response_empty(400, [("Connection", "close")])  # to nobody
            return
        sent = await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, environ, protocol)
        if sent is not None:
            await protocol.client_disconnect()
            sent.close()

    async def _take_body(self, environ: dict[str, Any], protocol: HTTPProtocol) -> bool:
        """Put the body into the environment, or why there is none. False when the client is gone."""
        try:
            body = await self._intake.take(environ, protocol, self._threads)
        except CutOff:
            _log.info("%s %s was cut off by its client", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            return False
        except Exception as error:
            environ[REFUSED] = error  # whether it is the answer, or something before it, is found where it belongs
            return True
        # The server has taken chunks apart already; Bottle would try it again.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(body.seek(0, os.SEEK_END))
        body.seek(0)
        environ["wsgi.input"] = environ[FILE] = body
        return True

    def _answer(self, environ: dict[str, Any], protocol: HTTPProtocol) -> IO[bytes] | None:
        """Have the application answer. Returns the file that is being sent."""
        begun = _Begun()
        try:
            found = self._app(environ, begun)
            try:
                return self._send(begun, found, protocol)
            finally:
                if hasattr(found, "close"):
                    found.close()
        except Exception:
            _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            protocol.response_empty(500, [])
            return None
        finally:
            if FILE in environ:
                environ[FILE].close()

    def _send(self, begun: _Begun, found: Iterable[bytes], protocol: HTTPProtocol) -> IO[bytes] | None:
        if isinstance(found, list):
            protocol.response_bytes(begun.status, begun.headers, b"".join(found))
            return None
        if isinstance(found, _File):
            file, begin, length = found.place()
        else:
            file, begin, length = self._gathered(found)
        if not any(name.lower() == "content-length" for name, _ in begun.headers):
            begun.headers.append(("Content-Length", str(length)))
        if length <= _IN_MEMORY:
            file.seek(begin)
            protocol.response_bytes(begun.status, begun.headers, file.read(length))
            return None
        kept = os.fdopen(os.dup(file.fileno()), "rb")
        begun.headers.append(("Connection", "close"))
        protocol.response_file_range(
            begun.status, begun.headers, f"/proc/self/fd/{kept.fileno()}", begin, begin + length
        )
        return kept

    def _gathered(self, pieces: Iterable[bytes]) -> tuple[IO[bytes], int, int]:
        """What an application makes piece by piece, as a file: so it makes all of it at its own pace."""
        spool: IO[bytes] = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # who sends it closes it
        for piece in pieces:
            spool.write(piece)
        spool.flush()
        return spool, 0, spool.tell()


class _Begun:
    """WSGI's start_response: status and headers."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status[:3])
        self.headers = list(headers)


class _File:
    """WSGI's file wrapper: an open file that is the answer."""

    def __init__(self, file: IO[bytes] | Window, size: int = 0) -> None:
        self._file = file

    def place(self) -> tuple[IO[bytes], int, int]:
        """The file, and which of its bytes."""
        if isinstance(self._file, Window):
            return self._file.file, self._file.begin, self._file.length
        return self._file, 0, os.fstat(self._file.fileno()).st_size

    def __iter__(self) -> Any:
        return iter(self._file)

    def close(self) -> None:
        self._file.close()


def environ_of(scope: Scope) -> dict[str, Any]:
    """The request's head as WSGI has it (PEP 3333)."""
    server, client = _address(scope.server), _address(scope.client)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        # WSGI's strings hold bytes.
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": server[1],
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _File,
    }
    for name, value in scope.headers.items():
        if (key := _key(name)) is None:
            continue
        if key in environ:
            environ[key] += f"{';' if key == 'HTTP_COOKIE' else ','}{value}"
        else:
            environ[key] = value
    # One whose value is no ASCII is left out there: it is empty here, so that it does not pass for one that never came.
    for name in scope.headers.keys():  # noqa: SIM118  # it is no mapping
        if (key := _key(name)) is not None:
            environ.setdefault(key, "")
    return environ


def _key(name: str) -> str | None:
    """None of a name with an underscore: it would be read as its twin with a hyphen, which a proxy may have checked."""
    if "_" in name:
        return None
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _address(text: str) -> tuple[str, str]:
    """`127.0.0.1:80`, `[::1]:80`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), port

"""The HTTP server, granian: one worker process, logging as we do, gone when its parent is."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import logging
import multiprocessing.util
import os
import resource
import shutil
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from webfront.database.schema import open_database
from webfront.errors import Unavailable
from webfront.settings import Settings
from wire.logs import configure_logging
from wire.structs import prepare_structs

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG: Final = 1
_PORT_S: Final = 5.0
_STOP_S: Final = 10
"""How long requests under way may take to end after SIGTERM."""
_MOST_CONNECTIONS: Final = 8192
"""Idle ones too. What comes beyond waits to be taken up."""
_BUFFER: Final = 64 * 1024
"""The most that is held of a connection, either way, which bounds a request's head too."""
_SENDERS: Final = 32
"""Threads of granian's own that read the files it sends."""

# granian configures logging by itself; with this its records go where ours go.
_LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"level": "INFO", "propagate": True}, "granian.access": {"propagate": False}},
}


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way may end. Unavailable when the port is in use."""
    connections = _allow_connections()
    server = Server(
        "webfront.application:create_app",
        address=settings.web_host,
        port=settings.web_port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=round(settings.web_patience_s * 1000), max_buffer_size=_BUFFER
        ),
        workers=1,
        runtime_blocking_threads=_SENDERS,
        backlog=connections,
        backpressure=connections,
        websockets=False,
        log_dictconfig=_LOGGING,
        workers_kill_timeout=_STOP_S,
        # A worker that dies takes this process with it, and the process manager starts both anew: one way, not two.
        respawn_failed_workers=False,
    )
    # Here first, where what is wrong can be told in a sentence; the worker opens a connection of its own.
    open_database(settings.database_url, settings.database_password_file).close()
    _check_port(settings.web_host, settings.web_port)
    parent = os.getpid()
    try:
        server.serve(target_loader=functools.partial(load, settings, parent), wrap_loader=False)
    except OSError as error:
        raise _cannot_listen(settings.web_host, settings.web_port, error) from error


def load(settings: Settings, parent: int) -> Any:
    """Make the application and what granian calls, its `Gateway`; called in the worker process."""
    _end_with(parent)
    configure_logging("webfront", level=settings.log_level)  # again, for this process's id
    uploads = settings.state_dir / "uploads"
    _use_own_temporary_folder(uploads)
    # In the worker only: the parent needs none of this.
    from webfront.application import create_app, create_services
    from webfront.broker.publisher import Publisher
    from webfront.web.gateway import Gateway
    from webfront.web.guard import may_send
    from webfront.web.intake import Intake

    database = open_database(settings.database_url, settings.database_password_file)
    publisher = Publisher(settings.broker_address())
    prepare_structs()
    # The publisher's thread computes while requests wait; 5 ms, Python's default, is a request's whole time here.
    sys.setswitchinterval(0.0005)
    publisher.start()
    # A forked worker runs no atexit handlers, but these.
    multiprocessing.util.Finalize(None, publisher.stop, exitpriority=10)
    threading.Thread(
        target=_end_stalled, args=(settings.web_port, settings.web_patience_s), name="stalled", daemon=True
    ).start()
    services = create_services(settings, publisher)
    app = create_app(settings, services=services)
    intake = Intake(uploads, functools.partial(may_send, services), settings.web_patience_s)
    _log.info("the web front is ready on %s:%d (%s)", settings.web_host, settings.web_port, type(database).__name__)
    return Gateway(app, intake, threads=settings.web_threads, folder=uploads)


def _check_port(host: str, port: int) -> None:
    """Refuse a port in use. granian shares its port with any other granian, so that two would answer in turn.

    Waits a little: the worker of a web front that was killed takes a moment to go.
    """
    deadline = time.monotonic() + _PORT_S
    while True:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past connections do not matter
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise _cannot_listen(host, port, error) from error
            else:
                return
        time.sleep(0.1)


def _cannot_listen(host: str, port: int, error: OSError) -> Unavailable:
    reason = (error.strerror or str(error)).lower()
    return Unavailable(f"cannot listen on {host}:{port}: {reason}. Stop what uses the port, or set SKERRY_WEB_PORT.")


def _allow_connections() -> int:
    """Have as many open files as the system allows, few by default, and say how many of them may be connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(_MOST_CONNECTIONS, most // 2)  # one that takes or sends a file has that open too


def _end_stalled(port: int, patience_s: float) -> None:
    """Have the system end a connection whose client takes nothing of its answer for so long.

    A connection has this from the socket that it came by, which granian makes once this process serves, and keeps to
    itself.
    """
    while not set_patience(port, patience_s):
        time.sleep(0.1)


def set_patience(port: int, patience_s: float) -> bool:
    """Look for this process's socket that listens at that port, and set it there. Whether there is one."""
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):  # it is closed by now, as the folder's own is
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as one:
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and one.getsockname()[1] == port:
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(patience_s * 1000))
                    return True
    return False


def _end_with(parent: int) -> None:
    """End this process when the parent dies, however it dies: an orphan would go on holding the port."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _use_own_temporary_folder(folder: Path) -> None:
    """Spool uploads in a folder of ours, not in a /tmp that may be small and in memory; what is in it is left over."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    tempfile.tempdir = str(folder)

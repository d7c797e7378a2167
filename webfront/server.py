"""The WSGI server, granian: one worker process with a pool of threads, logging as we do, gone when its parent is."""

from __future__ import annotations

import ctypes
import errno
import functools
import logging
import multiprocessing.util
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
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
    server = Server(
        "webfront.application:create_app",
        address=settings.web_host,
        port=settings.web_port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=1,
        blocking_threads=settings.web_threads,
        blocking_threads_idle_timeout=600,
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


def load(settings: Settings, parent: int) -> Callable[..., Any]:
    """Make the application; called in the worker process."""
    _end_with(parent)
    configure_logging("webfront", level=settings.log_level)  # again, for this process's id
    _use_own_temporary_folder(settings.state_dir / "uploads")
    from webfront.application import create_app, create_services
    from webfront.broker.publisher import Publisher  # in the worker only: the parent needs none of this

    database = open_database(settings.database_url, settings.database_password_file)
    publisher = Publisher(settings.broker_address())
    prepare_structs()
    # The publisher's thread computes while requests wait; 5 ms, Python's default, is a request's whole time here.
    sys.setswitchinterval(0.0005)
    publisher.start()
    # A forked worker runs no atexit handlers, but these.
    multiprocessing.util.Finalize(None, publisher.stop, exitpriority=10)
    app = create_app(settings, services=create_services(settings, publisher))
    _log.info("the web front is ready on %s:%d (%s)", settings.web_host, settings.web_port, type(database).__name__)
    return app


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

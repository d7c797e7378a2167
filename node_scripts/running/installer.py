"""Installing an app's requirements: pip, run under a keeper as the slot's user, its output in the attempt's log.

Building a source package runs a stranger's code, so this has the same walls around it as the app itself.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from node_scripts.running import keeper, trees
from node_scripts.running.app_process import Command
from node_scripts.running.interpreter import Interpreter, clean_environment
from node_scripts.running.logfile import LOG_BOUND, last_line
from node_scripts.running.progress import follow
from node_scripts.running.rooms import Exit, FolderLock, Room, read_record
from node_scripts.running.users import User
from node_scripts.running.view import View
from wire.messages import Cause, Resources

TIMEOUT_S: Final = 1800.0
_MEMORY_MB: Final = 4096
_PROCESSES: Final = 256

# What the administrator of the node set for pip and for reaching the network.
_PASSED_ON: Final = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "requests_ca_bundle")

# pip says a package does not exist also when it could not ask; these tell the difference.
_NODE_TROUBLE: Final = (
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Network is unreachable",
    "Connection refused",
    "No space left on device",
)


class InstallFailed(Exception):
    """The requirements could not be installed; `cause` says whose fault it is."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


def place_pip(tools: Path) -> Path:
    """The program to call as `PYTHON <program> install ...`, where every build user may read it.

    It is the agent's own pip, in a folder alone: beside the agent's packages it would take those for installed.
    Raises `InstallFailed` when the node has no pip.
    """
    spec = importlib.util.find_spec("pip")
    if spec is not None and spec.submodule_search_locations:
        source = Path(next(iter(spec.submodule_search_locations)))
        final = tools / f"pip-{os.stat(source / '__init__.py').st_mtime_ns:x}"  # noqa: PTH116
        if not final.is_dir():
            beside = tools / f".pip.{os.getpid()}"
            trees.remove(beside)
            shutil.copytree(source, beside / "pip")
            beside.chmod(0o755)
            for found in trees.walk(beside):
                Path(found.path).chmod(0o755 if found.is_dir() else 0o644)
            try:
                beside.rename(final)
            except OSError:  # another agent with the same cache was first
                trees.remove(beside)
                if not final.is_dir():
                    raise
        return final / "pip" / "__pip-runner__.py"
    spec = importlib.util.find_spec("ensurepip")
    if spec is not None and spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            for wheel in (Path(folder) / "_bundled").glob("pip-*.whl"):
                if not (tools / wheel.name).exists():
                    shutil.copyfile(wheel, tools / f".{wheel.name}")
                    (tools / f".{wheel.name}").chmod(0o644)
                    (tools / f".{wheel.name}").rename(tools / wheel.name)
                return tools / wheel.name / "pip"
    raise InstallFailed(Cause.REJECTED, "the node has no pip to install requirements with; install python3-pip there")


async def install(
    requirements: Path,
    entry: Path,
    environment: Path,
    *,
    pip: Path,
    interpreter: Interpreter,
    user: User | None,
    covered: tuple[Path, ...] | None,
    room: Room,
    lock: FolderLock,
    disk_mb: int,
    slot: int,
    claim: int | None,
    tell: Callable[[str], None],
) -> None:
    """Install into the virtual environment `environment` inside `entry`. Raises `InstallFailed`.

    `claim` holds the user's id, for as long as anything of this may run. `tell` is called with what pip is
    at, as far as its output and the environment say.
    When cancelled, every process of it is gone before the cancellation goes on.
    """
    scratch = entry / "build"
    scratch.mkdir(mode=0o700)
    for folder in (environment, scratch):
        _give(folder, user)
    # `environment` was made by `make_environment` just now: a handful of files, links among them.
    for found in trees.walk(environment):
        _give(Path(found.path), user)
    variables = clean_environment(environment, home=scratch, temporary=scratch)
    for name, value in os.environ.items():
        if name.startswith("PIP_") or name.lower() in _PASSED_ON:
            variables[name] = value
    options = ("--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "off")
    readable = (entry / "app", pip.parents[1], interpreter.prefix)
    command = Command(
        argv=(
            *(str(environment / "bin" / "python"), str(pip), "install", *options, "--no-warn-script-location"),
            *("--requirement", str(requirements)),
        ),
        environment=variables,
        directory=requirements.parent,
        resources=Resources(
            memory_mb=_MEMORY_MB, cpus=os.cpu_count() or 1, timeout_s=TIMEOUT_S, disk_mb=disk_mb, processes=_PROCESSES
        ),
        user=user,
        view=None if covered is None else View(covered, readable, (environment, scratch), scratch, memory_mb=128),
        measured=(environment, scratch),
        log_bound=LOG_BOUND,
        spread=slot,
    )
    record = room.folder / "installer"
    end_record = room.folder / "installed.json"
    handle = keeper.start(
        command,
        keeper.Post(
            record=record,
            exit=end_record,
            log=room.log,
            lock=lock.fd,
            # Should the agent die, this ends by itself, and at its end kills all that runs under the id.
            held=(claim,) if claim is not None else (),
            ends_with_agent=True,
        ),
    )
    following = asyncio.create_task(follow(room.log, environment, tell))
    try:
        await handle.wait()
    except BaseException:
        handle.cancel()
        await handle.wait()
        raise
    finally:
        following.cancel()
    _judge(read_record(end_record, Exit), room)


def _judge(end: Exit | None, room: Room) -> None:
    if end is None:
        raise InstallFailed(Cause.REJECTED, "the installation of the requirements was killed on the node")
    if end.cause is Cause.OK:
        return
    said = room.log.read_bytes()
    if end.cause in (Cause.REJECTED, Cause.NODE_LOST):
        raise InstallFailed(Cause.REJECTED, f"the requirements could not be installed: {end.message}")
    for trouble in _NODE_TROUBLE:
        if trouble.encode() in said:
            raise InstallFailed(Cause.REJECTED, f"the node could not install the requirements: {trouble}")
    message = end.message.removeprefix("ERROR: ") or last_line(said)
    raise InstallFailed(Cause.APP_ERROR, f"the requirements could not be installed: {message}")


def _give(path: Path, user: User | None) -> None:
    if user is not None:
        os.chown(path, user.uid, user.gid, follow_symlinks=False)

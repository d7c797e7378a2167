#!/usr/bin/python
"""Ansible module: programs kept by systemd or by supervisor run, with what they read at their start as it is now."""

from __future__ import annotations

import datetime
import http.client
import socket
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: skerry_program
short_description: Keep programs running under systemd or supervisor
description:
  - Starts programs that do not run, has them start at boot, and restarts those that were started before something they
    read at their start was changed.
  - That is told by times, not by what this run did, so that a run which is cut off between writing a file and
    restarting is made up for by the next one.
options:
  names:
    description: The systemd units (without C(.service)) or supervisor programs.
    type: list
    elements: str
    required: true
  manager:
    description: What keeps the programs running.
    type: str
    choices: [systemd, supervisor]
    default: systemd
  socket:
    description: Supervisor's Unix socket. Required with O(manager=supervisor).
    type: path
  reads:
    description:
      - Files and folders that the programs read at their start. A program that is older than one of these, or than a
        file in one of them, is restarted. Those that are not there do not count.
    type: list
    elements: path
    default: []
  changed:
    description:
      - Whether what the programs read was changed by this run, or would be. In check mode nothing was written that
        times could tell.
    type: bool
    default: false
  definition:
    description: The file that defines the programs. With O(state=absent) it is removed.
    type: path
  state:
    description: Whether the programs are to run, or be stopped and forgotten.
    type: str
    choices: [started, absent]
    default: started
attributes:
  check_mode:
    description: Says which programs would be started, restarted or removed, and touches none.
    support: full
author: Skerry
"""

EXAMPLES = r"""
- name: Keep the agent running
  skerry_program:
    names: [skerry-agent]
    reads: [/etc/skerry-agent, /etc/systemd/system/skerry-agent.service]

- name: Stop the agent for good
  skerry_program:
    names: [agent-alpha]
    manager: supervisor
    socket: /home/me/skerry/.skerry/supervisor/supervisor.sock
    definition: /home/me/skerry/.skerry/supervisor/programs/agent-alpha.conf
    state: absent
"""

RETURN = r"""
actions:
  description: What was done to each program, or would be; a program that is as it should be is left out.
  returned: always
  type: dict
  sample: {skerry-web: started, skerry-plays: restarted}
"""


class ProgramError(Exception):
    """A program could not be brought to its state; the message says which and why."""


class Systemd:
    """Units of systemd. `systemctl` is asked for properties, which are made for programs to read."""

    _PROPERTIES = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestamp"

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module

    def answers(self) -> bool:
        return True

    def prepare(self, names: list[str]) -> None:
        """Have systemd read definitions that are new or changed."""
        found = [self._show(name) for name in names]
        if any(one["NeedDaemonReload"] == "yes" or one["LoadState"] == "not-found" for one in found):
            self._systemctl("daemon-reload")

    def is_defined(self, name: str) -> bool:
        return self._show(name)["LoadState"] == "loaded"

    def is_settled(self, name: str) -> bool:
        """Whether it runs and starts at boot."""
        found = self._show(name)
        return found["ActiveState"] in ("active", "activating", "reloading") and found["UnitFileState"] == "enabled"

    def started_at(self, name: str) -> float | None:
        """When its process was started, in seconds since 1970; None where it has none."""
        text = self._show(name)["ExecMainStartTimestamp"]
        if not text:
            return None
        when = datetime.datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC")
        return when.replace(tzinfo=datetime.timezone.utc).timestamp()

    def start(self, name: str) -> None:
        self._systemctl("enable", "--quiet", f"{name}.service")
        self._systemctl("start", f"{name}.service")

    def restart(self, name: str) -> None:
        self._systemctl("restart", f"{name}.service")

    def remove(self, name: str) -> None:
        self._systemctl("disable", "--now", "--quiet", f"{name}.service")

    def forget(self) -> None:
        self._systemctl("daemon-reload")

    def _show(self, name: str) -> dict[str, str]:
        command = ("show", "--timestamp=us+utc", f"--property={self._PROPERTIES}", f"{name}.service")
        return dict(line.split("=", 1) for line in self._systemctl(*command).splitlines() if "=" in line)

    def _systemctl(self, *arguments: str) -> str:
        status, output, error = self._module.run_command(["systemctl", *arguments], environ_update={"LC_ALL": "C"})
        if status != 0:
            raise ProgramError(f"systemctl {' '.join(arguments)}: {(error or output).strip()}")
        return output


class Supervisor:
    """Programs of supervisor, asked over its socket. Each is a group of its own, as supervisor has it by default."""

    _ALIVE = ("RUNNING", "STARTING", "BACKOFF")

    def __init__(self, path: str) -> None:
        self._rpc = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path)).supervisor

    def answers(self) -> bool:
        """Whether it runs: before the first time nothing does."""
        try:
            return bool(self._rpc.getState())
        except OSError:
            return False

    def prepare(self, names: list[str]) -> None:
        """Have supervisor read its definitions. One that changed is another program: the old one is ended."""
        _added, changed, removed = self._rpc.reloadConfig()[0]
        for name in set(changed + removed).intersection(names):
            self.remove(name)

    def is_defined(self, name: str) -> bool:
        return name in {one["name"] for one in self._rpc.getAllConfigInfo()}

    def is_settled(self, name: str) -> bool:
        return self._state(name) in self._ALIVE

    def started_at(self, name: str) -> float | None:
        """When its process was started. Supervisor tells whole seconds: nothing of the same second counts as newer."""
        found = self._info(name)
        return found["start"] + 1.0 if found and found["start"] else None

    def start(self, name: str) -> None:
        if self._info(name) is None:
            self._rpc.addProcessGroup(name)
        if self._state(name) not in self._ALIVE:
            self._rpc.startProcess(name, False)

    def restart(self, name: str) -> None:
        self._rpc.stopProcessGroup(name, True)
        self._rpc.startProcess(name, False)

    def remove(self, name: str) -> None:
        if self._info(name) is not None:
            self._rpc.stopProcessGroup(name, True)
            self._rpc.removeProcessGroup(name)

    def forget(self) -> None:
        self._rpc.reloadConfig()

    def _state(self, name: str) -> str:
        found = self._info(name)
        return found["statename"] if found else "ABSENT"

    def _info(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self._rpc.getAllProcessInfo() if one["group"] == name), None)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path)


def newest(paths: Iterable[str]) -> float:
    """When the latest of these files, and of the files in these folders, was changed; 0 where there is none."""
    files = [file for path in paths for file in (Path(path).rglob("*") if Path(path).is_dir() else [Path(path)])]
    return max([0.0, *(file.stat().st_mtime for file in files if file.is_file())])


def keep_running(
    manager: Systemd | Supervisor, names: list[str], reads: list[str], *, changed: bool, check: bool
) -> dict[str, str]:
    """What was done to each program, or would be."""
    if check and not manager.answers():
        return dict.fromkeys(names, "started")
    if not check:
        manager.prepare(names)
    actions = {}
    for name in names:
        if not manager.is_settled(name):
            actions[name] = "started"
        elif changed or newest(reads) > (manager.started_at(name) or 0.0):
            actions[name] = "restarted"
        if check or name not in actions:
            continue
        if not manager.is_defined(name):
            raise ProgramError(f"there is no program {name}")
        manager.start(name) if actions[name] == "started" else manager.restart(name)
    return actions


def remove(manager: Systemd | Supervisor, names: list[str], definition: Path | None, *, check: bool) -> dict[str, str]:
    """What was done to each program, or would be. Stopped first: without its definition it could not be named."""
    defined = definition is not None and definition.exists()
    actions = {name: "removed" for name in names if defined or manager.is_settled(name)}
    if actions and not check:
        for name in actions:
            manager.remove(name)
        if definition is not None:
            definition.unlink(missing_ok=True)
        manager.forget()
    return actions


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "manager": {"type": "str", "choices": ["systemd", "supervisor"], "default": "systemd"},
            "socket": {"type": "path"},
            "reads": {"type": "list", "elements": "path", "default": []},
            "changed": {"type": "bool", "default": False},
            "definition": {"type": "path"},
            "state": {"type": "str", "choices": ["started", "absent"], "default": "started"},
        },
        required_if=[("manager", "supervisor", ["socket"])],
        supports_check_mode=True,
    )
    given = module.params
    definition = Path(given["definition"]) if given["definition"] else None
    manager = Systemd(module) if given["manager"] == "systemd" else Supervisor(given["socket"])
    try:
        if given["state"] == "absent":
            actions = remove(manager, given["names"], definition, check=module.check_mode)
        else:
            actions = keep_running(
                manager, given["names"], given["reads"], changed=given["changed"], check=module.check_mode
            )
    except (ProgramError, xmlrpc.client.Error, http.client.HTTPException, OSError) as error:
        module.fail_json(msg=f"The programs {', '.join(given['names'])} could not be brought to their state: {error}")
    module.exit_json(changed=bool(actions), actions=actions)


if __name__ == "__main__":
    main()

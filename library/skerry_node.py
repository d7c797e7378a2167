#!/usr/bin/python
"""Ansible module: a node's place in the platform, through `skerry-admin` on the controller."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: skerry_node
short_description: Admit, await, measure, drain or dismiss a node of the platform
description:
  - Runs on the controller, as the platform's user, and changes the platform's database and broker; nothing on the node.
  - A failure has the words of C(skerry-admin) in C(msg) and C(advice).
options:
  name:
    description: The node.
    type: str
    required: true
  state:
    description:
      - C(admitted) gives the node its broker user, rights and queues, and a row in the database if it has none.
      - C(agentless) keeps what plays must know of a machine without an agent, and gives it a row in the database if it
        has none. The platform's own process does the rest.
      - C(present) waits for a heartbeat that comes after now, or is no older than O(heartbeat_age_s). In check mode it
        waits for none.
      - C(known) waits until a heartbeat has told the figure of its benchmark. In check mode it waits for none.
      - C(measured) has the node measure itself and waits for the figure. In check mode it gives the one that is known.
      - C(registered) has the platform's own play register once more a node that the web front has registered.
      - C(drained) gives the node no new jobs and waits until those that it has have ended.
      - C(absent) takes the node's broker user and queues away, and its row out of the fleet.
    type: str
    choices: [admitted, agentless, present, known, measured, registered, drained, absent]
    default: present
  password:
    description: Password of the node's broker user, at least 16 characters. Required with O(state=admitted).
    type: str
  connection:
    description: How plays reach the node. This and the next five count for a row that is made.
    type: str
    choices: [ssh, local]
    default: ssh
  address:
    description: Host name or IP address. The node's name, where it is not given.
    type: str
    default: ""
  ssh_port:
    description: Port of the machine's SSH server.
    type: int
    default: 22
  ssh_user:
    description: The user that plays sign in as.
    type: str
    default: root
  labels:
    description: The node's labels.
    type: list
    elements: str
    default: []
  slots:
    description: How many attempts it runs at once.
    type: int
    default: 1
  root:
    description: The platform's folder on the machine. Required with O(state=agentless), as is O(python).
    type: str
  python:
    description: The Python that the platform's keeper is run with there.
    type: str
  as_root:
    description: Whether plays may become root there, so that each app runs as a user of its own.
    type: bool
    default: true
  agent_version:
    description: With O(state=present), the release whose agent the heartbeat must be of.
    type: str
    default: ""
  heartbeat_age_s:
    description: With O(state=present), how many seconds old a heartbeat may be that counts.
    type: int
    default: 0
  timeout_s:
    description: Seconds to wait at most, for a heartbeat, a figure, a play, or for jobs to end.
    type: int
    default: 60
  command:
    description: Where C(skerry-admin) is.
    type: path
    default: /usr/local/bin/skerry-admin
attributes:
  check_mode:
    description: Asks the database and the broker what would change, and changes neither.
    support: full
  diff_mode:
    description: Shows the node's state and whether the broker knows it, before and after.
    support: full
author: Skerry
"""

EXAMPLES = r"""
- name: Admit the node to the broker
  skerry_node:
    name: edge-1
    state: admitted
    password: "{{ vault_node_broker_password }}"
    address: 10.0.1.11
    labels: [hall-3]
  delegate_to: controller-1
  become: true
  become_user: skerry

- name: Wait until the node's running jobs have ended
  skerry_node:
    name: edge-1
    state: drained
    timeout_s: 3600
  delegate_to: controller-1
  become: true
  become_user: skerry
"""

RETURN = r"""
node_state:
  description: The node's state in the fleet afterwards, or as it would be; empty for a node that has no row.
  returned: success
  type: str
  sample: drained
events_per_second:
  description: The node's own benchmark, with O(state=measured); null where none is known.
  returned: success
  type: float
  sample: 5230.5
advice:
  description: What to do about a failure.
  returned: failure
  type: str
"""


class Outcome(NamedTuple):
    """What was done, or would be: `changed`, and what the platform knows of the node afterwards."""

    changed: bool
    state: str | None
    was_admitted: bool | None = None
    """Whether the broker had all that a node has there; None where nobody asked."""
    is_admitted: bool | None = None
    events_per_second: float | None = None


class AdminError(Exception):
    """`skerry-admin` could not do it, or could not be run."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class Admin:
    """Calls `skerry-admin`, whose answers and errors are JSON."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self.checks: bool = module.check_mode

    def __call__(self, command: str, *options: str, changes: bool = True, stdin: str | None = None) -> dict[str, Any]:
        given = self._module.params
        check = ["--check"] if changes and self.checks else []
        call = [given["command"], command, given["name"], *options, *check]
        status, output, error = self._module.run_command(
            call, data=stdin, expand_user_and_vars=False, handle_exceptions=False
        )
        try:
            answer: dict[str, Any] = json.loads(output)
        except ValueError:
            raise AdminError(f"skerry-admin {command} said nothing that can be read: {error or output}") from None
        if status != 0:
            raise AdminError(answer["error"]["message"], answer["error"].get("advice", ""))
        return answer


def row(given: dict[str, Any]) -> tuple[str, ...]:
    """What a row is made from, if there is none."""
    return (
        f"--address={given['address']}",
        f"--ssh-port={given['ssh_port']}",
        f"--ssh-user={given['ssh_user']}",
        f"--labels={','.join(given['labels'])}",
        f"--slots={given['slots']}",
    )


def know(admin: Admin, given: dict[str, Any], before: str | None) -> Outcome:
    way = (f"--root={given['root']}", f"--python={given['python']}", *(() if given["as_root"] else ("--as-user",)))
    answer = admin("node-agentless", *row(given), *way)
    return Outcome(answer["changed"], "registering" if answer["row_created"] else before)


def admit(admin: Admin, given: dict[str, Any], before: str | None) -> Outcome:
    # On standard input: an argument could be seen by every user of the machine.
    answer = admin("node-admit", f"--connection={given['connection']}", *row(given), stdin=given["password"])
    after = "registering" if answer["row_created"] else before
    return Outcome(answer["changed"], after, was_admitted=not answer["broker_changed"], is_admitted=True)


def await_heartbeat(admin: Admin, given: dict[str, Any], before: str | None) -> Outcome:
    # What would have to be started first has not been, in check mode.
    if admin.checks:
        return Outcome(False, before)
    wanted = [f"--agent-version={given['agent_version']}"] if given["agent_version"] else []
    wanted += [f"--age={given['heartbeat_age_s']}"] if given["heartbeat_age_s"] else []
    return Outcome(False, admin("node-wait", f"--timeout={given['timeout_s']}", *wanted, changes=False)["state"])


def measure(admin: Admin, given: dict[str, Any], before: str | None) -> Outcome:
    answer = admin("node-benchmark", f"--timeout={given['timeout_s']}")
    return Outcome(answer["changed"], before, events_per_second=answer["events_per_second"])


def register(admin: Admin, given: dict[str, Any], before: str | None) -> Outcome:
    return Outcome(admin("node-register", f"--timeout={given['timeout_s']}")["changed"], before)


def await_figure(admin: Admin, given: dict[str, Any], before: str | None) -> Outcome:
    if not admin.checks:
        admin("node-figure", f"--timeout={given['timeout_s']}", changes=False)
    return Outcome(False, before)


def drain(admin: Admin, given: dict[str, Any], before: str | None) -> Outcome:
    answer = admin("node-drain", f"--timeout={given['timeout_s']}")
    return Outcome(answer["changed"], answer["state"])


def dismiss(admin: Admin, given: dict[str, Any], before: str | None) -> Outcome:
    answer = admin("node-dismiss")
    after = "removed" if answer["state_changed"] else before
    return Outcome(answer["changed"], after, was_admitted=answer["broker_changed"], is_admitted=False)


def told(state: str | None, admitted: bool | None) -> dict[str, Any]:
    """One side of the difference."""
    return {"state": state} if admitted is None else {"state": state, "admitted": admitted}


_STATES = {
    "admitted": admit,
    "agentless": know,
    "present": await_heartbeat,
    "known": await_figure,
    "measured": measure,
    "registered": register,
    "drained": drain,
    "absent": dismiss,
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(_STATES), "default": "present"},
            "password": {"type": "str", "no_log": True},
            "connection": {"type": "str", "choices": ["ssh", "local"], "default": "ssh"},
            "address": {"type": "str", "default": ""},
            "ssh_port": {"type": "int", "default": 22},
            "ssh_user": {"type": "str", "default": "root"},
            "labels": {"type": "list", "elements": "str", "default": []},
            "slots": {"type": "int", "default": 1},
            "root": {"type": "str"},
            "python": {"type": "str"},
            "as_root": {"type": "bool", "default": True},
            "agent_version": {"type": "str", "default": ""},
            "heartbeat_age_s": {"type": "int", "default": 0},
            "timeout_s": {"type": "int", "default": 60},
            "command": {"type": "path", "default": "/usr/local/bin/skerry-admin"},
        },
        required_if=[("state", "admitted", ["password"]), ("state", "agentless", ["root", "python"])],
        supports_check_mode=True,
    )
    admin = Admin(module)
    try:
        before = admin("node-show", changes=False)["state"]
        outcome = _STATES[module.params["state"]](admin, module.params, before)
    except AdminError as error:
        module.fail_json(msg=error.message, advice=error.advice)
    except OSError as error:
        module.fail_json(msg=f"{module.params['command']} could not be run: {error}", advice="")
    diff = {"before": told(before, outcome.was_admitted), "after": told(outcome.state, outcome.is_admitted)}
    figure = {"events_per_second": outcome.events_per_second} if module.params["state"] == "measured" else {}
    module.exit_json(changed=outcome.changed, node_state=outcome.state or "", diff=diff, **figure)


if __name__ == "__main__":
    main()

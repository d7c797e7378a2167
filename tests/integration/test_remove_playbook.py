"""playbooks/remove.yml on a machine that is gone: it is dismissed all the same.

`skerry-admin` is a script here that writes down how it was called; its own tests call the real one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.rabbitmq import free_ports

PROJECT = Path(__file__).resolve().parents[2]


def test_a_machine_that_cannot_be_reached_is_dismissed(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    admin = tmp_path / "skerry-admin"
    admin.write_text(f'#!/bin/sh\necho "$@" >> {calls}\necho \'{{"changed": true}}\'\n')
    admin.chmod(0o755)
    (closed,) = free_ports(1)
    controller = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "webfront_become": False,
        "webfront_bin_dir": str(tmp_path),
    }
    gone = {"ansible_host": "127.0.0.1", "ansible_port": closed}
    inventory = {
        "controllers": {"hosts": {"controller": controller}},
        "nodes": {"children": {"ssh_nodes": {"hosts": {"gone": gone}}}},
    }
    path = tmp_path / "hosts.yml"
    path.write_text(json.dumps(inventory))
    playbook = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert playbook is not None
    extra = {"node": "gone", "register_platform_public_key": "ssh-ed25519 AAAA test"}
    result = subprocess.run(
        [playbook, "-i", str(path), str(PROJECT / "playbooks" / "remove.yml"), "-e", json.dumps(extra)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["node-drain", "node-dismiss"]

"""Plays as they are: ansible-runner against a real sshd, the plays process as a process."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.rabbitmq import free_ports
from support.sshd import PrivateSshd
from support.stores import Store

from webfront.accounts.users import create_user
from webfront.database import models
from webfront.database.models import Node, Play, PlayEvent
from webfront.fleet.views import Secrets
from webfront.plays import hostkeys
from webfront.plays.private import plays_base
from webfront.plays.process import PlaysProcess
from webfront.plays.secrets import hand_over
from webfront.plays.service import PlayService
from webfront.settings import Settings

# What a play writes is tested on both in tests/unit/plays; a whole play takes too long to run twice.
pytestmark = pytest.mark.stores("sqlite")

PROJECT = Path(__file__).resolve().parents[2]

REGISTER = """
- name: Register
  hosts: "{{ node }}"
  gather_facts: false
  tasks:
    - name: See what everybody can see
      become: true
      ansible.builtin.shell: cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ > "{{ playbook_dir }}/seen" 2>/dev/null; true
      changed_when: true
    - name: Say who is there
      ansible.builtin.debug:
        msg: "{{ node }} has {{ node_slots }} slots, {{ node_labels | to_json }}, {{ register_platform_public_key }}"
    - name: Tell a secret by mistake
      ansible.builtin.debug:
        msg: "the password is {{ ansible_become_password | default('') }}"
    - name: Leave out what is not needed
      when: false
      ansible.builtin.debug: {msg: no}
"""

DRAIN = """
- name: Drain
  hosts: "{{ node }}"
  gather_facts: false
  tasks:
    - name: Wait until told
      ansible.builtin.shell: |
        echo begun >> "{{ playbook_dir }}/begun"
        for i in $(seq 150); do sleep 0.1; date +%s.%N > "{{ playbook_dir }}/alive"; done
      changed_when: true
"""

REMOVE = """
- name: Remove
  hosts: "{{ node }}"
  gather_facts: false
  tasks:
    - name: Check the machine
      ansible.builtin.assert:
        that: node == "beta"
        fail_msg: "{{ node }} cannot be removed: only beta can. Choose beta."
        quiet: true
"""
Perform = Callable[[Node, str, Secrets], Play]


@pytest.fixture(scope="module")
def sshd() -> Iterator[PrivateSshd]:
    # Not below pytest's own folder, which only root may enter: sshd reads the user's keys as that user.
    with tempfile.TemporaryDirectory(prefix="skerry-sshd-") as folder:
        server = PrivateSshd(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def settings(tmp_path: Path, store: Store, database: object) -> Iterator[Settings]:
    project = tmp_path / "project"
    (project / "playbooks").mkdir(parents=True)
    for verb, content in {"register": REGISTER, "drain": DRAIN, "remove": REMOVE}.items():
        (project / "playbooks" / f"{verb}.yml").write_text(content)
    (project / "ansible.cfg").write_text((PROJECT / "ansible.cfg").read_text())
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        "controllers: {hosts: {localhost: {ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}}}\n"
        "nodes: {vars: {ansible_python_interpreter: /usr/bin/python3}}\n"
    )
    password_file = tmp_path / "password"
    password_file.write_text("unused")
    # Nothing listens there: plays do not depend on the broker.
    (port,) = free_ports(1)
    yield Settings.from_environment(
        {
            "SKERRY_STATE_DIR": str(tmp_path),
            "SKERRY_SHARE_DIR": str(tmp_path),
            "SKERRY_BROKER_URL": f"amqp://skerry@127.0.0.1:{port}/",
            "SKERRY_BROKER_PASSWORD_FILE": str(password_file),
            "SKERRY_BROKER_ADMIN_URL": f"http://127.0.0.1:{port}",
            "SKERRY_PROJECT_DIR": str(project),
            "SKERRY_INVENTORY": str(inventory),
            **store.environment,
        }
    )
    plays_base(tmp_path).rmdir()


@pytest.fixture
def perform(settings: Settings) -> Perform:
    """Run one play through a plays process in this process's threads; the play as it ended."""

    def run(node: Node, verb: str, secrets: Secrets) -> Play:
        process = PlaysProcess(settings)
        process.open()
        play = add_play(node, verb)
        hand_over(settings.plays_socket, play.id, secrets)
        loop = threading.Thread(target=process.work)
        loop.start()
        try:
            return ended(play)
        finally:
            process.stop()
            loop.join()

    return run


def add_node(sshd: PrivateSshd | None, **fields: object) -> Node:
    values: dict[str, object] = {"name": "alpha", "state": "registering", "slots": 3, "created_at": time.time()}
    if sshd is None:
        values |= {"connection": "local", "address": "localhost"}
    else:
        values |= {"connection": "ssh", "address": "127.0.0.1", "ssh_port": sshd.port, "ssh_user": sshd.user}
    return Node.create(**{**values, **fields})


def add_play(node: Node, verb: str) -> Play:
    return Play.create(verb=verb, node=node.name, state="queued", requested_by="ann", created_at=time.time())


def ended(play: Play, timeout: float = 60) -> Play:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        fresh = Play.get_by_id(play.id)
        if fresh.state not in {"queued", "running"}:
            return fresh
        time.sleep(0.05)
    raise AssertionError(f"the play is still {fresh.state}: {steps(play)}")


def steps(play: Play) -> dict[str, tuple[str, str]]:
    rows = PlayEvent.select().where(PlayEvent.play == play.id).order_by(PlayEvent.number)
    return {row.step: (row.state, row.detail) for row in rows}


def everything_stored() -> str:
    return "\n".join(str(row) for table in models.TABLES for row in table.select().dicts())


def key_body(private_key: str) -> list[str]:
    return [line for line in private_key.splitlines() if not line.startswith("-----")]


def test_a_first_registration_with_a_private_key(
    sshd: PrivateSshd, settings: Settings, perform: Callable[..., Play], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("peewee").setLevel(logging.INFO)
    label = "{{ lookup('pipe', 'touch /tmp/skerry-template') }}"
    node = add_node(sshd, labels=[label])
    play = perform(
        node, "register", Secrets(private_key=sshd.private_key.replace("\n", "\r\n"), password=sshd.password)
    )
    assert (play.state, play.message) == ("succeeded", ""), steps(play)

    fresh = Node.get_by_id(node.id)
    assert fresh.host_key == sshd.host_key
    assert (fresh.state, "heartbeat" in fresh.state_reason) == ("registering", True)
    told = steps(play)
    state, detail = told["Reading the machine's host key"]
    assert (state, "pinned now" in detail, hostkeys.fingerprint(sshd.host_key) in detail) == ("ok", True, True)
    assert told["See what everybody can see"][0] == "changed"
    assert told["Leave out what is not needed"][0] == "skipped"
    state, detail = told["Say who is there"]
    assert state == "ok"
    assert detail.startswith("alpha has 3 slots")
    assert label in detail
    assert (settings.state_dir / "ssh/id_ed25519.pub").read_text().strip() in detail
    assert not Path("/tmp/skerry-template").exists()
    assert all(row.state != "running" for row in PlayEvent.select())

    # Nothing of the secrets is anywhere.
    assert told["Tell a secret by mistake"][1] == "the password is [hidden]"
    seen = (settings.project_dir / "playbooks/seen").read_text(errors="replace")
    assert "ansible-playbook" in seen
    for secret in (sshd.password, *key_body(sshd.private_key)):
        assert secret not in seen
        assert secret not in everything_stored()
        assert secret not in caplog.text
    assert list(plays_base(settings.state_dir).iterdir()) == []
    assert processes_marked(settings) == []


def test_a_one_time_password_lets_in_and_serves_sudo(sshd: PrivateSshd, settings: Settings, perform: Perform) -> None:
    play = perform(add_node(sshd), "register", Secrets(password=sshd.password))
    assert play.state == "succeeded", (play.message, steps(play))
    seen = (settings.project_dir / "playbooks/seen").read_text(errors="replace")
    assert "ansible-playbook" in seen
    assert sshd.password not in seen
    assert list(plays_base(settings.state_dir).iterdir()) == []


def test_the_platforms_own_key_serves_later_plays(sshd: PrivateSshd, settings: Settings, perform: Perform) -> None:
    from webfront.plays.keys import platform_key, public_half

    key = platform_key(settings.state_dir)
    assert key.stat().st_mode & 0o777 == 0o600
    given = sshd.authorized.read_text()
    sshd.authorized.write_text(given + public_half(key).read_text())
    try:
        node = add_node(sshd, name="beta", state="drained", host_key=sshd.host_key)
        play = perform(node, "remove", Secrets())
        assert play.state == "succeeded", (play.message, steps(play))
        assert Node.get_by_id(node.id).state == "removed"
        # Another key than the pinned one: ssh refuses it, before anything is sent.
        sshd.new_host_key()
        sshd.restart()
        node = add_node(sshd, name="gamma", state="drained", host_key=node.host_key)
        (settings.project_dir / "playbooks/remove.yml").write_text(
            REMOVE.replace("assert:", "ping:").split("        that")[0]
        )
        play = perform(node, "remove", Secrets())
        assert play.state == "failed"
        assert "does not show the host key that was pinned" in play.message
    finally:
        sshd.authorized.write_text(given)


def test_failures_say_what_they_mean(sshd: PrivateSshd, tmp_path: Path, perform: Perform) -> None:
    (closed,) = free_ports(1)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other_public = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked")], check=True)
    good = Secrets(private_key=sshd.private_key, password=sshd.password)
    reading = "Reading the machine's host key"
    giving = "Reading the private key that was given"
    first = "See what everybody can see"
    cases: list[tuple[dict[str, object], Secrets, str, str, str]] = [
        ({"ssh_port": closed}, good, reading, "refuses connections on port", "Check the address and the port"),
        ({"address": "nowhere.invalid"}, good, reading, "does not resolve", "IP address"),
        ({"host_key": hostkeys.fingerprint(other_public)}, good, reading, "does not show the host key", "Compare"),
        (
            {"host_key": f"10.0.0.1 {other_public} x"},
            good,
            reading,
            "does not show the host key that was pinned",
            "reinstalled",
        ),
        ({}, Secrets(private_key="nonsense"), giving, "none that ssh can read", "-----BEGIN"),
        ({}, Secrets(private_key=(tmp_path / "locked").read_text()), giving, "passphrase", "without a passphrase"),
        ({}, Secrets(password="wrong"), first, f"does not let the user {sshd.user} in with the password", "Password"),
        ({}, Secrets(), first, "in with the platform's own key", "private key or a one-time password"),
        ({}, Secrets(private_key=(tmp_path / "other").read_text()), first, "private key that was given", "authorized"),
        ({}, Secrets(private_key=sshd.private_key), first, "may not become root", "that user's password"),
        ({}, Secrets(private_key=sshd.private_key, password="wrong"), first, "sudo refused the password", "Check"),
    ]
    for number, (fields, secrets, step, message, advice) in enumerate(cases):
        node = add_node(sshd, **{"name": f"n{number}", **fields})
        play = perform(node, "register", secrets)
        assert play.state == "failed"
        assert message in play.message, (play.message, steps(play))
        assert advice in play.advice, (message, play.advice)
        assert play.failed_step == step, (message, steps(play))
        assert steps(play)[step][0] == "failed"
        fresh = Node.get_by_id(node.id)
        assert fresh.state == "unregistered"
        assert message in fresh.state_reason


def test_the_playbooks_own_words_are_shown_as_they_are(settings: Settings, perform: Perform) -> None:
    node = add_node(None, state="drained")
    play = perform(node, "remove", Secrets())
    assert (play.state, play.failed_step) == ("failed", "Check the machine")
    assert play.message == "alpha cannot be removed: only beta can. Choose beta."
    assert Node.get_by_id(node.id).state == "drained"


def test_a_broken_playbook_is_told_as_skerrys_own_fault(settings: Settings, perform: Perform) -> None:
    (settings.project_dir / "playbooks/remove.yml").write_text(
        "- hosts: all\n  tasks: [{name: x, no.such.module: {}}]\n"
    )
    play = perform(add_node(None), "remove", Secrets())
    assert play.state == "failed"
    assert "no.such.module" in play.message
    assert "Skerry's own installation" in play.advice


def start_process(settings: Settings) -> subprocess.Popen[bytes]:
    names = (
        "state_dir",
        "share_dir",
        "broker_url",
        "broker_password_file",
        "broker_admin_url",
        "project_dir",
        "inventory",
        "database_url",
        "database_password_file",
    )
    environment = {f"SKERRY_{name.upper()}": str(found) for name in names if (found := getattr(settings, name))}
    return subprocess.Popen(
        [sys.executable, "-m", "webfront", "plays"],
        cwd=PROJECT,
        # A shell in which somebody works on another project with Ansible.
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/root"),
            "ANSIBLE_VAULT_PASSWORD_FILE": "/nonexistent/of-another-project",
            "ANSIBLE_CONFIG": "/nonexistent/ansible.cfg",
            "ANSIBLE_STRATEGY": "no.such.strategy",
            **environment,
        },
    )


def processes_marked(settings: Settings) -> list[str]:
    mark = f"SKERRY_PLAY_DIR={plays_base(settings.state_dir)}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            cmdline = (entry / "cmdline").read_bytes()
            if mark in (entry / "environ").read_bytes() or cmdline.startswith(
                mark.replace(b"SKERRY_PLAY_DIR=", b"ssh: ")
            ):
                found.append(cmdline.replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def until(condition: Callable[[], object], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_play_that_is_cut_off_does_not_go_on_unseen(settings: Settings, how: signal.Signals) -> None:
    node = add_node(None, state="draining")
    play = add_play(node, "drain")
    process = start_process(settings)
    alive = settings.project_dir / "playbooks/alive"
    try:
        until(alive.exists)
        process.send_signal(how)
        process.wait(20)
        until(lambda: not any("ansible-playbook" in one for one in processes_marked(settings)), 5)
        if how is signal.SIGKILL:
            assert Play.get_by_id(play.id).state == "running"
            process = start_process(settings)
        play = ended(play)
        assert (play.state, play.failed_step) == ("failed", "Wait until told")
        assert "cut off" in play.message
        assert "again" in play.advice
        assert "cut off" in Node.get_by_id(node.id).state_reason
        assert steps(play)["Wait until told"][0] == "failed"
        assert list(plays_base(settings.state_dir).iterdir()) == []
        until(lambda: processes_marked(settings) == [] or not ansible_of(settings), 5)
    finally:
        process.kill()
        process.wait()


def ansible_of(settings: Settings) -> list[str]:
    return [one for one in processes_marked(settings) if "ansible" in one.lower()]


def test_only_one_plays_process_works(settings: Settings) -> None:
    process = start_process(settings)
    try:
        until(settings.plays_socket.exists)
        second = start_process(settings)
        assert second.wait(20) == 1
    finally:
        process.terminate()
        process.wait(20)
    assert not settings.plays_socket.exists()


def test_another_controller_ends_what_a_stopped_one_ran_and_that_one_finds_out(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webfront.plays.process.LOOK_EVERY_S", 0.2)
    play = add_play(add_node(None, state="draining"), "drain")
    first = start_process(settings)
    alive = settings.project_dir / "playbooks/alive"
    elsewhere = tmp_path / "second"
    elsewhere.mkdir()
    second = PlaysProcess(
        dataclasses.replace(
            settings, state_dir=elsewhere, plays_socket=elsewhere / "plays.sock", controller_name="second"
        )
    )
    loop = threading.Thread(target=second.work)
    try:
        until(alive.exists)
        first.send_signal(signal.SIGSTOP)
        second.open()
        assert Play.get_by_id(play.id).state == "running"
        loop.start()
        assert "cut off" in ended(play).message
        first.send_signal(signal.SIGCONT)
        until(lambda: not ansible_of(settings), 15)
        assert first.poll() is None
        assert Play.get_by_id(play.id).state == "failed"
    finally:
        second.stop()
        if loop.is_alive():
            loop.join()
        first.send_signal(signal.SIGCONT)
        first.terminate()
        first.wait(20)


def test_a_play_whose_secrets_are_gone_says_so(settings: Settings) -> None:
    node = add_node(None)
    play = add_play(node, "register")
    Play.update(has_secrets=True).where(Play.id == play.id).execute()
    process = PlaysProcess(settings)
    process.open()
    loop = threading.Thread(target=process.work)
    loop.start()
    try:
        assert "is gone" in ended(play).message
    finally:
        process.stop()
        loop.join()
    assert Node.get_by_id(node.id).state == "unregistered"


def test_a_play_that_is_stopped_ends_with_all_that_it_started(settings: Settings) -> None:
    ada = create_user("ada", "correct horse", is_admin=True)
    plays = PlayService(settings.plays_socket, settings.controller_name)
    node = add_node(None, state="draining")
    running, waiting = add_play(node, "drain"), add_play(add_node(None, name="beta", state="drained"), "remove")
    plays.stop(ada, waiting.id)
    process = start_process(settings)
    try:
        until((settings.project_dir / "playbooks/alive").exists)
        asked_at = time.monotonic()
        assert plays.stop(ada, running.id).state == "running"
        ended(running)
        assert time.monotonic() - asked_at < 5
        found = plays.get(running.id).play
        assert (found.state, found.failed_step) == ("stopped", "Wait until told")
        assert steps(running)["Wait until told"] == ("failed", "ada has stopped the play")
        fresh = Node.get_by_id(node.id)
        assert (fresh.state, fresh.state_reason) == ("draining", "drain was stopped by ada")
        until(lambda: not ansible_of(settings), 5)
        assert list(plays_base(settings.state_dir).iterdir()) == []
        assert (plays.get(waiting.id).play.state, steps(waiting)) == ("stopped", {})
        # The process works on.
        again = add_play(node, "remove")
        assert ended(again).state == "failed"
    finally:
        process.terminate()
        process.wait(20)

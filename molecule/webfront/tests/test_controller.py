"""What an administrator asks of a controller: it answers, lets the first user in, comes back, and tells no secret."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from support.converge import Converge

WITHIN_S = 60.0
PROCESSES = ("web", "scheduler", "plays", "shipper")
# Asks the web front, which listens on the machine itself alone: method, path, and a body on standard input.
ASK = """
import sys, urllib.error, urllib.request
request = urllib.request.Request("http://127.0.0.1:8460/api/v1" + sys.argv[2], method=sys.argv[1])
request.add_header("Content-Type", "application/json")
try:
    answer = urllib.request.urlopen(request, sys.stdin.buffer.read() or None, timeout=10)
    print(answer.status, answer.read().decode())
except urllib.error.HTTPError as refusal:
    print(refusal.code)
except OSError as error:
    print(0, error)
"""


def ask(host: Any, method: str, path: str, body: str = "") -> tuple[int, str]:
    script = host.check_output("mktemp")
    host.run_expect([0], "cat > %s <<'END'\n" + ASK.replace("%", "%%") + "\nEND", script)
    status, _, answer = host.check_output("printf '%%s' %s | python3 %s %s %s", body, script, method, path).partition(
        " "
    )
    return int(status), answer


def main_pid(host: Any, process: str) -> str:
    return str(host.check_output(f"systemctl show --property MainPID --value skerry-{process}.service"))


def test_it_is_well(host: Any) -> None:
    status, answer = ask(host, "GET", "/health")
    assert status == 200, answer


def test_the_first_user_signs_in(host: Any) -> None:
    credentials = {"user": "admin", "password": "the-first-users-password"}
    assert ask(host, "POST", "/tokens", json.dumps(credentials))[0] == 201
    assert ask(host, "POST", "/tokens", json.dumps({**credentials, "password": "another-password"}))[0] == 401


@pytest.mark.parametrize("process", PROCESSES)
def test_a_killed_process_comes_back(host: Any, process: str) -> None:
    before = main_pid(host, process)
    with host.sudo():
        host.run_expect([0], "kill -KILL %s", before)
    until = time.monotonic() + WITHIN_S
    while main_pid(host, process) in ("0", before):
        assert time.monotonic() < until, f"{process} did not come back"
        time.sleep(0.5)
    while ask(host, "GET", "/health")[0] != 200:
        assert time.monotonic() < until, "the web front does not answer"
        time.sleep(0.5)
    assert host.service(f"skerry-{process}").is_enabled


def test_a_proxy_on_the_machine_reads_its_static_files(host: Any) -> None:
    with host.sudo("www-data"):
        assert "font-face" in host.check_output("cat /opt/skerry/static/skerry.css")


def test_no_other_user_of_the_machine_reads_its_secrets(host: Any) -> None:
    # The connection's own user is an ordinary one.
    done = host.run("find /etc/skerry /var/lib/skerry /srv/skerry -type f -readable 2>/dev/null")
    assert done.stdout == ""
    with host.sudo():
        key = host.file("/var/lib/skerry/secrets.key")
        assert (key.user, key.mode) == ("skerry", 0o600)
        content = key.content_string.strip()
        logs = host.check_output("journalctl --no-pager")
    assert len(base64.urlsafe_b64decode(content)) == 32
    assert content not in logs
    assert "the-first-users-password" not in logs


def test_check_mode_tells_a_change_of_the_settings_and_nothing_else(host: Any) -> None:
    before = [main_pid(host, process) for process in PROCESSES]
    told = Converge()("--check", "--diff", "--extra-vars=webfront_node_backlog=3")
    assert told.changed == ["Write the controller's settings", Converge.RESTART]
    assert "-SKERRY_NODE_BACKLOG='1'" in told.output
    assert "+SKERRY_NODE_BACKLOG='3'" in told.output
    with host.sudo():
        assert "SKERRY_NODE_BACKLOG='1'" in host.file("/etc/skerry/webfront.env").content_string
    assert [main_pid(host, process) for process in PROCESSES] == before


def test_a_shipper_that_is_wanted_no_more_goes_and_comes_back(host: Any) -> None:
    gone = "Stop a shipper that is wanted no more"
    without = "--extra-vars=webfront_logs_reader=none"
    assert gone in Converge()("--check", without).changed
    assert host.service("skerry-shipper").is_running
    assert gone in Converge()(without).changed
    assert not host.file("/etc/systemd/system/skerry-shipper.service").exists
    assert Converge()("--check", without).changed == []
    assert "Write the controller's units" in Converge()().changed
    assert host.service("skerry-shipper").is_running


def test_a_secret_that_changes_is_told_without_being_shown(host: Any) -> None:
    told = Converge()("--check", "--diff", "--extra-vars=webfront_broker_password=the-brokers-new-password")
    assert told.changed == ["Write the controller's passwords", Converge.RESTART]
    assert "the-brokers-new-password" not in told.output


def test_a_run_that_was_cut_off_before_the_restart_is_made_up_for(host: Any) -> None:
    before = [main_pid(host, process) for process in PROCESSES]
    with host.sudo():
        key = host.file("/var/lib/skerry/secrets.key").content_string
        host.run_expect([0], "touch /etc/skerry/webfront.env")
    assert Converge()("--check").changed == [Converge.RESTART]
    assert Converge()().changed == [Converge.RESTART]
    assert not set(before) & {main_pid(host, process) for process in PROCESSES}
    assert Converge()("--check").changed == []
    with host.sudo():
        assert host.file("/var/lib/skerry/secrets.key").content_string == key

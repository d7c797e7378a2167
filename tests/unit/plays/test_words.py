"""Events as ansible-runner reports them, told as steps; failures as a person needs them; no secret in either."""

from __future__ import annotations

from typing import Any

import pytest

from webfront.fleet.views import Secrets
from webfront.plays.failures import explain, explain_output
from webfront.plays.outcome import Failure, PlayFailed, Target
from webfront.plays.scrub import Scrubber
from webfront.plays.words import PlayStep, Teller

TARGET = Target(node="alpha", connection="ssh", user="pi", address="10.0.0.7", signed_in_with="private_key")


def teller(secrets: Secrets = Secrets()) -> tuple[Teller, list[PlayStep]]:  # noqa: B008 - it is frozen
    told: list[PlayStep] = []
    return Teller(TARGET, Scrubber(secrets), told.append, clock=lambda: 1.0), told


def event(kind: str, task: str = "role : Install the agent", **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"task": task, "name": task, "role": "role", "host": "alpha", **data}}


def summary(told: list[PlayStep]) -> list[tuple[int, str, str, int | None]]:
    return [(step.number, step.step, step.state, step.replaces) for step in told]


def test_the_end_of_a_step_takes_the_place_of_its_beginning() -> None:
    tell, told = teller()
    tell.hear(event("playbook_on_task_start"))
    tell.hear(event("runner_on_start"))
    tell.hear(event("runner_retry", res={"attempts": 2, "retries": 5}))
    tell.hear(event("runner_on_ok", res={"changed": True}))
    tell.hear(event("playbook_on_task_start", "role : Gathering Facts"))
    tell.hear(event("runner_on_start"))
    tell.hear(event("runner_on_skipped", res={}))
    assert summary(told) == [
        (1, "Install the agent", "running", None),
        (2, "Install the agent", "running", 1),
        (3, "Install the agent", "changed", 2),
        (4, "Looking at the machine", "running", None),
        (5, "Looking at the machine", "skipped", 4),
    ]
    assert told[1].detail == "try 2 of 5"
    assert tell.failure is None


def test_a_step_on_two_hosts_ends_when_both_have_ended_and_counts_the_worse() -> None:
    tell, told = teller()
    tell.hear(event("playbook_on_task_start"))
    for host in ("alpha", "controller"):
        tell.hear(event("runner_on_start", host=host))
    tell.hear(event("runner_on_failed", host="alpha", res={"msg": "no"}))
    assert [step.state for step in told] == ["running"]
    tell.hear(event("runner_on_ok", host="controller", res={}))
    assert [step.state for step in told] == ["running", "failed"]


def test_an_allowed_failure_is_none() -> None:
    tell, told = teller()
    tell.hear(event("playbook_on_task_start"))
    tell.hear(event("runner_on_failed", ignore_errors=True, res={"msg": "no"}))
    assert told[-1].state == "ok"
    assert tell.failure is None


def test_what_fails_after_the_machine_is_out_of_reach_does_not_hide_that() -> None:
    tell, _ = teller()
    for name, kind, message in (
        ("Look", "runner_on_unreachable", "ssh: connect to host 10.0.0.7 port 22: No route to host"),
        ("Stop", "runner_on_failed", "no attribute stat"),
    ):
        tell.hear(event("playbook_on_task_start", f"role : {name}"))
        tell.hear(event(kind, res={"msg": message}))
    assert tell.failed_step == "Look"
    assert tell.failure is not None
    assert "does not answer" in tell.failure.message


def test_an_own_step_that_fails_is_told_and_goes_on_failing() -> None:
    tell, told = teller()

    def fail() -> str:
        raise PlayFailed(Failure("it is off", "Switch it on."))

    with pytest.raises(PlayFailed):
        tell.say("Reading the machine's host key", fail)
    assert (told[-1].state, told[-1].detail) == ("failed", "it is off")
    assert (tell.failed_step, tell.failure) == ("Reading the machine's host key", Failure("it is off", "Switch it on."))


def test_no_secret_is_told() -> None:
    body = "b3BlbnNzaC1rZXktdjEAAAAA\nabcdefghijklmnopqrst"
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n"
    tell, told = teller(Secrets(private_key=key, password="a\"b'c d"))
    for leak in (key, "line abcdefghijklmnopqrst", "it was a\"b'c d!", '{"p": "a\\"b\'c d"}', "'a\"b'\"'\"'c d'"):
        tell.hear(event("playbook_on_task_start", f"role : Do {leak}"))
        tell.hear(event("runner_on_failed", res={"msg": leak, "stderr": leak}))
    tell.hear({"event": "verbose", "stdout": key})
    everything = "\n".join(map(str, told)) + str(tell.failure) + tell.output
    for secret in ("abcdefghij", "b3Blb", "b'c d", "c d'"):
        assert secret not in everything


def test_a_censored_result_says_that_it_is() -> None:
    failure = explain({"censored": "the output has been hidden"}, "command", TARGET)
    assert "may hold a secret" in failure.message


@pytest.mark.parametrize("action", ["assert", "ansible.builtin.fail"])
def test_the_playbooks_own_words_stay(action: str) -> None:
    words = "The machine's clock is 12 seconds off. Set it, then run this again."
    assert explain({"msg": words}, action, TARGET) == Failure(words)


def test_what_skerry_admin_says_is_shown() -> None:
    failure = explain({"msg": "no heartbeat came", "advice": "Look at its log."}, "skerry_node", TARGET)
    assert failure == Failure("no heartbeat came", "Look at its log.")


@pytest.mark.parametrize(
    ("result", "message", "advice"),
    [
        ({"msg": "ssh: connect to host 10.0.0.7 port 22: Connection refused"}, "refuses the connection", "firewall"),
        ({"msg": "ssh: connect to host 10.0.0.7 port 22: No route to host"}, "does not answer", "it is on"),
        ({"msg": "ssh: Could not resolve hostname x: Name or service not known"}, "does not resolve", "spelling"),
        ({"msg": "pi@10.0.0.7: Permission denied (publickey)."}, "private key that was given", "authorized_keys"),
        ({"msg": "Host key verification failed."}, "host key that was pinned", "Compare"),
        ({"msg": "Missing sudo password"}, "may not become root", "password"),
        ({"msg": "x", "module_stderr": "sudo: a password is required"}, "may not become root", "password"),
        ({"msg": "x", "stdout": "pi is not in the sudoers file."}, "no right to use sudo", "group sudo"),
        ({"msg": "x", "stderr": "bash: line 1: sudo: command not found"}, "sudo is not installed", "Install"),
        ({"msg": "x", "module_stderr": "/bin/sh: 1: /usr/bin/python3: not found"}, "no Python", "install python3"),
        ({"msg": "[Errno 28] No space left on device"}, "disk", "df -h"),
        ({"msg": "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1"}, "Another", "Wait"),
        ({"msg": "Failed to update apt cache: E:Release file is not valid yet"}, "clock", "timedatectl"),
        ({"msg": "x", "stderr": "Temporary failure resolving 'deb.example.org'"}, "no network", "DNS"),
        (
            {"results": [{"failed": True, "msg": "No space left on device"}], "msg": "One or more items failed"},
            "disk",
            "",
        ),
        ({"msg": "non-zero return code", "stderr": "widget missing"}, "return code: widget missing", "run it again"),
    ],
)
def test_the_usual_failures_say_what_they_mean_and_what_to_do(
    result: dict[str, Any], message: str, advice: str
) -> None:
    failure = explain(result, "command", TARGET, unreachable="ssh" in str(result))
    assert message in failure.message
    assert advice in failure.advice


def test_an_unknown_unreachable_machine_is_named() -> None:
    failure = explain({"msg": "something odd"}, "setup", TARGET, unreachable=True)
    assert failure.message == "10.0.0.7 (port 22) cannot be reached: something odd"


def test_a_run_without_tasks_shows_ansibles_error() -> None:
    failure = explain_output("some\nnoise\n[ERROR]: couldn't resolve module/action 'x.y.z'\n", TARGET)
    assert "x.y.z" in failure.message
    assert "Skerry's own installation" in failure.advice

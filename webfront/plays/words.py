"""What ansible-runner reports, as steps in words.

A step is told when it begins (`running`) and when it ends (`ok`, `changed`, `skipped`, `failed`). The end takes the
place of the beginning under a higher number: a reader who asks for what is new after a number sees both, and one who
reads the whole sees each step once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from webfront.plays.failures import explain
from webfront.plays.outcome import Failure, PlayFailed, Target
from webfront.plays.phases import Phase
from webfront.plays.scrub import Scrubber
from webfront.plays.states import StepState

_STEP_LENGTH: Final = 300
_DETAIL_LENGTH: Final = 1000
_KEPT_OUTPUT: Final = 40
_OWN_WORDS: Final = {"Gathering Facts": "Looking at the machine"}
_WORST_FIRST: Final = (StepState.FAILED, StepState.CHANGED, StepState.OK, StepState.SKIPPED)
_TELLING: Final = {"assert", "debug"}
"""Modules whose message is for people."""
_ASSERTED: Final = "All assertions passed"
_ENDINGS: Final = {"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"}


class PlayStep(msgspec.Struct, frozen=True):
    """One told state of a step."""

    number: int
    at: float
    step: str
    state: StepState
    detail: str = ""
    phase: str = ""
    replaces: int | None = None
    """The number of the row whose place this one takes."""


class Teller:
    """Turns the events of one play into steps. Not for several threads: runner reports from one."""

    def __init__(
        self,
        target: Target,
        scrub: Scrubber,
        tell: Callable[[PlayStep], None],
        clock: Callable[[], float] = time.time,
        phases: Sequence[Phase] = (),
    ) -> None:
        self._target = target
        self._scrub = scrub
        self._tell = tell
        self._clock = clock
        self._phases = {play: phase.name for phase in phases for play in phase.plays}
        self._phase = phases[0].name if phases else ""
        self._number = 0
        self._open: PlayStep | None = None
        self._uuid = ""
        self._hosts: set[str] = set()
        self._states: list[StepState] = []
        self._detail = ""
        self._output: list[str] = []
        self._unreachable = False
        self.failed_step = ""
        self.failure: Failure | None = None
        """The failure that counts so far: the last one, or the first that found the machine out of reach."""
        self.tasks_ended = 0

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take one event of ansible-runner."""
        kind = str(event.get("event", ""))
        data: Mapping[str, Any] = event.get("event_data") or {}
        match kind:
            case "playbook_on_task_start" | "playbook_on_handler_task_start":
                self._close()
                self._begin(self._name(data))
                self._uuid = str(data.get("task_uuid", ""))
            case "runner_on_start":
                self._hosts.add(str(data.get("host", "")))
            case "runner_retry":
                self._retry(data)
            case "playbook_on_play_start":
                self._close()
                self._phase = self._phases.get(str(data.get("name", "")), self._phase)
            case "playbook_on_stats":
                self._close()
            case "verbose" | "error" | "warning" | "system_warning" | "deprecated":
                self._output += str(event.get("stdout") or "").splitlines()
                del self._output[:-_KEPT_OUTPUT]
            case _ if kind in _ENDINGS:
                self._end(kind, data, str(event.get("stdout") or ""))

    def say(self, step: str, action: Callable[[], str]) -> None:
        """A step of the platform's own: `action` does it and returns the detail to show. Its `PlayFailed` goes on."""
        self._begin(step)
        try:
            self._detail = self._scrub(action())[:_DETAIL_LENGTH]
        except PlayFailed as error:
            self.fail(error.failure)
            raise
        self._states.append(StepState.OK)
        self._close()

    def fail(self, failure: Failure, step: str = "") -> None:
        """End the open step, or one with the given name, as failed."""
        if self._open is None:
            self._begin(step or "Running the playbook")
        self._note_failure(failure)
        self._states.append(StepState.FAILED)
        self._close()

    def finish(self) -> None:
        """Nothing follows: end what is still open."""
        self._close()

    @property
    def output(self) -> str:
        """What ansible-playbook printed outside of tasks, its last lines, without secrets."""
        return self._scrub("\n".join(self._output))

    def _begin(self, name: str) -> None:
        self._hosts, self._states, self._detail = set(), [], ""
        self._open = self._step(name, StepState.RUNNING, "")

    def _step(self, name: str, state: StepState, detail: str) -> PlayStep:
        self._number += 1
        replaces = self._open.number if self._open else None
        step = PlayStep(
            self._number,
            self._clock(),
            self._scrub(name)[:_STEP_LENGTH],
            state,
            detail[:_DETAIL_LENGTH],
            self._phase,
            replaces,
        )
        self._tell(step)
        return step

    def _retry(self, data: Mapping[str, Any]) -> None:
        result: Mapping[str, Any] = data.get("res") or {}
        if self._open is not None and (tries := result.get("attempts")):
            detail = f"try {tries} of {result.get('retries', '?')}"
            self._open = self._step(self._open.step, StepState.RUNNING, detail)

    def _end(self, kind: str, data: Mapping[str, Any], printed: str) -> None:
        result: Mapping[str, Any] = data.get("res") or {}
        if self._open is None:
            self._begin(self._name(data))
        self.tasks_ended += 1
        self._hosts.discard(str(data.get("host", "")))
        if kind == "runner_on_skipped":
            self._states.append(StepState.SKIPPED)
        elif kind == "runner_on_ok":
            self._states.append(StepState.CHANGED if result.get("changed") else StepState.OK)
            action, message = str(data.get("task_action", "")).rpartition(".")[2], result.get("msg")
            if action in _TELLING and isinstance(message, str) and message != _ASSERTED:
                self._detail = self._scrub(message)
        elif data.get("ignore_errors"):
            self._states.append(StepState.OK)
            self._detail = "failed, which is allowed here"
        else:
            unreachable = kind == "runner_on_unreachable"
            if not result:
                # ansible-runner leaves out a result of more than 700 kB; what was printed of it still tells.
                result = {"msg": "What this step said is too long to be shown", "module_stderr": printed}
            failure = explain(result, str(data.get("task_action", "")), self._target, unreachable=unreachable)
            if self._unreachable:
                # What fails once a machine is out of reach follows from that.
                self._detail = self._scrub(failure.message)
            else:
                self._note_failure(failure)
            self._unreachable |= unreachable
            self._states.append(StepState.FAILED)
        if not self._hosts:
            self._close()

    def _note_failure(self, failure: Failure) -> None:
        self.failure = Failure(self._scrub(failure.message), self._scrub(failure.advice))
        self.failed_step = self._open.step if self._open else ""
        self._detail = self.failure.message

    def _close(self) -> None:
        if self._open is None:
            return
        # A step without any result was ended from outside, or had no host to run on.
        state = next((state for state in _WORST_FIRST if state in self._states), StepState.SKIPPED)
        self._step(self._open.step, state, self._detail)
        self._open = None

    @staticmethod
    def _name(data: Mapping[str, Any]) -> str:
        name = str(data.get("name") or data.get("task") or "A step without a name")
        # Ansible puts the role's name before the task's.
        name = name.rpartition(" : ")[2] if data.get("role") else name
        if name.startswith("Validating arguments against arg spec"):
            return "Check what the role was given"
        return _OWN_WORDS.get(name, name)

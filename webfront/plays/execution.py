"""One play from its claim to its recorded end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from webfront.database.models import Node, Play
from webfront.fleet.views import Secrets
from webfront.plays import hostkeys, keys
from webfront.plays.failures import CUT_OFF, NOTHING_RAN, SECRETS_LOST, TOO_LONG, explain_output
from webfront.plays.inventory import AGENTLESS, NOT_REACHED, Machine, SshAccess, Typed, write_hosts, write_private
from webfront.plays.outcome import Failure, PlayFailed, Target
from webfront.plays.private import plays_base, private_directory
from webfront.plays.rows import StepRows, end_play_surely
from webfront.plays.runner import Run, RunEnd, run
from webfront.plays.scrub import Scrubber
from webfront.plays.verbs import VERBS, Verb
from webfront.plays.words import Teller
from webfront.settings import Settings

_log = logging.getLogger(__name__)

_BROKEN: Final = Failure(
    "The platform's own program failed in this play",
    "The log of the plays process has the details. Run it again; if it fails the same way, this is a fault in Skerry.",
)

_UNKNOWN_VERB: Final = Failure(
    "This version of Skerry does not know what was asked for", "Ask for it again from the version that offered it."
)


def execute(settings: Settings, play: Play, secrets: Secrets | None, should_stop: Callable[[], Failure | None]) -> None:
    """Run a claimed play and record its end, whatever happens. `secrets` is None where they are not to be had;
    `should_stop` says why it may not go on."""
    context = {"skerry.play": play.id, "skerry.node": play.node, "user.name": play.requested_by}
    _log.info("play %s of %s begins", play.verb, play.node, extra={**context, "event.action": f"play.{play.verb}"})
    rows = StepRows(play.id)
    failure: Failure | None
    failed_step = ""
    is_stopped = False
    try:
        verb = VERBS.get(play.verb)
        if verb is None:
            failure = _UNKNOWN_VERB
        elif play.has_secrets and secrets is None:
            # Without them it would fail in words about the platform's own key.
            failure = SECRETS_LOST
        else:
            execution = _Execution(settings, play, verb, secrets or Secrets(), rows, should_stop)
            failure = execution.run()
            failed_step = execution.failed_step
            is_stopped = execution.is_stopped
    except Exception as error:
        # By its type alone: what went wrong may have been in the middle of a secret.
        _log.exception("play %s of %s broke: %s", play.verb, play.node, type(error).__name__, extra=context)
        failure = _BROKEN
    rows.flush()
    end_play_surely(play.id, failure, failed_step, is_stopped=is_stopped)
    outcome = {"event.action": f"play.{play.verb}", "event.outcome": "failure" if failure else "success"}
    told = f"failed at {failed_step!r}: {failure.message}" if failure else "succeeded"
    _log.info("play %s of %s %s", play.verb, play.node, told, extra={**context, **outcome})


class _Execution:
    def __init__(
        self,
        settings: Settings,
        play: Play,
        verb: Verb,
        secrets: Secrets,
        rows: StepRows,
        should_stop: Callable[[], Failure | None],
    ) -> None:
        self._settings = settings
        self._play = play
        self._verb = verb
        self._rows = rows
        self._should_stop = should_stop
        private_key = keys.normalise(secrets.private_key) if secrets.private_key.strip() else ""
        self._secrets = Secrets(private_key=private_key, password=secrets.password)
        self._scrub = Scrubber(secrets)
        self._why_stopped: Failure | None = None
        self.failed_step = ""

    @property
    def is_stopped(self) -> bool:
        """Whether it ended because a person wished so."""
        return self._why_stopped not in (None, CUT_OFF)

    def run(self) -> Failure | None:
        """The failure, or None when the play succeeded."""
        node = Node.get_or_none(Node.name == self._play.node)
        if node is None:
            return Failure(f"There is no node {self._play.node}", "Register it first.")
        teller = Teller(
            self._target(node), self._scrub, self._rows.tell, phases=() if node.agentless else self._verb.phases
        )
        try:
            # Asked for anew each time: whatever tidies up a tmpfs may have taken an empty folder away.
            with private_directory(plays_base(self._settings.state_dir), self._play.id) as folder:
                failure = self._in(folder, node, teller)
        except PlayFailed as error:
            if teller.failure is None:
                teller.fail(error.failure, "Preparing the play")
            failure = teller.failure
        self.failed_step = teller.failed_step if failure is not None else ""
        return failure

    def _target(self, node: Node) -> Target:
        if self._secrets.private_key:
            signed_in_with = "private_key"
        else:
            signed_in_with = "password" if self._secrets.password else "platform_key"
        return Target(
            node=node.name,
            connection=node.connection,
            user=node.ssh_user,
            address=node.address,
            port=node.ssh_port,
            signed_in_with=signed_in_with,
        )

    def _in(self, folder: Path, node: Node, teller: Teller) -> Failure | None:
        playbook, inventory = self._sources(agentless=node.agentless, joined=node.joined)
        platform_key = keys.platform_key(self._settings.state_dir)
        is_reached = node.connection == "ssh" and not node.joined
        access = self._let_in(folder, node, teller, platform_key) if is_reached else None
        machine = Machine(
            name=node.name, connection=node.connection, address=node.address, port=node.ssh_port, user=node.ssh_user
        )
        if node.agentless:
            machine = msgspec.structs.replace(machine, group=AGENTLESS)
        if node.joined:
            machine = msgspec.structs.replace(machine, connection=NOT_REACHED)
        hosts = write_hosts(folder, machine, access, self._secrets)
        what = Run(
            folder=folder,
            project_dir=self._settings.project_dir,
            playbook=playbook,
            inventories=(inventory, hosts),
            variables=self._variables(node, keys.public_half(platform_key)),
            private_key=self._secrets.private_key,
            limit_s=self._verb.limit_s,
            tags=",".join(self._verb.tags),
            # Ansible gives this tag to the check of each role's arguments, also of plays that are left out.
            skip_tags="always" if self._verb.tags else "",
        )

        def between() -> bool:
            self._rows.flush()
            self._why_stopped = self._should_stop()
            return self._why_stopped is not None

        match run(what, teller.hear, between):
            case RunEnd.SUCCEEDED if teller.tasks_ended:
                teller.finish()
                return None
            case RunEnd.SUCCEEDED:
                teller.fail(NOTHING_RAN)
            case RunEnd.STOPPED:
                teller.fail(self._why_stopped or CUT_OFF)
            case RunEnd.TOO_LONG:
                teller.fail(TOO_LONG)
            case RunEnd.FAILED if teller.failure is None:
                teller.fail(explain_output(teller.output, self._target(node)))
        teller.finish()
        return teller.failure

    def _sources(self, *, agentless: bool, joined: bool) -> tuple[Path, Path]:
        playbook = self._settings.project_dir / "playbooks" / self._verb.playbook(agentless=agentless, joined=joined)
        if not playbook.is_file():
            raise PlayFailed(Failure(f"There is no playbook {playbook}", "Check SKERRY_PROJECT_DIR."))
        inventory = self._settings.inventory
        if inventory is None or not inventory.exists():
            raise PlayFailed(
                Failure(
                    "The platform does not know its inventory",
                    "Set SKERRY_INVENTORY of the plays process to the inventory the platform was installed with.",
                )
            )
        return playbook, inventory

    def _let_in(self, folder: Path, node: Node, teller: Teller, platform_key: Path) -> SshAccess:
        """Make sure of the machine before anything is sent to it, and choose how to sign in."""
        if not self._verb.takes_secrets:
            # ssh checks the pinned key itself. Not to be stopped here: a machine that is gone can still be removed.
            return SshAccess(host_keys=hostkeys.only_keys(node.host_key), identity=platform_key)
        found: list[str] = []

        def read_host_key() -> str:
            shown = hostkeys.read_host_keys(node.address, node.ssh_port)
            kept = hostkeys.check(node.host_key, shown, node.name)
            first_time = not node.host_key
            if kept != node.host_key:
                # Pinned before the first sign-in: from now on it is this machine or none.
                Node.update(host_key=kept).where(Node.name == node.name).execute()
            found.append(kept)
            return f"{'pinned now' if first_time else 'as pinned'}: {hostkeys.describe(kept)}"

        teller.say("Reading the machine's host key", read_host_key)
        identity = platform_key
        if self._secrets.private_key:
            identity = folder / "identity.pub"

            def read_private_key() -> str:
                public = keys.public_key_of(self._secrets.private_key)
                write_private(folder / "identity.pub", public + "\n")
                return f"its public half is {hostkeys.describe(public)}"

            teller.say("Reading the private key that was given", read_private_key)
        # Where the platform's key was added already, the password is for sudo.
        tries_password = bool(self._secrets.password) and not self._secrets.private_key
        return SshAccess(host_keys=found[0], identity=identity, tries_password=tries_password)

    def _variables(self, node: Node, public_key_file: Path) -> dict[str, Any]:
        variables: dict[str, Any] = {
            "node": node.name,
            "node_slots": node.slots,
            "node_labels": [Typed(label) for label in node.labels],
        }
        if node.agentless:
            variables["register_kit_dir"] = str(self._settings.state_dir / "dispatch" / "kit")
            variables["remove_machine"] = {
                key: Typed(value) if isinstance(value, str) else value for key, value in node.machine.items()
            }
        with contextlib.suppress(OSError):
            variables["register_platform_public_key"] = public_key_file.read_text(encoding="utf-8").strip()
        return variables

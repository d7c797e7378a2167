"""What the agent's core asks of whatever runs attempts, and what it gets back.

The core (`node_scripts.agent`) knows journals, messages and slots; a `Runner` knows folders, processes and the share.
Neither looks into the other.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Protocol

import msgspec

from wire.messages import Cause, Order, OutputFile, Usage


class Ended(msgspec.Struct, frozen=True):
    """How an attempt ended: what its `Finished` event will say."""

    cause: Cause
    message: str = ""
    """One sentence for a person."""
    exit_code: int | None = None
    outputs: tuple[OutputFile, ...] = ()
    """The committed results: they stand on the share, whole."""
    log_lines: int = 0
    usage: Usage = Usage()
    refusal: str = ""
    """See `wire.messages.Finished`."""
    node_fell: bool = False
    """See `wire.messages.Finished`."""


class Refused(msgspec.Struct, frozen=True):
    """One thing that the machine cannot do now."""

    kind: str
    """A `wire.refusals.Refusal`."""
    words: str
    """What was found, for a person."""


class LiveLog(msgspec.Struct, frozen=True):
    """A few lines of a log, the newest; `first` is the number of the first one."""

    first: int
    lines: tuple[str, ...]


class AttemptEnded(Exception):
    """Raised by `Runner.prepare` and `Runner.launch`: the attempt is over before its app ran; `ended` says why.

    The app's own fault (requirements that cannot be installed) is `app_error`, the node's (a full disk, an unreadable
    share) is `rejected`.
    """

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.message)
        self.ended = ended


class Recovered(enum.Enum):
    """What `Runner.recover` found instead of an attempt to adopt."""

    NOT_LAUNCHED = "not_launched"
    """The app never ran: prepare and launch it as if it were new."""
    LOST = "lost"
    """It was launched, and neither its keeper nor its end is there: the node lost it."""


class Telling(Protocol):
    """Called, from any thread, with words for the stage that an attempt is at, and for what of it is under way."""

    def __call__(self, what: str, detail: str = "") -> None: ...


class Prepared:
    """An attempt ready to launch. The runner subclasses it; the core only hands it back."""


class RunningAttempt(Protocol):
    """An attempt whose app was launched, whether it still runs or has exited meanwhile."""

    @property
    def job(self) -> str: ...

    @property
    def attempt(self) -> int: ...

    @property
    def never_ran(self) -> bool:
        """No process of its app was started: its log and its end are all there is."""

    async def wait(self) -> None:
        """Return when the app and its process group are gone. At once when they are already."""

    def cancel(self) -> None:
        """End the whole process group; the cause is then `cancelled`. Idempotent, and nothing after the end."""

    def read_log(self, after: int, limit: int = 500) -> list[str]:
        """Up to `limit` complete lines, numbered `after + 1` and on, without their newlines.

        After `wait` has returned, also a last line that has no newline. Undecodable bytes are replaced, overlong lines
        cut. `after` only grows, except after a restart, when it may be any earlier number. The list ends early where
        lines were dropped, and where there is much text.
        """

    def pass_over(self, after: int) -> bool:
        """Pass over the lines up to this one, a bounded amount of them. Whether to call it again before `read_log`.

        After a restart a log may be gigabytes long, and nobody is to wait for its being passed over at once.
        """

    def dropped_after(self, number: int) -> int:
        """How many lines after this one, the last that was read, were dropped: the log goes on behind them."""

    def live_log(self) -> LiveLog | None:
        """The newest lines of a log whose first part is full, if they are newer than those given before.

        At the end those of them that are kept are in the log, too.
        """

    async def finish(self) -> Ended:
        """Commit the results to the share and say how it ended. Called after `wait`; idempotent, also after a restart.

        Once it has returned, the slot is given to the next attempt although this one's folder still stands (its log
        may not be sent yet): nothing of it may be open to the slot's user any more.
        """

    def discard(self) -> None:
        """Remove the attempt's folder; nothing if it is gone already. Called once the `Finished` event is confirmed.

        What cannot be removed is set aside. Raises OSError if not even that can be done.
        """


class Runner(Protocol):
    """Prepares, launches and recovers attempts. `slot` counts from 0; an attempt has it alone until `finish`."""

    async def prepare(self, order: Order, slot: int, preparing: Telling) -> Prepared:
        """Make the attempt ready to launch; call `preparing` at each stage that may take long.

        Raises `AttemptEnded` when it cannot. May be cancelled (`asyncio.CancelledError`), and then leaves nothing
        running behind. What an earlier try left (the agent died meanwhile) is replaced.
        """

    async def launch(self, prepared: Prepared) -> RunningAttempt:
        """Start the app. From here on the attempt outlives the agent."""

    def recover(self, order: Order, slot: int) -> RunningAttempt | Recovered:
        """After the agent's restart: the attempt if it was launched and its keeper lives or its end is written down."""

    def clear(self, held: Iterable[Order]) -> None:
        """Move away what stands of attempts that are not `held`. After a start, before anything is prepared, and later.

        What a keeper still holds is ended and stays until a later call. Never slow, and never raises for what cannot
        be moved.
        """

    def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
        """What the machine cannot do for itself now; nothing when it can take attempts. Slow; may run in any thread.

        What stands of the attempt `besides` counts as gone: what an app has filled is not the machine's. `thorough`
        also tries what costs more than a look, a sandbox.
        """

    def tidy(self) -> None:
        """Remove what was moved away, and try again what could not be removed. Slow; may run in any thread."""

    def forget(self, order: Order) -> None:
        """Remove what stands of an attempt that will not be launched (again): it ended before its launch, or is lost.

        Nothing if there is nothing. Attempts that were launched and not lost are removed by `RunningAttempt.discard`.
        """

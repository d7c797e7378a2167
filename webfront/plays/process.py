"""The plays process: takes queued plays and runs them, several at once, one per node at a time.

Of several controllers each runs what it was asked for, and what one that is gone has left (see `controllers`).
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import threading
import time
from types import FrameType
from typing import Final

import peewee

from webfront.broker.publisher import Publisher
from webfront.database import models
from webfront.database.models import Play, PlayEvent
from webfront.database.schema import open_database
from webfront.fleet.views import Secrets
from webfront.plays import private
from webfront.plays.controllers import ANYONE, LOOK_EVERY_S, Controllers, claim, still_run_by
from webfront.plays.dispatching import Dispatching
from webfront.plays.execution import execute
from webfront.plays.failures import CUT_OFF, stopped
from webfront.plays.outcome import Failure
from webfront.plays.rows import end_play_surely, stop_wishes
from webfront.plays.runner import forget_foreign
from webfront.plays.secrets import SecretKeeper
from webfront.plays.states import PlayState
from webfront.settings import Settings

_log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 8
"""Plays that run side by side; each is an ansible-playbook of some 60 MB."""

_LOOK_EVERY_S: Final = 1.0
_STOP_S: Final = 20.0


def run(settings: Settings) -> None:
    """Run plays until SIGTERM or SIGINT. Raises `Conflict` when another plays process runs."""
    forget_foreign(os.environ)
    open_database(settings.database_url, settings.database_password_file).close()
    publisher = Publisher(settings.broker_address(), name="plays")
    process = PlaysProcess(settings)

    def stop(number: int, frame: FrameType | None) -> None:
        process.stop()

    process.open()
    # Set once the process is alone at work; before, a signal simply ends it.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    publisher.start()
    try:
        process.work()
    finally:
        publisher.stop()


class PlaysProcess:
    """The loop, apart from the process's signals. `stop` may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._wake = threading.Event()
        self._stopping = False
        self._running: dict[int, tuple[str, threading.Thread]] = {}
        self._own = settings.controller_name
        self._controllers = Controllers(self._own)
        self._looked_at = -math.inf
        self._lost: set[int] = set()
        """Plays of this process that another has ended meanwhile."""
        self._stop_wishes: dict[int, str] = {}
        """The running plays that are to stop, with who wishes it."""
        self._keeper = SecretKeeper(settings.plays_socket, self._wake.set)
        self._dispatching = Dispatching(settings.state_dir / "dispatch" / "nodes")

    def open(self) -> None:
        """Take the socket, and clear up after a plays process that died. Raises `Conflict`, `Unavailable`."""
        self._keeper.open()
        # Only now: with the socket's lock held, what is found running is nobody's.
        with models.database.obj.connection_context():
            own = Play.controller.in_([self._own, ANYONE])
            cut_off = list(Play.select().where(Play.state == PlayState.RUNNING, own))
            private.clear(private.plays_base(self._settings.state_dir))
            _end_cut_off(cut_off)

    def work(self) -> None:
        """Run plays until `stop`; what runs then is stopped, and recorded as cut off."""
        _log.info("plays are run from %s", self._settings.project_dir)
        try:
            while not self._stopping:
                try:
                    with models.database.obj.connection_context():
                        self._look_at_the_others()
                        self._start_what_can()
                        self._dispatching.keep(leads=self._controllers.works)
                except peewee.PeeweeException as error:
                    _log.warning("the queued plays cannot be read: %s", error)
                self._keeper.forget_old()
                self._wake.wait(_LOOK_EVERY_S)
                self._wake.clear()
        finally:
            self._stopping = True
            self._keeper.close()
            self._dispatching.stop()
            deadline = time.monotonic() + _STOP_S
            for _, thread in list(self._running.values()):
                thread.join(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(OSError):
                private.plays_base(self._settings.state_dir).rmdir()

    def stop(self) -> None:
        """End `work`."""
        self._stopping = True
        self._wake.set()

    def _look_at_the_others(self) -> None:
        """Say that this controller is there, and end what one that is gone has left. Now and then."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        # First: a process that goes on after a long stop finds here what became of its own plays.
        self._lost = set(self._running) - still_run_by(self._own, list(self._running))
        self._controllers.beat()
        _end_cut_off(self._controllers.left_running())

    def _start_what_can(self) -> None:
        for play_id in [play_id for play_id, (_, thread) in self._running.items() if not thread.is_alive()]:
            del self._running[play_id]
        self._stop_wishes = stop_wishes(self._running)
        theirs = Play.controller.in_(self._controllers.runs_for())
        for play in list(Play.select().where(Play.state == PlayState.QUEUED, theirs).order_by(Play.id)):
            busy = {node for node, _ in self._running.values()}
            if len(self._running) >= MOST_AT_ONCE:
                return
            # If this process dies after the claim, the next one finds the play running and ends it as cut off.
            if play.node not in busy and claim(play.id, self._own, time.time()):
                self._start(play, self._keeper.take(play.id))

    def _why_stop(self, play_id: int) -> Failure | None:
        """Why this play may not go on, if it may not."""
        if (by := self._stop_wishes.get(play_id)) is not None:
            return stopped(by)
        return CUT_OFF if self._stopping or play_id in self._lost else None

    def _start(self, play: Play, secrets: Secrets | None) -> None:
        def job() -> None:
            with models.database.obj.connection_context():
                execute(self._settings, play, secrets, lambda: self._why_stop(play.id))
            self._wake.set()

        thread = threading.Thread(target=job, name=f"play-{play.id}", daemon=True)
        self._running[play.id] = (play.node, thread)
        thread.start()


def _end_cut_off(plays: list[Play]) -> None:
    for play in plays:
        _log.warning("play %s of %s was cut off", play.verb, play.node, extra={"skerry.play": play.id})
        why = stopped(play.stopped_by) if play.stopped_by else CUT_OFF
        end_play_surely(play.id, why, _last_step(play), is_stopped=bool(play.stopped_by))


def _last_step(play: Play) -> str:
    steps = PlayEvent.select().where(PlayEvent.play == play.id)
    last = steps.order_by(PlayEvent.number.desc()).first()
    return str(last.step) if last is not None else ""

"""Telling the controller of one attempt over a connection that it keeps: how far it is, its log, its end.

What is told is read from files, and the controller says how much of the log it has. So any number may follow, one after
the other or at once, and a connection that breaks loses nothing. Whoever follows also sees to it that somebody attends
to the attempt.

In come lines: `cancel`; `ping`, without which it takes the connection for dead after a while.
"""

from __future__ import annotations

import base64
import os
import select
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from node_scripts.dispatched import host
from node_scripts.dispatched.places import OrderPlace, Places, State, say
from node_scripts.running.logfile import LogReader
from node_scripts.running.rooms import is_locked, read_record

_LOOK_S: Final = 0.1
_ATTENDED_S: Final = 1.0
_ALIVE_S: Final = 2.0
_SILENCE_S: Final = 30.0
_CHUNK: Final = 48 * 1024
_CHUNKS_AT_ONCE: Final = 20


def follow(places: Places, key: str, offset: int, kit: Path) -> None:
    """Tell until the end was told, or the controller is gone."""
    place = places.order(key)
    if place.staged() is None:
        say(state="unknown")
        return
    _Following(places, place, offset, kit).until_the_end()


class _Following:
    def __init__(self, places: Places, place: OrderPlace, offset: int, kit: Path) -> None:
        self._places = places
        self._place = place
        self._offset = offset
        self._kit = kit
        self._told: State | None = None
        self._log = LogReader(place.room.log)
        self._heard_at = time.monotonic()
        self._line = b""

    def until_the_end(self) -> None:
        attended_at = alive_at = 0.0
        while time.monotonic() - self._heard_at < _SILENCE_S:
            now = time.monotonic()
            if now - attended_at >= _ATTENDED_S:
                attended_at = now
                host.start(self._places, self._place, self._kit)
            ended = self._place.ended()
            self._tell_state()
            if self._told is not None and self._told.started_at is not None and not self._tell_log():
                self._tell_glimpse()
            # Looked for before the log: what is read after it is the whole.
            if ended is not None:
                while self._tell_log():
                    pass
                say(ended=msgspec.json.encode(ended).decode(), log_bytes=self._offset)
                return
            if now - alive_at >= _ALIVE_S:
                alive_at = now
                say(alive=True, attended=is_locked(self._place.host))
            if not self._listen():
                return

    def _tell_state(self) -> None:
        state = read_record(self._place.state, State)
        if state is not None and state != self._told:
            self._told = state
            say(
                state="running" if state.started_at is not None else "preparing",
                what=state.what,
                detail=state.detail,
                at=state.started_at,
                never_ran=state.never_ran,
            )

    def _tell_log(self) -> bool:
        """Tell what is new, a bounded amount. False when that was all."""
        try:
            fd = os.open(self._place.room.log, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            for _ in range(_CHUNKS_AT_ONCE):
                chunk = os.pread(fd, _CHUNK, self._offset)
                if not chunk:
                    return False
                say(log=base64.b64encode(chunk).decode(), at=self._offset)
                self._offset += len(chunk)
        finally:
            os.close(fd)
        return True

    def _tell_glimpse(self) -> None:
        glimpse = self._log.live()
        if glimpse is not None:
            say(live=msgspec.json.encode(glimpse).decode())

    def _listen(self) -> bool:
        """Wait for a moment, and take in what the controller says. False once it is gone."""
        readable, _, _ = select.select([sys.stdin], [], [], _LOOK_S)
        if not readable:
            return True
        said = os.read(sys.stdin.fileno(), 4096)
        if not said:
            return False
        self._heard_at = time.monotonic()
        *lines, self._line = (self._line + said).split(b"\n")
        if b"cancel" in lines and self._place.folder.is_dir():
            self._place.cancel.touch()
        return True

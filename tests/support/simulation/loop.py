"""Virtual time, and an event loop for each process that lives in it.

Nothing waits: when nobody has anything to do, the time is that of what is due next. Which of several processes goes on
first is the seed's to say, so that a seed is a history, and another one is another. A process that dies is a loop whose
callbacks are never called again, whichever line they had come to.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import heapq
import random
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

_UNWINDING_ROUNDS: Final = 4
_MOST_DONE: Final = 100
"""Tasks that are kept to be unwound although they may be done."""

_LONGEST_THREAD_S: Final = 0.02


class Timeline:
    """What is due, in its order; seconds from the beginning of the history."""

    def __init__(self, rng: random.Random) -> None:
        self.now = 0.0
        self.rng = rng
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._ready: list[Loop] = []

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Have this called then; what is due at the same time, in the order in which it was asked for."""
        self._number += 1
        heapq.heappush(self._due, (max(when, self.now), self._number, call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        self.at(self.now + seconds, call)

    def awake(self, loop: Loop) -> None:
        """This loop has something to do now."""
        self._ready.append(loop)

    def run(self, until: float, stop: Callable[[], bool], looked_at: Callable[[], None]) -> None:
        """Let time go on until then, or until `stop`, which is asked as often as time goes on.

        `looked_at` is called after each step of a process.
        """
        while True:
            while self._ready:
                place = int(self.rng.random() * len(self._ready))
                loop = self._ready[place]
                if not loop.step():
                    del self._ready[place]
                looked_at()
            if stop():
                return
            if not self._due or self._due[0][0] > until:
                self.now = until
                return
            self.now, _, call = heapq.heappop(self._due)
            call()


class Loop(asyncio.AbstractEventLoop):
    """The event loop of one process, as far as the platform's processes use one."""

    def __init__(self, timeline: Timeline, on_error: Callable[[str], None]) -> None:
        self._timeline = timeline
        self._on_error = on_error
        self._ready: collections.deque[asyncio.Handle] = collections.deque()
        self._tasks: list[asyncio.Task[Any]] = []
        self._dead = self._unwinding = self._stopped = False
        self._stopped_until = 0.0

    def step(self) -> bool:
        """Call the next callback. Whether there are more of them."""
        if self._stopped:
            return False
        if self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                self.within(handle._run)
        return bool(self._ready)

    def within(self, call: Callable[[], _T]) -> _T:
        """Call this as if from a callback of the loop."""
        before = asyncio.events._get_running_loop()
        asyncio.events._set_running_loop(self)
        try:
            return call()
        finally:
            asyncio.events._set_running_loop(before)

    def stop_for(self, seconds: float) -> None:
        """As by SIGSTOP and SIGCONT: it does nothing meanwhile, and then all that has become due."""
        self._stopped = True
        self._stopped_until = max(self._stopped_until, self._timeline.now + seconds)
        self._timeline.at(self._stopped_until, self._go_on)

    def _go_on(self) -> None:
        if self._timeline.now < self._stopped_until:
            return  # it was stopped for longer meanwhile
        self._stopped = False
        if self._ready:
            self._timeline.awake(self)

    def kill(self) -> None:
        """Call nothing of it any more: whatever it is in the middle of has no effect if it is cut off from the world.

        Soon its coroutines are unwound, which Python would do later and in any order.
        """
        self._dead = True
        self._stopped = False
        self._ready.clear()
        self._timeline.after(0, self._unwind)

    def _unwind(self) -> None:
        self._unwinding = True
        for _ in range(_UNWINDING_ROUNDS):
            for task in self._tasks:
                task.cancel()
            while self.step():
                pass
        self._unwinding = False
        self._tasks.clear()

    def time(self) -> float:
        return self._timeline.now

    def call_soon(
        self, callback: Callable[[Unpack[_Ts]], object], *args: *_Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._put(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[_Ts]], object], *args: *_Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._timeline.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)

        def due() -> None:
            if not self._dead and not handle.cancelled():
                self._put(handle)

        self._timeline.at(when, due)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, _T] | Generator[Any, None, _T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[_T]:
        task = asyncio.Task(coro, loop=self, name=None if name is None else str(name), context=context)
        self._tasks.append(task)
        if len(self._tasks) > _MOST_DONE:
            self._tasks = [one for one in self._tasks if not one.done()]
        return task

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[_Ts]], _T], *args: *_Ts) -> asyncio.Future[_T]:
        """A thread: it does all of its work at one moment, a little later."""
        future: asyncio.Future[_T] = asyncio.Future(loop=self)

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.call_later(self._timeline.rng.random() * _LONGEST_THREAD_S, work)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._dead:
            self._on_error(f"{context.get('message')}: {context.get('exception')!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._dead

    def is_closed(self) -> bool:
        return self._dead

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Looked at when it is due."""

    def _put(self, handle: asyncio.Handle) -> None:
        if self._dead and not self._unwinding:
            return
        if not self._ready and not self._dead and not self._stopped:
            self._timeline.awake(self)
        self._ready.append(handle)

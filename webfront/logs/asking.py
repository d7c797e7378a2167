"""Elasticsearch as pages ask it for records: never by so many at once that other pages wait for it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from webfront.errors import ElasticUnavailable, NotSetUp
from webfront.logs.engine import PAGE_TIMEOUT_S, Engine, EngineAway, EngineError, EngineRefuses
from webfront.settings import Settings

_log = logging.getLogger(__name__)

_TURN_S: Final = 0.5
"""How long somebody waits for their turn while others ask."""


class Asking:
    def __init__(self, engine: Engine | None, threads: int) -> None:
        """`threads` are the web front's: most of them go on with what needs no Elasticsearch, however slow it is."""
        self._engine = engine
        self._turns = threading.BoundedSemaphore(max(1, threads // 4))

    @classmethod
    def of(cls, settings: Settings) -> Asking:
        """The Elasticsearch that the settings name, if any. SettingsError."""
        engine = Engine.of(settings, timeout_s=PAGE_TIMEOUT_S) if settings.elastic_url else None
        return cls(engine, settings.web_threads)

    @property
    def is_set_up(self) -> bool:
        return self._engine is not None

    def search(
        self, asked: Mapping[str, Any], order: Sequence[Mapping[str, Any]], size: int, after: Sequence[Any] | None
    ) -> list[dict[str, Any]]:
        """The hits, as `Engine.search`. NotSetUp; ElasticUnavailable, whose `detail` is for administrators."""
        with self._turn() as engine:
            return engine.search(asked, order, size, after)

    def count(self, asked: Mapping[str, Any], aggregations: Mapping[str, Any]) -> Any:
        """The aggregations, as `Engine.count`. The same errors."""
        with self._turn() as engine:
            return engine.count(asked, aggregations)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[Engine]:
        if self._engine is None:
            raise NotSetUp(
                "Log records are not searched here: that takes an Elasticsearch, which this platform does without. An "
                "administrator gives it one with SKERRY_ELASTIC_URL; the page “Operating” in docs/ says how."
            )
        if not self._turns.acquire(timeout=_TURN_S):
            raise ElasticUnavailable("Many ask Elasticsearch at this moment. Try again in a few seconds.")
        try:
            yield self._engine
        except EngineError as error:
            _log.warning("Elasticsearch was asked in vain: %s", error, extra={"event.action": "logs.search"})
            raise ElasticUnavailable(_in_words(error), detail=str(error)) from error
        finally:
            self._turns.release()


def _in_words(error: EngineError) -> str:
    match error:
        case EngineAway():
            return "Elasticsearch does not answer now. Try again in a moment."
        case EngineRefuses():
            return "Elasticsearch does not let the platform search the log records."
    return "Elasticsearch does not understand this question."

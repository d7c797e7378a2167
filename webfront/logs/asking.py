"""Elasticsearch as the web front asks it: never for long, and never by so many at once that other pages wait for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from webfront.errors import ElasticUnavailable, NotSetUp
from webfront.logs.engine import Engine, EngineAway, EngineError, EngineRefuses, Indigestible
from webfront.settings import Settings
from wire.settings import SettingsError

_log = logging.getLogger(__name__)

_TIMEOUT_S: Final = 4.0
_TURN_S: Final = 0.5
"""How long somebody waits for their turn while others ask."""


class Asking:
    """The one that the settings name, looked for when it is first asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._making = threading.Lock()
        self._engine: Engine | None = None
        # The other threads go on with what needs no Elasticsearch, however slow it is.
        self._turns = threading.BoundedSemaphore(max(1, settings.web_threads // 4))

    @property
    def is_set_up(self) -> bool:
        return bool(self._settings.elastic_url)

    def search(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, as `Engine.search`. NotSetUp, ElasticUnavailable: its `detail` is for administrators."""
        if not self.is_set_up:
            raise NotSetUp(
                "Log records are not searched here: that takes an Elasticsearch, which this platform does without. An "
                "administrator gives it one with SKERRY_ELASTIC_URL; the page “Operating” in docs/ says how."
            )
        if not self._turns.acquire(timeout=_TURN_S):
            raise ElasticUnavailable("Many search the log records at this moment. Try again in a few seconds.")
        try:
            return self._made().search(question)
        except SettingsError as error:
            raise _unavailable(
                "The log records cannot be searched: the platform's settings are not right.", error
            ) from error
        except EngineAway as error:
            raise _unavailable("Elasticsearch does not answer now. Try again in a moment.", error) from error
        except EngineRefuses as error:
            self._engine = None  # its key is read anew
            raise _unavailable("Elasticsearch does not let the platform search the log records.", error) from error
        except Indigestible as error:
            raise _unavailable("Elasticsearch does not understand this question.", error) from error
        finally:
            self._turns.release()

    def _made(self) -> Engine:
        with self._making:
            if self._engine is None:
                self._engine = Engine.of(self._settings, _TIMEOUT_S)
            return self._engine


def _unavailable(words: str, error: EngineError | SettingsError) -> ElasticUnavailable:
    _log.warning("the log records were not searched: %s", error)
    return ElasticUnavailable(words, detail=str(error))

"""The one door to Elasticsearch: writing records, and asking whether they are there. Its client's errors become ours.

The client of 8.19 speaks to servers of 8 and 9. It is asked for here alone, so that a platform without Elasticsearch
needs nothing of it.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webfront.settings import Settings
from wire.settings import SettingsError

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

_TIMEOUT_S: Final = 30.0
PAGE_TIMEOUT_S: Final = 5.0
"""For a person who waits."""
_ANSWER: Final = "errors,items.*.status,items.*.error.type,items.*.error.reason"
_BUSY: Final = frozenset({408, 429, 502, 503, 504})
_BY_HAND: Final = frozenset({401, 403, 404})
_IN_DOUBT: Final = frozenset({408, 502, 504})
"""Answers of something in between, which does not know what became of the request."""


class EngineError(Exception):
    """The base of these errors; the words say what is wrong."""


class EngineAway(EngineError):
    """It does not answer, or cannot now. `in_doubt`: what was sent may have been written all the same."""

    def __init__(self, words: str, *, in_doubt: bool) -> None:
        super().__init__(words)
        self.in_doubt = in_doubt


class EngineRefuses(EngineError):
    """It answers, and does not take records in this way: somebody has to change something there or here."""


class Indigestible(EngineError):
    """It does not take these together: fewer, or not one of them."""


class Verdict(enum.Enum):
    """What became of one record."""

    WRITTEN = enum.auto()
    THERE = enum.auto()
    """One with its id is in the index that is written to now."""
    LATER = enum.auto()
    """It has no room now."""
    REFUSED = enum.auto()
    """It will never take this one."""


class Engine:
    """One Elasticsearch, a node or a cluster, and the data stream of log records there."""

    def __init__(self, client: Elasticsearch, stream: str, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self.stream = stream

    @classmethod
    def of(cls, settings: Settings, *, timeout_s: float = _TIMEOUT_S) -> Engine:
        """The one that the settings name; no request to it takes longer than `timeout_s`. SettingsError."""
        if not settings.elastic_url:
            raise SettingsError("SKERRY_ELASTIC_URL must name an Elasticsearch, such as https://search.example:9200")
        try:
            from elasticsearch import Elasticsearch
        except ImportError:
            raise SettingsError(
                "The client of Elasticsearch is not installed: install requirements/elastic.txt beside the controller's"
            ) from None
        trust: dict[str, Any] = {} if settings.elastic_ca_file is None else {"ca_certs": str(settings.elastic_ca_file)}
        try:
            client = Elasticsearch(
                [one.strip() for one in settings.elastic_url.split(",")],
                api_key=_read(settings.elastic_api_key_file, "SKERRY_ELASTIC_API_KEY_FILE"),
                **trust,
                request_timeout=timeout_s,
                # Whoever calls knows better what a second try would do.
                max_retries=0,
                retry_on_timeout=False,
                # Of a cluster, one that does not answer is left alone for a while.
                dead_node_backoff_factor=1.0,
            )
        except (ValueError, OSError) as error:
            raise SettingsError(f"SKERRY_ELASTIC_URL, SKERRY_ELASTIC_CA_FILE: {error}") from error
        return cls(client, settings.elastic_stream, timeout_s)

    def write(self, records: Sequence[tuple[str, bytes]]) -> list[tuple[Verdict, str]]:
        """Write records, each its id and its body of one line; what became of each, and why where it was refused.

        EngineAway, EngineRefuses and Indigestible, in which case none was written, but for what is `in_doubt`.
        """
        lines: list[bytes] = []
        for name, body in records:
            lines.append(b'{"create":{"_id":"%s"}}' % name.encode())
            lines.append(body)
        lines.append(b"")
        answer = self._ask(
            "POST",
            f"/{self.stream}/_bulk",
            b"\n".join(lines),
            kind="application/x-ndjson",
            filter_path=_ANSWER,
            # Without its template it would make an index of this name, for good.
            require_data_stream="true",
        )
        if not answer["errors"]:
            return [(Verdict.WRITTEN, "")] * len(records)
        return [_verdict(item["create"], self.stream) for item in answer["items"]]

    def find(self, names: Iterable[str]) -> set[str]:
        """Which of these ids are there, in whichever index of the stream. EngineAway, EngineRefuses."""
        wanted = list(names)
        # What was written a moment ago is not yet found.
        self._ask("POST", f"/{self.stream}/_refresh", None, ignore_unavailable="true")
        question = {"query": {"ids": {"values": wanted}}, "size": len(wanted), "_source": False}
        answer = self._ask(
            "POST",
            f"/{self.stream}/_search",
            json.dumps(question).encode(),
            ignore_unavailable="true",
            filter_path="hits.hits._id",
        )
        return {hit["_id"] for hit in answer.get("hits", {}).get("hits", ())}

    def count(self, asked: Mapping[str, Any], aggregations: Mapping[str, Any]) -> Any:
        """Elasticsearch's aggregations of the records that a query finds. EngineAway, EngineRefuses, Indigestible."""
        question = {"query": asked, "aggs": aggregations, "size": 0, "track_total_hits": False}
        answer = self._ask("POST", f"/{self.stream}/_search", json.dumps(question).encode())
        if answer["_shards"]["failed"] or answer["timed_out"]:
            raise EngineAway("a part of the records cannot be read now", in_doubt=False)
        return answer["aggregations"]

    def close(self) -> None:
        self._client.close()

    def _ask(
        self, method: str, path: str, body: bytes | None, *, kind: str = "application/json", **parameters: str
    ) -> Any:
        from elasticsearch import ApiError, ConnectionTimeout, SerializationError, TransportError
        from elasticsearch.exceptions import ConnectionError as NoConnection

        given = kind.partition("/")[2]
        compatible = f"application/vnd.elasticsearch+{given};compatible-with=8"
        headers = {"accept": "application/vnd.elasticsearch+json;compatible-with=8"}
        if body is not None:
            headers["content-type"] = compatible
        try:
            return self._client.perform_request(method, path, params=parameters, headers=headers, body=body).body
        except ApiError as error:
            raise _in_words(error, self.stream) from error
        except ConnectionTimeout as error:
            raise EngineAway(f"it did not answer within {self._timeout_s:.0f} s", in_doubt=True) from error
        except NoConnection as error:
            # Refused or broken off: the client does not tell which.
            raise EngineAway(_first(error), in_doubt=True) from error
        except (TransportError, SerializationError) as error:
            raise EngineAway(f"it does not answer like Elasticsearch ({_first(error)})", in_doubt=True) from error


def _verdict(item: dict[str, Any], stream: str) -> tuple[Verdict, str]:
    status: int = item["status"]
    if status < 300:
        return Verdict.WRITTEN, ""
    if status == 409:
        return Verdict.THERE, ""
    error = item.get("error", {})
    reason = f"{error.get('type', '')}: {error.get('reason', '')}"[:500]
    # A right or a template that is missing is not the record's fault, and comes by somebody's hand.
    if status in _BUSY or status in _BY_HAND:
        return Verdict.LATER, _words(status, reason, stream)
    return Verdict.REFUSED, reason


def _in_words(error: Any, stream: str) -> EngineError:
    """What an answer that is no success means."""
    status: int = error.meta.status
    reason = str(error)[:300]
    if status in (400, 413):
        return Indigestible(reason)
    if status in _BUSY:
        return EngineAway(_words(status, reason, stream), in_doubt=status in _IN_DOUBT)
    if status in _BY_HAND:
        return EngineRefuses(_words(status, reason, stream))
    if status >= 500:
        return EngineAway(f"it failed ({reason})", in_doubt=True)
    return EngineRefuses(reason)


def _words(status: int, reason: str, stream: str) -> str:
    """Why it does not take records now."""
    if status in (401, 403):
        return (
            f"it refuses the API key ({reason}). Check SKERRY_ELASTIC_API_KEY_FILE: the key needs auto_configure, "
            f"create_doc, read and maintenance on {stream}"
        )
    if status == 404:
        return f"there is no template for {stream} ({reason}). Give it those in logstash/templates"
    return f"it has no room now ({reason or status})"


def _first(error: Exception) -> str:
    return str(getattr(error, "message", "") or error).splitlines()[0][:300]


def _read(file: Path | None, variable: str) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable}: {file}: {error.strerror}") from error

"""Searching the log records: a question, a place to go on from and whoever asks, to a page of records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from webfront.accounts.policy import Act, may, require
from webfront.accounts.views import Account
from webfront.clock import Clock
from webfront.errors import ElasticUnavailable
from webfront.jobs.ownership import newest_jobs, own_jobs
from webfront.jobs.queries import find_job
from webfront.logs.asking import Asking
from webfront.logs.cursors import Cursor, Place, order, read_cursor, write_cursor
from webfront.logs.questions import BY_NAME, NAMES, PROCESS, LogQuestion, levels_from, read_question
from webfront.logs.views import Found, RecordView
from webfront.logs.visibility import Clause, Own, shown
from webfront.spans import SPANS

PAGE: Final = 100
"""Records of a page."""
MOST_JOBS: Final = 5000
"""Of a user who asks about no job in particular, what processes tell is looked for of their newest ones."""

_SEARCHED: Final = ("message", "error.message", "error.type")


class Searching:
    def __init__(self, asking: Asking, clock: Clock) -> None:
        self._asking = asking
        self._clock = clock

    def ask(self, account: Account, asked: Mapping[str, str]) -> Found:
        """A page of the records that are asked for in `questions.FIELDS`, the newest first.

        InvalidInput; Forbidden and NotFound about what is somebody else's; NotSetUp, ElasticUnavailable.
        """
        now = self._clock()
        question = read_question(asked, now)
        older, newer = asked.get("before", "").strip(), asked.get("after", "").strip()
        cursor = read_cursor("before", older) if older else read_cursor("after", newer) if newer else None
        backwards = not older and cursor is not None
        asked_at = cursor.asked_at if cursor else int(now * 1000)
        if question.span:
            question = _of_span(question, asked_at)
        own = _own(account, question)
        wanted = conditions(question) + (own.clauses() if own else [])
        hits = self._hits(account, wanted, cursor.place if cursor else None, newest_first=not backwards)
        more = len(hits) > PAGE
        hits = hits[:PAGE][:: -1 if backwards else 1]
        records = tuple(_allowed(account, own, hits))
        ends = [write_cursor(Cursor(asked_at, Place(*hit["sort"]))) for hit in (hits[0], hits[-1])] if hits else None
        newest, oldest = ends or ("", "")
        return Found(
            question=question,
            records=records,
            older=oldest if more or backwards else "",
            newer=newest,
            only_newest_jobs=MOST_JOBS if own is not None and len(own.jobs) == MOST_JOBS else None,
        )

    def _hits(
        self, account: Account, wanted: list[Clause], place: Place | None, *, newest_first: bool
    ) -> list[dict[str, Any]]:
        asked = {"bool": {"filter": wanted}}
        try:
            return self._asking.search(asked, order(newest_first=newest_first), PAGE + 1, place)
        except ElasticUnavailable as error:
            if error.detail is None or not may(account, Act.SEE_EVERY_RECORD):
                raise ElasticUnavailable(error.message) from error
            raise ElasticUnavailable(f"{error.message} It is like this: {error.detail}.") from error


def conditions(question: LogQuestion) -> list[Clause]:
    """What a record must be to answer the question, as Elasticsearch takes it."""
    moments: dict[str, Any] = {"gte": int(question.begin * 1000), "format": "epoch_millis"}
    if not question.until_now:
        moments["lt"] = int(question.end * 1000)
    found: list[Clause] = [{"range": {"@timestamp": moments}}]
    for words in question.words:
        found.append({"multi_match": {"query": words, "fields": list(_SEARCHED), "type": "phrase"}})
    if question.level:
        found.append({"terms": {"log.level": levels_from(question.level)}})
    if question.dataset == PROCESS:
        found.append({"bool": {"must_not": {"exists": {"field": "event.dataset"}}}})
    elif question.dataset:
        found.append({"term": {"event.dataset": question.dataset}})
    else:
        found.append({"bool": {"must_not": {"term": {"event.dataset": BY_NAME}}}})
    return found + [{"term": {field: value}} for name, field in NAMES.items() if (value := getattr(question, name))]


def flat(source: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A record's fields by their dotted names, however it was written; one that it has twice has both values."""
    found: dict[str, Any] = {}
    for name, value in source.items():
        full = _sound(f"{before}{name}")
        inner = flat(value, f"{full}.") if isinstance(value, Mapping) else {full: _sound(value)}
        for field, one in inner.items():
            found[field] = [found[field], one] if field in found else one
    return found


def _sound(value: Any) -> Any:
    """JSON may hold halves of characters, which no answer of ours can."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [_sound(one) for one in value]
        case dict():
            return {_sound(name): _sound(one) for name, one in value.items()}
    return value


def _of_span(question: LogQuestion, asked_at: int) -> LogQuestion:
    """The span as it was when the first page was asked for: its beginning does not move from page to page."""
    return replace(question, begin=asked_at / 1000 - SPANS[question.span])


def _own(account: Account, question: LogQuestion) -> Own | None:
    """Whose records alone this account sees; None where it sees all. Forbidden, NotFound."""
    if may(account, Act.SEE_EVERY_RECORD):
        return None
    if question.user and question.user != account.name:
        require(account, Act.SEE_EVERY_RECORD)
    if question.job:
        return Own(account.name, (find_job(account, question.job).id,))
    return Own(account.name, newest_jobs(account, question.end, MOST_JOBS))


def _allowed(account: Account, own: Own | None, hits: list[dict[str, Any]]) -> Iterator[RecordView]:
    records = [(hit["_id"], hit["sort"][0], flat(hit["_source"])) for hit in hits]
    confirmed = own_jobs(account, (fields.get("skerry.job") for _, _, fields in records)) if own else frozenset()
    for name, at, fields in records:
        if own is None:
            yield RecordView.of(name, at / 1000, fields)
        elif own.may_show(fields, confirmed):
            yield RecordView.of(name, at / 1000, shown(fields))

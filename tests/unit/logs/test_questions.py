"""What is asked of the log records is read within bounds, and nothing of it becomes a query's own language."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webfront.errors import InvalidInput
from webfront.logs.questions import FIELDS, LogQuestion, levels_from, read_question
from webfront.logs.searching import conditions, flat

NOW = datetime(2026, 11, 27, 14, 22, 5, tzinfo=UTC).timestamp()
JOB = "01M8EP8DJEAKVT6NVQ1619QFQ8"


def read(**asked: str) -> LogQuestion:
    return read_question(asked, NOW)


def test_the_last_day_is_asked_for_unless_something_else_is() -> None:
    assert read() == LogQuestion(begin=NOW - 86400, end=NOW, zone="UTC", span="24h")
    assert read_question(dict.fromkeys(FIELDS, " "), NOW) == read()
    assert read(job=JOB).begin == NOW - 90 * 86400
    assert read(job=JOB, span="1h").begin == NOW - 3600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("disk full", ("disk", "full")),
        ('"disk full" node-3', ("disk full", "node-3")),
        ("Disk  disk\tdisk", ("Disk", "disk")),
        ('an "open phrase', ("an", "open", "phrase")),
        ('"" "  "', ()),
        ("http://host/jobs?state=failed", ("http://host/jobs?state=failed",)),
        # What other searches take for their own language is words here.
        ("message:x OR user.name:bob", ("message:x", "OR", "user.name:bob")),
        ("/.a+b/ {x} (y) [1 TO 9]", ("/.a+b/", "{x}", "(y)", "[1", "TO", "9]")),
        ('"a *"', ("a *",)),
        ("größe 日本語", ("größe", "日本語")),
    ],
)
def test_words_are_told_apart_by_spaces_and_quotes(text: str, words: tuple[str, ...]) -> None:
    assert read(words=text).words == words


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"words": "*disk"}, "words", "'*disk' has a wildcard, and there are none. Give whole words"),
        ({"words": "fail*"}, "words", "has a wildcard"),
        ({"words": "fail?"}, "words", "has a wildcard"),
        ({"words": "*"}, "words", "has a wildcard"),
        ({"words": "a -- b"}, "words", "'--' has neither a letter nor a digit"),
        ({"words": "x" * 10_000}, "words", "These are 10000 characters of words. Give 500 at most."),
        ({"words": " ".join(f"w{n}" for n in range(21))}, "words", "These are 21 words. Give 20 at most."),
        ({"level": "loud"}, "level", "There is no level 'loud'. Give one of debug, info, warning, error, critical."),
        ({"dataset": "skerry.*"}, "dataset", "There is no dataset 'skerry.*'. Give one of process, skerry.app"),
        ({"node": "n" * 201}, "node", "What node names is longer than 200 characters."),
        ({"job": "*"}, "job", "'*' is no job's id"),
        ({"job": JOB.lower()}, "job", "is no job's id"),
        ({"span": "8d"}, "span", "There is no span '8d'."),
        ({"zone": "Mars"}, "zone", "There is no time zone 'Mars'."),
        ({"from": "yesterday"}, "from", "'yesterday' is no date."),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "from", "The span ends before it begins."),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_cannot_be_asked_is_refused_with_what_to_change(asked: dict[str, str], field: str, words: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(**asked)
    assert words in raised.value.message
    assert raised.value.detail == {"field": field}


def test_a_level_is_asked_for_with_those_above_it_by_all_their_names() -> None:
    assert levels_from("error") == ["error", "err", "critical", "crit", "alert", "emerg", "fatal", "panic"]
    assert {"info", "notice", "warn", "error"} < set(levels_from("info"))
    assert "debug" not in levels_from("info")


HOSTILE = ('") or true //', '{"match_all": {}}', "a:* OR _exists_:message", "\\", "]}}", "\x00x", "\u202etxt")


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_asked_stays_one_value_of_one_field(text: str) -> None:
    """The query has the same shape for a plain word: only values differ."""
    values = {"node": text, "app": text, "process": text, "user": text}
    plain = conditions(read(words='"x"', **dict.fromkeys(values, "x")))
    hostile = conditions(read(words='"x"', **values))
    assert _shape(json.loads(json.dumps(hostile))) == _shape(plain)
    (words,) = [
        one["multi_match"] for one in conditions(LogQuestion(0, 1, "UTC", words=(text,))) if "multi_match" in one
    ]
    assert words == {"query": text, "fields": ["message", "error.message", "error.type"], "type": "phrase"}


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(one) for name, one in value.items()}
    return [_shape(one) for one in value] if isinstance(value, list) else type(value)


def test_a_record_has_its_fields_by_dotted_names_however_it_was_written() -> None:
    assert flat({"event.id": "a", "log": {"level": "info"}, "skerry": {"job.x": {"y": 1}}, "tags": ["a"]}) == {
        "event.id": "a", "log.level": "info", "skerry.job.x.y": 1, "tags": ["a"],
    }  # fmt: skip
    assert flat({"skerry.job": "mine", "skerry": {"job": "another"}}) == {"skerry.job": ["mine", "another"]}
    json.dumps(flat({"message": "half \ud800", "more": [{"\udfff": "\ud800"}]}), ensure_ascii=False).encode()

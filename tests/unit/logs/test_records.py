"""What is a record, by what it is known, and what would break out of its line."""

from __future__ import annotations

import json
import logging

import pytest

from webfront.logs.records import Poison, name_of
from wire.logs import EcsFormatter


def born(message: str = "hello", **extra: object) -> bytes:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, message, None, None)
    record.__dict__.update(extra)
    return EcsFormatter("webfront", None).format(record).encode()


def test_a_record_is_known_by_what_it_was_born_with() -> None:
    body = born('"event.id": "another-1"', **{"skerry.job": '{"event.id": "third-1"'})
    assert name_of(body) == json.loads(body)["event.id"]


def test_two_records_are_two() -> None:
    formatter = EcsFormatter("webfront", None)
    first, second = (logging.LogRecord("x", logging.INFO, __file__, 1, "same", None, None) for _ in range(2))
    assert name_of(formatter.format(first).encode()) != name_of(formatter.format(second).encode())


def test_one_of_an_earlier_release_is_known_by_its_content() -> None:
    body = b'{"@timestamp": "2026-01-01T00:00:00.000Z", "message": "hello"}'
    assert name_of(body) == name_of(bytes(body))
    assert name_of(body) != name_of(body.replace(b"hello", b"hallo"))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"hello", b"[]", b"1", b"null", b'"x"', b"\xff\xfe", b'{"event.id": "a\n-1"}', b'{"a": 1}\n{"delete": {}}',
        b'{"event.id": "a-1"}\n{"delete": {"_id": "b"}}', b'{"event.id": "a-1"}\r', b'{"event.id": "a b"',
        b'{"event.id": "' + b"a" * 65 + b'"', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_none_is_told_why(body: bytes) -> None:
    with pytest.raises(Poison, match=r"\w+ \w+"):
        name_of(body)


def test_a_long_message_is_cut_where_it_is_born() -> None:
    body = born("x" * 1_000_000)
    assert len(body) < 20_000
    assert json.loads(body)["message"].endswith("x ... (984000 more characters)")

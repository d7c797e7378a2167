"""KQL is read as Kibana reads it, and what is not known is refused."""

from __future__ import annotations

import pytest
from support.kql import NotKql, Query, to_query


def phrase(field: str, value: str) -> Query:
    return {"match_phrase": {field: value}}


def either(*of: Query) -> Query:
    return {"bool": {"should": [*of], "minimum_should_match": 1}}


READ: dict[str, Query] = {
    "": {"match_all": {}},
    "a.b: c": {"match": {"a.b": "c"}},
    "a:c": {"match": {"a": "c"}},
    'a: "c d"': phrase("a", "c d"),
    r'a: "say \"c\""': phrase("a", 'say "c"'),
    "a: *": {"exists": {"field": "a"}},
    "a >= 5": {"range": {"a": {"gte": "5"}}},
    "a<5": {"range": {"a": {"lt": "5"}}},
    'a: ("b" or "c")': either(phrase("a", "b"), phrase("a", "c")),
    'a: "b" and c: "d"': {"bool": {"filter": [phrase("a", "b"), phrase("c", "d")]}},
    'not a: "b"': {"bool": {"must_not": [phrase("a", "b")]}},
    'a: "b" or c: "d" and e: "f"': either(phrase("a", "b"), {"bool": {"filter": [phrase("c", "d"), phrase("e", "f")]}}),
    '(a: "b" OR c: "d") AND e: "f"': {
        "bool": {"filter": [either(phrase("a", "b"), phrase("c", "d")), phrase("e", "f")]}
    },
    'not (a: "b" or c: "d")': {"bool": {"must_not": [either(phrase("a", "b"), phrase("c", "d"))]}},
}
REFUSED = [
    "words alone",
    '"a phrase alone"',
    "a: b*",
    "a*: b",
    "a: { b: c }",
    "a: (b and c)",
    "a:",
    "a",
    "(a: b",
    "a: b)",
    "a: b and",
    "a: (b or",
    'a: "b',
    "a: b c: d",
]


@pytest.mark.parametrize("text", READ)
def test_a_query_is_read(text: str) -> None:
    assert to_query(text) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(NotKql):
        to_query(text)

"""Kibana's query language KQL, as much of it as the saved objects use, as Elasticsearch's queries.

    field: value    field: "some words"    field: *    field >= 5    field: (a or "b c")    and    or    not    ( )

The queries are those that Kibana makes where it does not look at a field's type: on keywords, numbers, booleans and
dates, `match` and `term` find the same. Anything else (words without a field, wildcards inside a value, nested fields,
functions) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

Query = dict[str, Any]

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<mark>[():]|<=|>=|<|>)|"(?P<quoted>(?:[^"\\]|\\["\\])*)"|(?P<word>[^\s():<>"{}\\]+))'
)
_RANGES: Final = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


class NotKql(ValueError):
    """It is no KQL, or KQL that is not known here; the words say what of it."""


class _Token(NamedTuple):
    kind: str
    text: str


def to_query(text: str) -> Query:
    """The query that a text asks; everything where it is empty. NotKql."""
    if not text.strip():
        return {"match_all": {}}
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*_tokens(text), _Token("end", "")]

    def whole(self) -> Query:
        found = self._or()
        if self._tokens[0].kind != "end":
            raise NotKql(f"{self._text}: after its end {self._tokens[0].text!r}")
        return found

    def _or(self) -> Query:
        return self._joined("or", self._and)

    def _and(self) -> Query:
        return self._joined("and", self._not)

    def _joined(self, word: str, part: Callable[[], Query]) -> Query:
        parts = [part()]
        while self._takes_word(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        if word == "or":
            return {"bool": {"should": parts, "minimum_should_match": 1}}
        return {"bool": {"filter": parts}}

    def _not(self) -> Query:
        if self._takes_word("not"):
            return {"bool": {"must_not": [self._not()]}}
        if self._takes("("):
            found = self._or()
            self._close()
            return found
        return self._field()

    def _field(self) -> Query:
        token = self._next()
        name = token.text
        if token.kind != "word" or "*" in name:
            raise NotKql(f"{self._text}: no field's name but {name!r}")
        mark = self._next()
        if mark.text in _RANGES:
            return {"range": {name: {_RANGES[mark.text]: self._literal()}}}
        if mark.text != ":":
            raise NotKql(f"{self._text}: after {name} comes {mark.text!r}, and no value")
        return self._values(name)

    def _values(self, name: str) -> Query:
        if not self._takes("("):
            return self._value(name)
        parts = [self._value(name)]
        while self._takes_word("or"):
            parts.append(self._value(name))
        self._close()
        return {"bool": {"should": parts, "minimum_should_match": 1}}

    def _value(self, name: str) -> Query:
        token = self._next()
        if token.kind == "quoted":
            return {"match_phrase": {name: re.sub(r"\\(.)", r"\1", token.text)}}
        if token.kind != "word":
            raise NotKql(f"{self._text}: no value of {name} but {token.text!r}")
        if token.text == "*":
            return {"exists": {"field": name}}
        return {"match": {name: self._plain(token.text)}}

    def _literal(self) -> str:
        token = self._next()
        if token.kind not in ("word", "quoted"):
            raise NotKql(f"{self._text}: no value but {token.text!r}")
        return self._plain(token.text) if token.kind == "word" else token.text

    def _plain(self, text: str) -> str:
        if "*" in text or text.lower() in ("and", "or", "not"):
            raise NotKql(f"{self._text}: the value {text}")
        return text

    def _next(self) -> _Token:
        return self._tokens.pop(0)

    def _close(self) -> None:
        if not self._takes(")"):
            raise NotKql(f"{self._text}: {self._tokens[0].text!r} instead of )")

    def _takes(self, mark: str) -> bool:
        return self._take(_Token("mark", mark))

    def _takes_word(self, word: str) -> bool:
        token = self._tokens[0]
        return token.kind == "word" and token.text.lower() == word and self._take(token)

    def _take(self, token: _Token) -> bool:
        if self._tokens[0] != token:
            return False
        self._next()
        return True


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise NotKql(f"{text}: {text[place:].strip()[:20]!r}")
        yield _Token(found.lastgroup, found[found.lastgroup])
        place = found.end()

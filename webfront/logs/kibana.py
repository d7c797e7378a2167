"""Addresses in Kibana: where a dashboard or Discover stands, in its version 8.19 or 9, with its time and its query.

Kibana keeps a page's state behind the `#` of its address as Rison, a writing of JSON for addresses: `_g` is the time,
`_a` the rest. What dashboards and the data view are called there is what `roles/kibana` imports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from webfront.logs.questions import BY_NAME, NAMES, PROCESS, LogQuestion, levels_from

USE: Final = "skerry-use"
OPERATIONS: Final = "skerry-operations"
AUDIT: Final = "skerry-audit"
DATA_VIEW: Final = "skerry-logs"

_BARE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
"""What is written without quotes. Rison allows more."""
_MARKED: Final = re.compile(r"(['!])")
_COLUMNS: Final = ("log.level", "service.name", "skerry.node", "message")
_LAST_WEEK: Final = ("now-7d", "now")
_LAST_QUARTER: Final = ("now-90d", "now")

_USED: Final = {
    "function": "event.action",
    "user": "user.name",
    "node": "skerry.node",
    "controller": "skerry.controller",
}
"""What is asked about the platform's use, and the record's field."""

Time = tuple[str, str]


class Kibana:
    def __init__(self, url: str) -> None:
        """`url` may end in a space of Kibana's, `/s/NAME`."""
        self._url = url.rstrip("/")

    def use(self, time: Time, **wanted: str) -> str:
        """The dashboard of the platform's use, of this time, with these names alone."""
        return self._dashboard(USE, time, both({_USED[name]: value for name, value in wanted.items() if value}))

    def node(self, name: str) -> str:
        """The dashboard of the platform's operation, of one node."""
        return self._dashboard(OPERATIONS, _LAST_WEEK, both({"skerry.node": name}))

    def audit(self) -> str:
        """The dashboard of what was done by whom."""
        return self._dashboard(AUDIT, _LAST_WEEK, "")

    def job(self, job: str) -> str:
        """Discover, with the records of one job."""
        return self._discover(_LAST_QUARTER, both({"skerry.job": job}))

    def records(self, question: LogQuestion) -> str:
        """Discover, with the question that was asked of the log records."""
        return self._discover(moments(question.span, question.begin, question.end), kql(question))

    def _dashboard(self, name: str, time: Time, query: str) -> str:
        return self._address(f"dashboards#/view/{name}", time, _query(query) if query else {})

    def _discover(self, time: Time, query: str) -> str:
        state = {
            "columns": list(_COLUMNS),
            "dataSource": {"dataViewId": DATA_VIEW, "type": "dataView"},
            **_query(query),
            "sort": [["@timestamp", "desc"]],
        }
        return self._address("discover#/", time, state)

    def _address(self, page: str, time: Time, state: dict[str, Any]) -> str:
        begin, end = time
        parts = {"_g": {"time": {"from": begin, "to": end}}, "_a": state}
        written = "&".join(f"{name}={_safe(rison(value))}" for name, value in parts.items() if value)
        return f"{self._url}/app/{page}?{written}"


def moments(span: str, begin: float, end: float) -> Time:
    """A span as Kibana takes it: one that has a name ends now there too."""
    if span:
        return f"now-{span}", "now"
    return _moment(begin), _moment(end)


def kql(question: LogQuestion) -> str:
    """The question in Kibana's language, but for its time."""
    found = [f"(message : {one} or error.message : {one} or error.type : {one})" for one in map(_value, question.words)]
    if question.level:
        found.append(f"log.level : ({' or '.join(map(_value, levels_from(question.level)))})")
    if question.dataset == PROCESS:
        found.append("not event.dataset : *")
    elif question.dataset:
        found.append(f"event.dataset : {_value(question.dataset)}")
    else:
        found.append(f"not event.dataset : {_value(BY_NAME)}")
    named = {field: value for name, field in NAMES.items() if (value := getattr(question, name))}
    return " and ".join([*found, both(named)] if named else found)


def both(wanted: Mapping[str, str]) -> str:
    """Records that have each of these values, in Kibana's language."""
    return " and ".join(f"{field} : {_value(value)}" for field, value in wanted.items())


def rison(value: Any) -> str:
    """The value as Rison."""
    match value:
        case str():
            return value if _BARE.fullmatch(value) else "'" + _MARKED.sub(r"!\1", value) + "'"
        case list():
            return f"!({','.join(map(rison, value))})"
        case dict():
            return f"({','.join(f'{rison(name)}:{rison(one)}' for name, one in value.items())})"
    raise TypeError(f"{type(value)} is in no address")


def _query(text: str) -> dict[str, Any]:
    return {"query": {"language": "kuery", "query": text}}


def _value(text: str) -> str:
    """A value of Kibana's language, in quotes: nothing in it has a meaning there."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for plain, written in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(plain, written)
    return f'"{escaped}"'


def _safe(text: str) -> str:
    """What the part behind the `#` may hold as it is, and the rest in percents."""
    return quote(text, safe="!'()*,:@$/~")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

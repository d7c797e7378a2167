"""Addresses in Kibana: their state is Rison that another reader of it takes back, and no value leaves its quotes."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import rison as another  # type: ignore[import-untyped]

from webfront.logs.kibana import Kibana, kql, moments, rison
from webfront.logs.questions import LogQuestion

KIBANA = Kibana("https://kibana.example/s/skerry/")
SIGNS = " '!:(),*@$&#%+?=/\\\"-_.~\n\t\0é日\u202e0aZ"
JOB = "01M8EP8DJEAKVT6NVQ1619QFQ8"


def state(address: str) -> tuple[str, dict[str, Any]]:
    """The page, and what its state says, as a browser hands both to Kibana."""
    url = urlsplit(address)
    assert (url.scheme, url.netloc) == ("https", "kibana.example")
    page, _, query = url.fragment.partition("?")
    parts = dict(part.split("=", 1) for part in query.split("&"))
    return f"{url.path}#{page}", {name: another.loads(unquote(text)) for name, text in parts.items()}


def test_rison_is_read_back_as_it_was_meant() -> None:
    chance = random.Random(20261127)

    def text() -> str:
        return "".join(chance.choices(SIGNS, k=chance.randrange(12)))

    def value(depth: int) -> Any:
        kind = chance.randrange(3 if depth else 1)
        if kind == 1:
            return [value(depth - 1) for _ in range(chance.randrange(4))]
        if kind == 2:
            return {text(): value(depth - 1) for _ in range(chance.randrange(4))}
        return text()

    for _ in range(1000):
        meant = value(3)
        assert another.loads(rison(meant)) == meant


@pytest.mark.parametrize("plain", ["!t", "!f", "!n", "-1", "0", "1e3", "true", "", "!'", "a:b", "(a:b)", "!(a)"])
def test_a_text_stays_a_text(plain: str) -> None:
    assert another.loads(rison(plain)) == plain


def test_each_place_leads_to_its_own_page_of_kibana() -> None:
    assert state(KIBANA.audit()) == (
        "/s/skerry/app/dashboards#/view/skerry-audit",
        {"_g": {"time": {"from": "now-7d", "to": "now"}}},
    )
    query = {"language": "kuery", "query": 'skerry.node : "alpha"'}
    assert state(KIBANA.node("alpha"))[0] == "/s/skerry/app/dashboards#/view/skerry-operations"
    assert state(KIBANA.node("alpha"))[1]["_a"] == {"query": query}
    page, found = state(
        KIBANA.use(moments("", 0.0, 86400.5), user="ada", node="", function="job.submit", controller="")
    )
    assert page == "/s/skerry/app/dashboards#/view/skerry-use"
    assert found["_g"] == {"time": {"from": "1970-01-01T00:00:00.000Z", "to": "1970-01-02T00:00:00.500Z"}}
    assert found["_a"]["query"]["query"] == 'user.name : "ada" and event.action : "job.submit"'
    page, found = state(KIBANA.job(JOB))
    assert page == "/s/skerry/app/discover#/"
    assert found["_a"]["dataSource"] == {"dataViewId": "skerry-logs", "type": "dataView"}
    assert found["_a"]["query"]["query"] == f'skerry.job : "{JOB}"'


def test_the_records_of_a_search_are_searched_for_alike() -> None:
    question = LogQuestion(
        0.0, 86400.0, "UTC", span="7d", words=("disk full", "gone"), level="error", dataset="process", node="alpha"
    )
    _, found = state(KIBANA.records(question))
    assert found["_g"] == {"time": {"from": "now-7d", "to": "now"}}
    assert found["_a"]["query"]["query"] == (
        '(message : "disk full" or error.message : "disk full" or error.type : "disk full") and '
        '(message : "gone" or error.message : "gone" or error.type : "gone") and '
        'log.level : ("error" or "err" or "critical" or "crit" or "alert" or "emerg" or "fatal" or "panic") and '
        'not event.dataset : * and skerry.node : "alpha"'
    )
    assert kql(LogQuestion(0, 1, "UTC")) == 'not event.dataset : "skerry.measurement"'
    assert kql(LogQuestion(0, 1, "UTC", dataset="skerry.measurement")) == 'event.dataset : "skerry.measurement"'


@pytest.mark.parametrize("hostile", ['" or user.name : *', "\\", '\\" or *', "a\nb", "'!)", "&_a=(query:x)#", "</a>"])
def test_no_value_leaves_its_quotes(hostile: str) -> None:
    address = KIBANA.records(LogQuestion(0, 1, "UTC", dataset="process", node=hostile))
    assert not set(' <>"\n') & set(address)
    query = state(address)[1]["_a"]["query"]["query"]
    before = 'not event.dataset : * and skerry.node : "'
    assert query.startswith(before)
    assert query.endswith('"')
    inside = query[len(before) : -1]
    assert inside.replace("\\\\", "").replace('\\"', "").replace("\\n", "").count('"') == 0
    assert inside.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\") == hostile

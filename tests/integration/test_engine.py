"""What shipping to Elasticsearch stands on, shown of the engine itself: data streams, ids, rights, and its death."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from support.elasticsearch import PrivateElasticsearch, basic, distribution

CREATED, CONFLICT, FORBIDDEN = 201, 409, 403
ONLY_CREATES = {"indices": [{"names": ["trial-skerry*"], "privileges": ["create_doc"]}]}


@pytest.fixture(scope="module")
def template(engine: PrivateElasticsearch) -> None:
    """Whatever is written to `trial-skerry*` makes a data stream."""
    fields = {
        "@timestamp": {"type": "date"},
        "message": {"type": "text"},
        "log": {"properties": {"level": {"type": "keyword"}}},
    }
    body = {
        "index_patterns": ["trial-skerry*"],
        "data_stream": {},
        "priority": 500,
        "template": {"settings": {"number_of_replicas": 0}, "mappings": {"properties": fields}},
    }
    assert engine.request("PUT", "/_index_template/trial-skerry", body)[0] == 200


@pytest.fixture
def stream(template: None) -> str:
    """The name of a data stream that is not there yet."""
    return f"trial-skerry-{secrets.token_hex(4)}"


@pytest.fixture
def left_running(engine: PrivateElasticsearch) -> Iterator[None]:
    yield
    if engine.process is None:
        engine.start()


def record(second: int, level: str) -> dict[str, Any]:
    return {"@timestamp": f"2026-03-01T12:{second // 60:02}:{second % 60:02}Z", "message": "x", "log": {"level": level}}


def create(engine: PrivateElasticsearch, stream: str, *ids: str, authorization: str | None = None) -> list[int]:
    """Bulk-create a record for each id, a second apart; what became of each."""
    lines: list[object] = []
    for number, one in enumerate(ids):
        lines += [{"create": {"_index": stream, "_id": one}}, record(number, "WARN" if number % 3 == 0 else "INFO")]
    return bulk(engine, *lines, authorization=authorization)


def bulk(engine: PrivateElasticsearch, *lines: object, authorization: str | None = None) -> list[int]:
    body = "".join(json.dumps(line) + "\n" for line in lines)
    status, answer = engine.request("POST", "/_bulk?refresh=true", body, authorization=authorization)
    assert status == 200, answer
    return [done["status"] for item in answer["items"] for done in item.values()]


def behind(engine: PrivateElasticsearch, stream: str) -> list[str]:
    """The indices of a data stream, the one that is written to last."""
    status, answer = engine.request("GET", f"/_resolve/index/{stream}")
    assert status == 200, answer
    indices: list[str] = answer["data_streams"][0]["backing_indices"]
    return indices


def found(engine: PrivateElasticsearch, stream: str) -> list[str]:
    """The ids in it, sorted, each as often as it is there."""
    status, answer = engine.request("GET", f"/{stream}/_search?size=1000&_source=false")
    assert status == 200, answer
    return sorted(hit["_id"] for hit in answer["hits"]["hits"])


def test_the_first_record_makes_a_data_stream_and_a_rollover_its_next_index(
    engine: PrivateElasticsearch, stream: str
) -> None:
    assert create(engine, stream, "a", "b") == [CREATED, CREATED]
    [first] = behind(engine, stream)
    status, answer = engine.request("POST", f"/{stream}/_rollover")
    assert (status, answer["rolled_over"], answer["old_index"]) == (200, True, first)
    assert behind(engine, stream) == [first, answer["new_index"]]
    assert create(engine, stream, "c") == [CREATED]
    assert found(engine, stream) == ["a", "b", "c"]
    # What is old goes as a whole index; the one that is written to cannot go.
    assert engine.request("DELETE", f"/{answer['new_index']}")[0] == 400
    assert engine.request("DELETE", f"/{first}")[0] == 200
    assert found(engine, stream) == ["c"]


def test_an_id_is_refused_again_only_until_a_rollover(engine: PrivateElasticsearch, stream: str) -> None:
    assert create(engine, stream, "a") == [CREATED]
    assert create(engine, stream, "a", "b") == [CONFLICT, CREATED]
    assert engine.request("POST", f"/{stream}/_rollover")[0] == 200
    # Whoever sends something again after a rollover has it twice.
    assert create(engine, stream, "a", "a") == [CREATED, CONFLICT]
    assert found(engine, stream) == ["a", "a", "b"]


def test_it_counts_by_minute_and_by_level(engine: PrivateElasticsearch, stream: str) -> None:
    assert set(create(engine, stream, *map(str, range(90)))) == {CREATED}
    question = {
        "size": 0,
        "aggs": {
            "minutes": {
                "date_histogram": {"field": "@timestamp", "fixed_interval": "1m"},
                "aggs": {"levels": {"terms": {"field": "log.level"}}},
            }
        },
    }
    status, answer = engine.request("POST", f"/{stream}/_search", question)
    assert status == 200
    counted = [
        (minute["key_as_string"], {one["key"]: one["doc_count"] for one in minute["levels"]["buckets"]})
        for minute in answer["aggregations"]["minutes"]["buckets"]
    ]
    assert counted == [
        ("2026-03-01T12:00:00.000Z", {"INFO": 40, "WARN": 20}),
        ("2026-03-01T12:01:00.000Z", {"INFO": 20, "WARN": 10}),
    ]


def test_a_pipeline_takes_a_line_apart(engine: PrivateElasticsearch) -> None:
    pattern = "%{TIMESTAMP_ISO8601:at} %{LOGLEVEL:log.level} %{GREEDYDATA:text}"
    processors = [
        {"grok": {"field": "message", "patterns": [pattern]}},
        {"date": {"field": "at", "formats": ["ISO8601"]}},
    ]
    line = {"message": "2026-03-01T12:00:05Z WARN the disk is nearly full"}
    question = {"pipeline": {"processors": processors}, "docs": [{"_source": line}]}
    status, answer = engine.request("POST", "/_ingest/pipeline/_simulate", question)
    assert status == 200
    made = answer["docs"][0]["doc"]["_source"]
    assert (made["log"]["level"], made["text"]) == ("WARN", "the disk is nearly full")
    assert made["@timestamp"] == "2026-03-01T12:00:05.000Z"


@pytest.mark.parametrize("kind", ["user", "API key"])
def test_whoever_may_only_create_can_neither_read_nor_delete(
    engine: PrivateElasticsearch, stream: str, kind: str
) -> None:
    assert create(engine, stream, "a") == [CREATED]  # to make the stream takes another right
    shipper = shipping_user(engine) if kind == "user" else api_key(engine)

    assert create(engine, stream, "b", authorization=shipper) == [CREATED]
    assert create(engine, "other", "b", authorization=shipper) == [FORBIDDEN]
    assert create(engine, f"{stream}-new", "b", authorization=shipper) == [FORBIDDEN]
    [index] = behind(engine, stream)
    assert bulk(engine, {"delete": {"_index": index, "_id": "a"}}, authorization=shipper) == [FORBIDDEN]
    everything: dict[str, Any] = {"query": {"match_all": {}}}
    for method, path, body in (
        ("POST", f"/{stream}/_search", everything),
        ("POST", f"/{stream}/_delete_by_query", everything),
        ("DELETE", f"/{index}", None),
        ("PUT", "/_index_template/mine", {"index_patterns": ["mine"]}),
    ):
        assert engine.request(method, path, body, authorization=shipper)[0] == FORBIDDEN, path
    assert found(engine, stream) == ["a", "b"]


def shipping_user(engine: PrivateElasticsearch) -> str:
    assert engine.request("PUT", "/_security/role/trial-shipper", ONLY_CREATES)[0] == 200
    password = "correct horse battery"
    user = {"password": password, "roles": ["trial-shipper"]}
    assert engine.request("PUT", "/_security/user/trial-shipper", user)[0] == 200
    return basic("trial-shipper", password)


def api_key(engine: PrivateElasticsearch) -> str:
    body = {"name": "trial-shipper", "role_descriptors": {"shipper": ONLY_CREATES}}
    status, answer = engine.request("POST", "/_security/api_key", body)
    assert status == 200
    return f"ApiKey {answer['encoded']}"


def test_a_wrong_password_is_refused(engine: PrivateElasticsearch) -> None:
    assert engine.request("GET", "/", authorization=basic("elastic", "wrong"))[0] == 401
    assert engine.request("GET", "/")[1]["version"]["number"] == "8.19.8"


@pytest.mark.usefixtures("left_running")
def test_what_it_has_acknowledged_outlives_its_death(engine: PrivateElasticsearch, stream: str) -> None:
    key = api_key(engine)
    assert create(engine, stream, "a", "b") == [CREATED, CREATED]
    assert engine.process is not None
    family = psutil.Process(engine.process.pid).children(recursive=True)
    assert len(family) == 2  # a launcher and the server

    engine.kill()
    assert not any(one.is_running() for one in family)
    with pytest.raises(httpx.ConnectError):
        engine.request("GET", "/")

    engine.start()
    assert found(engine, stream) == ["a", "b"]
    assert create(engine, stream, "b", "c", authorization=key) == [CONFLICT, CREATED]
    # Nothing of all this is in the distribution, which other runs share.
    assert not list((distribution() / "logs").iterdir())
    assert not (distribution() / "data").exists()

"""Logstash's pipeline: every file is of the language, and each filter does to real lines what is expected of it.

Logstash's program is in none of the registries that the tests reach. `support.logstash` says what stands in for what.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import secrets
from pathlib import Path
from typing import Any

import pika
import pytest
from support.elasticsearch import PrivateElasticsearch
from support.foreign import COMBINED, LINES
from support.front import until
from support.ingest import Json, Untranslatable
from support.logstash import (
    ARRIVED,
    PIPELINE,
    Event,
    Filters,
    Refused,
    broker_event,
    file_events,
    plugins,
    read,
)
from support.rabbitmq import PrivateRabbit
from support.shipping import Shipping, Writer, answered, install

STREAMS = itertools.count(1)
ZONE = "Asia/Kolkata"
START = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC).timestamp()
"""When Logstash was started: long before all these lines."""

FAULTS: list[tuple[str, str, str]] = [
    ("11-input-files.conf", r"|\d{6} )[", ")["),
    ("11-input-files.conf", 'what => "previous"', 'what => "next"'),
    ("20-lines.conf", 'copy => { "message"', 'copy => { "host"'),
    ("40-nginx-access.conf", "dd/MMM/yyyy:HH:mm:ss Z", "dd/MMM/yyyy:HH:mm:ss"),
    ("40-nginx-access.conf", "[^?\\s\"]+'", "[^\\s\"]+'"),
    ("40-nginx-access.conf", "'PAGE' => '[^?\"]+'", "'PAGE' => '[^\"]+'"),
    ("40-nginx-access.conf", ">= 400", "> 400"),
    ("40-nginx-access.conf", "%{INT:[http][response][status_code]:int}", "%{INT:[http][response][status_code]}"),
    (
        "40-nginx-access.conf",
        'rename => { "[host.name]" => "[host][name]" }',
        'rename => { "[host.name]" => "[host][id]" }',
    ),
    ("40-nginx-access.conf", '"skerry_unreadable" not in [tags]', '"skerry_unreadable" in [tags]'),
    ("41-nginx-error.conf", 'timezone => "${SKERRY_LOG_ZONE}"', 'timezone => "UTC"'),
    ("41-nginx-error.conf", r"(?:%{REFERRER})?\z", r"(?:%{REFERRER})?"),
    ("41-nginx-error.conf", "%{INT:[process][pid]:int}#%{INT}: ", "(?:%{INT:[process][pid]:int}#%{INT}: )?"),
    ("41-nginx-error.conf", "'FRONT' => '[^/\"]*'", "'FRONT' => '[^\"]*'"),
    ("42-mysql.conf", ', "yyyy-MM-dd  H:mm:ss"', ""),
    ("42-mysql.conf", ', "yyMMdd HH:mm:ss"', ""),
    ("42-mysql.conf", "(?m:.*)", ".*"),
    ("42-mysql.conf", 'lowercase => ["[log][level]"]', 'lowercase => ["message"]'),
    ("42-mysql.conf", r"\[MY-%{INT:[event][code]}\]", r"\[%{INT:[event][code]}\]"),
    ("43-rabbitmq.conf", '"T"]', '"_"]'),
    ("43-rabbitmq.conf", "%{ERLANG:[process][name]} ", "%{ERLANG:[process][name]}"),
    ("43-rabbitmq.conf", "if ![@metadata][said]", "if [@metadata][said]"),
    ("44-supervisor.conf", "HH:mm:ss,SSS", "HH:mm:ss"),
    ("44-supervisor.conf", '"^warn$"', '"^warm$"'),
    ("80-once.conf", 'remove_field => ["@version"]', 'remove_field => ["@nothing"]'),
    ("80-once.conf", '"skerry_unreadable" not in [tags]', '"skerry_unreadable" in [tags]'),
]
"""A file, a piece of it, and a fault in its place, which the lines must show."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logstash")


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, Json]:
    """What the pipeline's files say."""
    return read(sorted(PIPELINE.glob("*.conf")), folder)


@pytest.fixture
def stream(engine: PrivateElasticsearch) -> str:
    """A data stream of this test's own, with one record in it."""
    install(engine)
    name = f"logs-skerry-logstash{next(STREAMS)}"
    create(engine, name, "first", {"@timestamp": ARRIVED, "message": "first"})
    return name


def create(engine: PrivateElasticsearch, stream: str, name: str, document: Event) -> int:
    """What the engine answers to one document, written as the output writes it."""
    lines = json.dumps({"create": {"_index": stream, "_id": name}}) + "\n" + json.dumps(document) + "\n"
    [item] = answered(engine, "POST", "/_bulk?refresh=true", lines)["items"]
    return int(item["create"]["status"])


def filters(
    engine: PrivateElasticsearch, files: dict[str, Json], *, stream: str = "logs-skerry-none", started: float = START
) -> Filters:
    return Filters(engine, files, {"SKERRY_LOG_ZONE": ZONE, "SKERRY_ELASTIC_STREAM": stream}, started)


def inputs(files: dict[str, Json]) -> list[Json]:
    return [*files["10-input-broker.conf"]["input"], *files["11-input-files.conf"]["input"]]


def flat(event: Event, within: str = "") -> dict[str, Any]:
    """With whole names, and times in UTC."""
    found: dict[str, Any] = {}
    for name, value in event.items():
        if isinstance(value, dict):
            found |= flat(value, f"{within}{name}.")
        elif f"{within}{name}" == "@timestamp":
            moment = datetime.datetime.fromisoformat(value).astimezone(datetime.UTC)
            found["@timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        else:
            found[f"{within}{name}"] = value
    return found


def shown(event: Event) -> dict[str, Any]:
    """What of it reaches Elasticsearch: everything but `@metadata`."""
    return flat({name: value for name, value in event.items() if name != "@metadata"})


def mistaken(engine: PrivateElasticsearch, files: dict[str, Json]) -> list[str]:
    """The lines of which does not become what is expected. All go in one go, each knowing whose it is."""
    events = []
    for number, (dataset, text, _) in enumerate(LINES):
        for event in file_events(inputs(files), dataset, text.split("\n")):
            event["@metadata"]["case"] = number
            events.append(event)
    made: list[list[dict[str, Any]]] = [[] for _ in LINES]
    for event in filters(engine, files).run(*events):
        record = shown(event)
        # What is made of a line is another test's; what is born with one keeps it.
        if len(str(record["event.id"])) == 44:
            del record["event.id"]
        made[event["@metadata"]["case"]].append(record)
    faults = []
    for (dataset, text, expected), got in zip(LINES, made, strict=True):
        [path] = {str(record.pop("log.file.path", None)) for record in got} or {""}
        wanted = [{"host.name": "here", "event.dataset": dataset, **one} for one in expected]
        if got != wanted or not path.startswith("${SKERRY_LOG_"):
            faults.append(f"{dataset}: {text}:\n{got}\n{wanted}")
    return faults


def test_every_file_is_of_the_language_and_names_all_its_parts(files: dict[str, Json]) -> None:
    assert sorted(files) == sorted(file.name for file in PIPELINE.iterdir())
    everything = [one for file in files.values() for section in file.values() for one in plugins(section)]
    names = [one["settings"]["id"] for one in everything]
    assert len(names) == len(set(names)) > 40


def test_a_file_with_a_fault_is_told_with_its_place(folder: Path) -> None:
    broken = folder / "broken.conf"
    broken.write_text('filter {\n  mutate {\n    id => "x\n}\n')
    with pytest.raises(ValueError, match=r"broken\.conf.*[23]:\d+"):
        read([broken], folder)


@pytest.mark.parametrize(
    "text",
    [
        'geoip { source => "x" }',
        'mutate { id => "x" uppercase => ["a"] }',
        'date { id => "x" match => ["at", "UNIX"] }',
    ],
)
def test_what_nobody_has_translated_is_refused(engine: PrivateElasticsearch, folder: Path, text: str) -> None:
    unknown = folder / "unknown.conf"
    unknown.write_text(f"filter {{ {text} }}")
    with pytest.raises(Untranslatable):
        filters(engine, read([unknown], folder))


def test_what_programs_write_becomes_records(engine: PrivateElasticsearch, files: dict[str, Json]) -> None:
    assert mistaken(engine, files) == []


@pytest.mark.parametrize(("name", "piece", "fault"), FAULTS)
def test_a_planted_fault_is_seen(
    engine: PrivateElasticsearch, folder: Path, tmp_path: Path, name: str, piece: str, fault: str
) -> None:
    for file in PIPELINE.glob("*.conf"):
        text = file.read_text()
        if file.name == name:
            assert piece in text
            text = text.replace(piece, fault)
        (tmp_path / file.name).write_text(text)
    with contextlib.suppress(Refused, Untranslatable):  # which is seen as well
        assert mistaken(engine, read(sorted(tmp_path.glob("*.conf")), folder)) != []


OURS = {
    "event.id": "5d2f4c7e9a1b3c0d-1f",
    "@timestamp": "2026-11-27T18:29:59.001Z",
    "log.level": "info",
    "message": "hi",
}


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_message_of_the_broker_is_as_many_records_as_it_has_lines(
    engine: PrivateElasticsearch, files: dict[str, Json], count: int, end: str
) -> None:
    records = [OURS | {"event.id": f"5d2f4c7e9a1b3c0d-{number}"} for number in range(count)]
    body = "\n".join(map(json.dumps, records)) + end
    made = filters(engine, files).run(broker_event(inputs(files), body))
    assert [shown(event) for event in made] == records
    assert [event["@metadata"]["id"] for event in made] == [record["event.id"] for record in records]


@pytest.mark.parametrize("body", ["no JSON", "[1, 2]", '{"event.id":"x","message":'])
def test_what_is_no_record_is_kept_as_it_came(engine: PrivateElasticsearch, files: dict[str, Json], body: str) -> None:
    [event] = filters(engine, files).run(broker_event(inputs(files), body))
    found = shown(event)
    assert found.pop("event.id") == event["@metadata"]["id"]
    assert found == {"@timestamp": ARRIVED, "message": body, "event.original": body, "tags": ["skerry_unreadable"]}


@pytest.mark.parametrize("name", ['x" OR _id:"y', "x\ny", "", "x" * 65, None])
def test_an_id_that_could_not_be_asked_for_is_replaced(
    engine: PrivateElasticsearch, files: dict[str, Json], name: str | None
) -> None:
    record = {key: value for key, value in (OURS | {"event.id": name}).items() if value is not None}
    [event] = filters(engine, files).run(broker_event(inputs(files), json.dumps(record)))
    assert "event.id" not in event
    assert len(event["@metadata"]["id"]) == 44
    assert event["event"]["id"] == event["@metadata"]["id"]


def test_a_line_read_again_has_its_id_and_another_line_place_or_machine_another(
    engine: PrivateElasticsearch, files: dict[str, Json]
) -> None:
    def name(dataset: str = "nginx.access", text: str = COMBINED, host: str = "here") -> str:
        events = file_events(inputs(files), dataset, [text], host={"name": host})
        return str(filters(engine, files).run(*events)[0]["event"]["id"])

    once = name()
    assert name() == once
    others = {
        once,
        name(text=COMBINED.replace("55", "56")),
        name(host="there"),
        name("nginx.error"),
        name("mysql.error"),
    }
    assert len(others) == 5


@pytest.mark.parametrize(
    ("why", "again", "redelivered", "started"),
    [
        ("it was sent again", True, False, START),
        ("it was delivered again", False, True, START),
        ("it is older than this Logstash", False, False, START + 24 * 3600),
        ("it is hardly younger than this Logstash", False, False, START + 18.49 * 3600),
    ],
)
@pytest.mark.parametrize("rolls_over", [False, True])
def test_what_may_have_been_written_is_looked_for_across_a_rollover(
    engine: PrivateElasticsearch,
    files: dict[str, Json],
    stream: str,
    why: str,
    again: bool,
    redelivered: bool,
    started: float,
    rolls_over: bool,
) -> None:
    made = filters(engine, files, stream=stream, started=started)
    event = broker_event(inputs(files), json.dumps(OURS), again=again, redelivered=redelivered)
    # Not there yet: it goes on, and is written.
    [first] = made.run(event)
    assert create(engine, stream, first["@metadata"]["id"], shown(first)) == 201
    if rolls_over:
        answered(engine, "POST", f"/{stream}/_rollover")
    assert made.run(event) == [], why


def test_what_is_new_is_not_looked_for(engine: PrivateElasticsearch, files: dict[str, Json], stream: str) -> None:
    made = filters(engine, files, stream=stream)
    event = broker_event(inputs(files), json.dumps(OURS))
    [first] = made.run(event)
    assert create(engine, stream, first["@metadata"]["id"], shown(first)) == 201
    # In one and the same index it is refused, and that is the end of it.
    [second] = made.run(event)
    assert create(engine, stream, second["@metadata"]["id"], shown(second)) == 409


def test_every_record_fits_the_data_stream(engine: PrivateElasticsearch, files: dict[str, Json], stream: str) -> None:
    made = filters(engine, files)
    events = [
        event
        for dataset, text, _ in LINES
        for event in made.run(*file_events(inputs(files), dataset, text.split("\n")))
    ]
    events += made.run(broker_event(inputs(files), json.dumps(OURS)))
    events += made.run(broker_event(inputs(files), "no JSON"))
    for event in events:
        name = event.pop("@metadata")["id"]
        assert create(engine, stream, name, event) == 201, event
    body = {"query": {"term": {"event.dataset": "nginx.access"}}, "size": 0, "track_total_hits": True}
    found = answered(engine, "POST", f"/{stream}/_search", body)["hits"]["total"]["value"]
    assert found == sum(len(expected) for dataset, _, expected in LINES if dataset == "nginx.access")


def test_the_output_only_creates_by_the_id_and_asks_for_what_the_lookup_asks(files: dict[str, Json]) -> None:
    [output] = files["90-output.conf"]["output"]
    given = output["settings"]
    assert (given["action"], given["document_id"], given["data_stream"]) == ("create", "%{[@metadata][id]}", "false")
    [look] = [one for one in plugins(files["80-once.conf"]["filter"]) if one["plugin"] == "elasticsearch"]
    for name in ("hosts", "api_key", "ssl_enabled", "ssl_certificate_authorities", "index"):
        assert look["settings"][name] == given[name]


def test_the_shipper_and_a_reader_with_logstashs_rights_keep_each_other_out(
    shipping: Shipping, writer: Writer, broker: PrivateRabbit
) -> None:
    """As the input asks for the queue: it must be there, and is not asked for alone. By AMQP, whoever speaks it."""
    rights = {"configure": "^$", "write": "^$", "read": r"^skerry\.logs$"}
    password = secrets.token_urlsafe(18)
    broker.api("/api/users/logstash", "PUT", {"password": password, "tags": ""})
    broker.api("/api/permissions/%2F/logstash", "PUT", rights)
    credentials = pika.PlainCredentials("logstash", password)
    address = pika.ConnectionParameters("127.0.0.1", broker.port, credentials=credentials)
    writer.write(3)
    writer.arrive()
    with pika.BlockingConnection(address) as connection:
        channel = connection.channel()
        channel.queue_declare("skerry.logs", passive=True)
        channel.basic_consume("skerry.logs", lambda *_: None)
        shipping.start()
        until(lambda: any("stands by" in one["message"] for one in shipping.said()))
        assert not shipping.arrived()
    shipping.until_arrived(writer)
    refused = pytest.raises(pika.exceptions.ChannelClosedByBroker, match="in exclusive use")
    with pika.BlockingConnection(address) as connection, refused:
        connection.channel().basic_consume("skerry.logs", lambda *_: None)


def test_no_secret_stands_in_a_file() -> None:
    for file in PIPELINE.iterdir():
        for line in file.read_text().splitlines():
            name, _, value = line.partition("=>")
            if name.strip() in ("password", "api_key", "ssl_certificate_password"):
                assert value.strip().startswith('"${'), line

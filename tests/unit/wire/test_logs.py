"""A log record is one line of JSON with Elastic Common Schema names."""

from __future__ import annotations

import json
import logging

import pytest

from webfront.logs.records import LONGEST
from wire.logs import METRIC, EcsFormatter, configure_logging


def line(level: int = logging.INFO, extra: dict[str, object] | None = None) -> str:
    record = logging.getLogger("webfront.jobs").makeRecord(
        "webfront.jobs", level, __file__, 1, "took %s", ("a job\nof two lines",), None, extra=extra
    )
    return EcsFormatter("webfront", "alpha").format(record)


def test_a_record_is_one_line_with_ecs_names() -> None:
    text = line(extra={"event.action": "job.submit", "user.name": "ann", "skerry.job": None})
    assert "\n" not in text
    record = json.loads(text)
    assert record["message"] == "took a job\nof two lines"
    assert record["log.level"] == "info"
    assert record["log.logger"] == "webfront.jobs"
    assert record["service.name"] == "webfront"
    assert record["skerry.node"] == "alpha"
    assert record["event.action"] == "job.submit"
    assert record["user.name"] == "ann"
    assert record["@timestamp"].endswith("Z")
    assert record["ecs.version"]
    assert "skerry.job" not in record, "a field without a value is left out"


def test_a_record_is_the_same_on_stderr_and_at_the_broker() -> None:
    formatter = EcsFormatter("webfront", None)
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "hello", None, None)
    first, second = formatter.format(record), formatter.format(record)
    assert first == second
    assert "_event_id" not in first


def test_measurements_are_not_on_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    try:
        configure_logging("scheduler")
        logging.getLogger("x").info("alpha: load_1m is 1", extra={"event.kind": METRIC})
        logging.getLogger("x").info("alpha is suspect")
    finally:
        root.setLevel(level)
    (told,) = capsys.readouterr().err.splitlines()
    assert json.loads(told)["message"] == "alpha is suspect"


def test_an_exception_becomes_error_fields() -> None:
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, (type(error), error, None))
    fields = json.loads(EcsFormatter("agent", None).format(record))
    assert fields["error.type"] == "ValueError"
    assert fields["error.message"] == "no such thing"
    assert "no such thing" in fields["error.stack_trace"]
    assert "exc_info" not in fields


@pytest.mark.parametrize("letter", ["x", "\u00fc", "\u20ac", "\U0001f600", "\x00", "\\", "\ud800"])
def test_however_wide_its_letters_a_record_fits_into_a_message(letter: str) -> None:
    """What is longer would be set aside."""
    try:
        raise ValueError(f"{letter * 50_000}the end")
    except ValueError as error:
        message = f"a{letter * 100_000}"
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, message, None, (type(error), error, None))
    line = EcsFormatter("agent", None).format(record)
    assert len(line.encode()) < LONGEST / 2
    fields = json.loads(line)
    assert fields["message"].startswith(f"a{letter}")
    assert fields["message"].endswith(" more characters)")
    assert fields["error.message"].endswith(" more characters)")
    assert fields["error.stack_trace"].endswith("the end")

"""What is measured with generated log records holds for those that the platform writes: they have the same fields."""

from __future__ import annotations

import json
import logging

import httpx
import pytest

from benchmarks.records import KINDS, lines
from wire.logs import EcsFormatter


def test_generated_records_have_the_fields_and_the_size_of_real_ones(
    ada: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "webfront.web.actions"):
        ada.post("/api/v1/apps", files={"file": ("other.py", b"")}).raise_for_status()
        job = ada.post("/api/v1/jobs", json={"app": "noop"}).json()["job"]["id"]
        ada.post(f"/api/v1/jobs/{job}/cancel").raise_for_status()
        ada.post("/api/v1/tokens", json={"user": "ada", "password": "correct horse"}).raise_for_status()
    formatter = EcsFormatter("webfront", None)
    real = {}
    for record in caplog.records:
        if record.name == "webfront.web.actions":
            text = formatter.format(record)
            fields = json.loads(text)
            real[fields["event.action"], fields["http.response.status_code"]] = (set(fields), len(text))
    generated = {}
    for line in lines(5000):
        fields = json.loads(line)
        if fields["log.logger"] == "webfront.web.actions":
            action = (fields["event.action"], fields["http.response.status_code"])
            generated[action] = (set(fields), len(line) - 1)
    assert len(real) == 4
    for action, (names, size) in real.items():
        assert generated[action][0] == names, action
        assert generated[action][1] == pytest.approx(size, rel=0.1), action


def test_the_mix_is_whole() -> None:
    assert sum(kind.of_a_thousand for kind in KINDS) == 1000
    assert len({json.loads(line)["event.id"] for line in lines(2000)}) == 2000

"""How much the broker holds is made from a rate and a time, and is counted only where somebody waits for it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from webfront.logs.bounds import pattern, policies
from wire import topology


class Wanted:
    def __init__(self, reader: str) -> None:
        self.logs_rate, self.logs_absence_s, self.logs_reader = 500, 600, reader


@pytest.mark.parametrize("reader", ["none", "shipper", "logstash"])
def test_the_bound_holds_what_comes_in_that_time(reader: str) -> None:
    settings: Any = Wanted(reader)
    held = policies(settings)[topology.LOGS]
    assert held["max-length"] == 300_000
    assert held["overflow"] == "drop-head"
    assert ("dead-letter-exchange" in held) == (reader != "none")


def test_a_policy_is_for_its_queue_alone() -> None:
    settings: Any = Wanted("shipper")
    for queue in policies(settings):
        named = [one for one in (topology.LOGS, topology.LOST_LOGS, "skerryXlogs") if re.search(pattern(queue), one)]
        assert named == [queue]

"""What cannot be read is told once, then seldom, and every one is counted."""

from __future__ import annotations

import pytest

from webfront.broker.unread import Unread


def test_it_is_told_at_once_and_then_once_a_minute_with_how_often(caplog: pytest.LogCaptureFixture) -> None:
    unread = Unread()
    for second in range(130):
        for _ in range(10):
            unread.note("an event", "warmed", "node-alpha", "Invalid value 'warmed'", float(second))
    unread.note("an event", "warmed", "node-beta", "Invalid value 'warmed'", 130.0)
    unread.tell(170.0)
    assert [one.getMessage().split("left out ")[1].split(":")[0] for one in caplog.records] == [
        "(1 new, 1 in all)",
        "(600 new, 601 in all)",
        "(600 new, 1201 in all)",
        "(1 new, 1 in all)",
    ]
    caplog.clear()
    unread.tell(180.0)
    unread.tell(1000.0)
    assert [one.getMessage() for one in caplog.records] == [
        "an event of the kind 'warmed' from node-alpha cannot be used here and is left out (99 new, 1300 in all): "
        "Invalid value 'warmed'"
    ]


def test_a_node_that_thinks_of_ever_new_kinds_fills_neither_memory_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    unread = Unread()
    for number in range(10_000):
        unread.note("an event", f"kind{number}", "node-alpha", "no", 0.0)
    unread.tell(100.0)
    assert len(caplog.records) < 210
    assert "(9799 new, 9800 in all)" in caplog.records[-1].getMessage()

"""Each line of a log once, however its pieces come."""

from __future__ import annotations

import itertools
import random

from webfront.scheduling.joblog import Span, add, missing


def test_only_what_is_missing_is_taken() -> None:
    spans: list[Span] = [(3, 5), (8, 8)]
    assert missing(spans, (1, 10)) == [(1, 2), (6, 7), (9, 10)]
    assert missing(spans, (4, 5)) == []
    assert missing(spans, (5, 6)) == [(6, 6)]
    assert missing([], (2, 4)) == [(2, 4)]
    assert missing(spans, (9, 9)) == [(9, 9)]


def test_spans_join_when_they_touch() -> None:
    spans: list[Span] = [(3, 5), (8, 8)]
    add(spans, (6, 7))
    assert spans == [(3, 8)]
    add(spans, (1, 1))
    assert spans == [(1, 1), (3, 8)]
    add(spans, (10, 9))
    assert spans == [(1, 1), (3, 8)]


def test_any_pieces_in_any_order_give_every_line_once() -> None:
    chance = random.Random(7)
    for _ in range(300):
        spans: list[Span] = []
        seen: set[int] = set()
        for _ in range(20):
            first = chance.randint(1, 40)
            span = (first, first + chance.randint(0, 12))
            fresh = [n for begin, end in missing(spans, span) for n in range(begin, end + 1)]
            assert len(fresh) == len(set(fresh))
            assert set(fresh) == set(range(span[0], span[1] + 1)) - seen
            add(spans, span)
            seen.update(fresh)
            assert spans == sorted(spans)
            assert all(left[1] + 1 < right[0] for left, right in itertools.pairwise(spans))

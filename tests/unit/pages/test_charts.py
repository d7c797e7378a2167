"""Charts: what is drawn has the proportions of its numbers, also where there are none, one or very many."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from webfront.pages.charts import HEIGHT, Moment, Part, bars_over_time, lanes, percent, pie


def moments(*counts: tuple[int, int]) -> list[Moment]:
    return [Moment(f"the {number}th", f"{number}", *count) for number, count in enumerate(counts)]


@pytest.mark.parametrize("highest", [0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 40, 41, 99, 101, 999, 1001, 123_456, 10**9])
def test_lines_are_at_round_numbers_and_above_the_highest_bar(highest: int) -> None:
    ticks = [tick.value for tick in bars_over_time(moments((highest, 0))).ticks]
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 5
    assert max(1, highest) <= ticks[-1] <= max(1, 2 * highest)
    assert len({after - before for before, after in pairwise(ticks)}) == 1
    assert re.fullmatch(r"[125]0*", str(ticks[1]))


def test_a_bar_is_as_high_as_its_numbers_and_failures_stand_on_it() -> None:
    made = bars_over_time(moments((3, 1), (0, 0), (0, 2)))
    assert made.ticks[-1].value == 4
    first, second, third = made.bars
    assert (float(first.succeeded_height), float(first.failed_height)) == (HEIGHT * 3 / 4, HEIGHT / 4)
    assert float(first.failed_y) == 0
    assert float(first.failed_y) + float(first.failed_height) == float(first.succeeded_y)
    assert (second.succeeded_height, second.failed_height) == ("0.00", "0.00")
    assert float(third.failed_y) + float(third.failed_height) == HEIGHT


@pytest.mark.parametrize("count", [0, 1, 2, 3, 24, 61, 169, 401])
def test_bars_and_labels_stay_inside(count: int) -> None:
    made = bars_over_time(moments(*[(1, 0)] * count))
    assert len(made.bars) == count
    for bar in made.bars:
        assert 0 <= float(bar.x[:-1]) <= float(bar.x[:-1]) + float(bar.width[:-1]) <= 100.001
    assert len(made.labels) == min(count, 7)
    assert sum(label.on_a_phone for label in made.labels) == min(count, 3)
    if count > 20:
        assert [label.anchor for label in made.labels] == ["start", *["middle"] * 5, "end"]


def test_bars_without_a_label_have_none() -> None:
    made = bars_over_time([Moment("an hour", "" if n % 24 else f"day {n // 24}", 1, 0) for n in range(1, 169)])
    assert [label.words for label in made.labels] == [f"day {n}" for n in range(1, 8)]


def test_a_pie_is_whole_whatever_its_parts() -> None:
    assert pie([]) == ()
    assert pie([Part("none", 0, 0)]) == ()
    (alone,) = pie([Part("none", 0, 0), Part("all", 3, 1)])
    assert (alone.path, alone.percent, alone.fill) == ("", "100 %", 1)
    slices = pie([Part("most", 70, 5), Part("less", 20, 0), Part("least", 5, 0)])
    assert [one.fill for one in slices] == [1, 2, 3]
    ends = [re.findall(r"-?[\d.]+ -?[\d.]+(?=A|Z)", one.path) for one in slices]
    assert ends[0][0] == "0.000 -100.000"
    assert [before[1] for before in ends] == [*(after[0] for after in ends[1:]), "-0.000 -100.000"]
    assert [re.search(r" 0 (\d) 1", one.path)[1] for one in slices] == ["1", "0", "0"]  # type: ignore[index]
    x, y = map(float, ends[0][1].split())
    assert math.isclose(math.atan2(x, -y) % math.tau, 0.75 * math.tau, abs_tol=1e-4)


def test_the_longest_lane_has_all_the_room() -> None:
    made = lanes([Part("a", 6, 2), Part("b", 0, 1)], 10)
    assert [(one.succeeded, one.failed, one.percent) for one in made] == [
        ("75.00%", "25.00%", "80.0 %"),
        ("0.00%", "12.50%", "10.0 %"),
    ]
    assert lanes([], 0) == ()


def test_little_is_not_nothing_and_nearly_all_is_not_all() -> None:
    assert [percent(*of) for of in ((0, 0), (0, 9), (9, 9), (1, 8), (1, 10**6), (10**6 - 1, 10**6))] == [
        "0 %",
        "0 %",
        "100 %",
        "12.5 %",
        "< 0.1 %",
        "> 99.9 %",
    ]

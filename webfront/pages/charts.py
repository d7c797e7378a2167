"""The geometry of charts: numbers to what `templates/charts.html` draws. It knows no noun; words and links are given.

Charts are drawn on the server as SVG, without script. Across, places are percentages of whatever room there is; heights
are pixels; so text and patterns keep their size on a phone. What is told apart by colour has a pattern too, and its
number is in a table behind the chart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

HEIGHT: Final = 180
"""Pixels of the bars over time, from the axis to the highest line."""
SLICES: Final = 6
"""Parts of a pie that have a pattern of their own; what is left is one more."""

_TICK_STEPS: Final = (1, 2, 5)
_LABELS: Final = 7
_LABELS_ON_A_PHONE: Final = 3
_EDGE: Final = 0.08
"""How near to an edge, of the whole width, a label lies inward."""
_APART_UP_TO: Final = 100
"""Bars that have a gap between them; more would be all gaps on a phone."""
_GAP: Final = 0.25
_RADIUS: Final = 100


class Part(NamedTuple):
    """A part of a whole: how many, of which some failed."""

    words: str
    succeeded: int
    failed: int
    href: str = ""

    @property
    def total(self) -> int:
        return self.succeeded + self.failed


class Moment(NamedTuple):
    """A period of the bars over time."""

    words: str
    """Which it is, in full."""
    label: str
    """The same, short, for the axis; empty where it is not to have one."""
    succeeded: int
    failed: int


class Bar(NamedTuple):
    """A bar that stands on the axis, in two parts. `x` and `width` are percentages, the others pixels."""

    words: str
    x: str
    width: str
    succeeded_y: str
    succeeded_height: str
    failed_y: str
    failed_height: str


class Tick(NamedTuple):
    value: int
    y: str


class Label(NamedTuple):
    words: str
    x: str
    anchor: str
    """`start`, `middle` or `end`."""
    on_a_phone: bool


class Bars(NamedTuple):
    """Bars over time."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]


class Slice(NamedTuple):
    part: Part
    fill: int
    """Which of the fills; from 1."""
    path: str
    """Empty where it is the whole circle."""
    percent: str


class Lane(NamedTuple):
    """A bar that lies, in two parts. Percentages of the longest one's room."""

    part: Part
    succeeded: str
    failed: str
    percent: str


def bars_over_time(moments: Sequence[Moment]) -> Bars:
    """The bars of these periods, which need not be of one length, at even distances."""
    top, step = _scale(max((one.succeeded + one.failed for one in moments), default=0))
    room = 100 / max(1, len(moments))
    gap = _GAP * room if len(moments) <= _APART_UP_TO else 0.0
    bars = []
    for place, one in enumerate(moments):
        well, badly = (HEIGHT * count / top for count in (one.succeeded, one.failed))
        bars.append(
            Bar(
                one.words,
                f"{place * room + gap / 2:.3f}%",
                f"{room - gap:.3f}%",
                f"{HEIGHT - well:.2f}",
                f"{well:.2f}",
                f"{HEIGHT - well - badly:.2f}",
                f"{badly:.2f}",
            )
        )
    ticks = tuple(Tick(value, f"{HEIGHT - HEIGHT * value / top:.2f}") for value in range(0, top + 1, step))
    return Bars(tuple(bars), ticks, _labels([one.label for one in moments]))


def pie(parts: Sequence[Part]) -> tuple[Slice, ...]:
    """The slices of a pie, clockwise from the top, in the order of the parts. Parts of nothing have none."""
    shown = [part for part in parts if part.total]
    whole = sum(part.total for part in shown)
    found, begun = [], 0
    for fill, part in enumerate(shown, 1):
        path = "" if part.total == whole else _sector(begun / whole, (begun + part.total) / whole)
        begun += part.total
        found.append(Slice(part, fill, path, percent(part.total, whole)))
    return tuple(found)


def lanes(parts: Sequence[Part], whole: int) -> tuple[Lane, ...]:
    """Bars that lie one under the other, the longest as long as there is room."""
    longest = max((part.total for part in parts), default=0) or 1
    return tuple(
        Lane(
            part,
            f"{100 * part.succeeded / longest:.2f}%",
            f"{100 * part.failed / longest:.2f}%",
            percent(part.total, whole),
        )
        for part in parts
    )


def percent(count: int, whole: int) -> str:
    """`12.5 %`; never `0.0 %` for what there is, nor `100.0 %` for less than all."""
    if not whole or not count:
        return "0 %"
    if count == whole:
        return "100 %"
    share = 100 * count / whole
    return "< 0.1 %" if share < 0.05 else "> 99.9 %" if share >= 99.95 else f"{share:.1f} %"


def _scale(highest: int) -> tuple[int, int]:
    """Where the highest line is, and how far apart the lines are: whole numbers, four lines above the axis at most."""
    step, factor = 1, 1
    while step * 4 < highest:
        for one in _TICK_STEPS:
            step = one * factor
            if step * 4 >= highest:
                break
        factor *= 10
    return step * max(1, math.ceil(highest / step)), step


def _labels(words: Sequence[str]) -> tuple[Label, ...]:
    """Labels of some of the bars that have one, each in the middle of its own; those at the edges lie inward."""
    labelled = [place for place, one in enumerate(words) if one]
    places = [labelled[number] for number in _spread(len(labelled), _LABELS)]
    few = set(_spread(len(places), _LABELS_ON_A_PHONE))
    found = []
    for number, place in enumerate(places):
        anchor, at = "middle", (place + 0.5) / len(words)
        if len(words) > 1 and at < _EDGE:
            anchor, at = "start", place / len(words)
        elif len(words) > 1 and at > 1 - _EDGE:
            anchor, at = "end", (place + 1) / len(words)
        found.append(Label(words[place], f"{100 * at:.3f}%", anchor, number in few))
    return tuple(found)


def _spread(count: int, most: int) -> list[int]:
    """At most `most` of the places from 0 on, evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(number * (count - 1) / (most - 1)) for number in range(most)]


def _sector(begin: float, end: float) -> str:
    """The path of a pie's slice, by parts of the circle from the top on, clockwise; the centre is the origin."""
    (x1, y1), (x2, y2) = (
        (_RADIUS * math.sin(math.tau * at), -_RADIUS * math.cos(math.tau * at)) for at in (begin, end)
    )
    large = int(end - begin > 0.5)
    return f"M0 0L{x1:.3f} {y1:.3f}A{_RADIUS} {_RADIUS} 0 {large} 1 {x2:.3f} {y2:.3f}Z"

"""Units and words of the pages, and what a template does with a stranger's text."""

from __future__ import annotations

import pytest

from webfront.pages.nodewords import merge_steps
from webfront.pages.rendering import CAUSES, TONES, ago, duration, environment, figure, relative, size, state
from webfront.pages.session import local_path
from webfront.plays.states import StepState
from webfront.plays.views import PlayEventView
from wire.messages import Cause


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "just now"),
        (-2, "just now"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (7300, "2 hours ago"),
        (-90, "in 1 minute"),
    ],
)
def test_relative_times(seconds: float, words: str) -> None:
    assert relative(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0381, "38 ms"), (4.23, "4.2 s"), (59.9, "1 min"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (None, "\u2013")],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_sizes_and_figures() -> None:
    assert [size(count) for count in (1, 999, 1000, 5_312_000, 2e15)] == [
        "1 byte",
        "999 bytes",
        "1.0 kB",
        "5.3 MB",
        "2000.0 TB",
    ]
    assert figure(1423.04, 1) == "1\u202f423.0"


def test_the_absolute_time_is_in_the_title() -> None:
    shown = ago(1_700_000_000.0, now=lambda: 1_700_000_065.0)
    assert "1 minute ago" in shown
    assert 'title="14 November 2023, 22:13:20 UTC"' in shown


def test_a_state_has_a_word_beside_its_colour() -> None:
    assert state("dead") == '<span class="state bad">dead</span>'
    assert "<script>" not in state("<script>")


def test_every_cause_has_words_and_a_colour() -> None:
    assert {cause.value for cause in Cause} <= CAUSES.keys()
    assert {cause.value for cause in Cause} <= TONES.keys()


def test_templates_escape_what_a_stranger_wrote() -> None:
    page = environment().from_string("{{ text }}").render(text="<img src=x onerror=alert(1)>")
    assert "<img" not in page


@pytest.mark.parametrize(
    "given", ["//evil.example", "https://evil.example", "/\\evil.example", "/login", "", None, "/a\nb"]
)
def test_signing_in_never_leads_off_the_site(given: str | None) -> None:
    assert local_path(given) == "/"


def test_signing_in_leads_on_to_the_page_that_was_wanted() -> None:
    assert local_path("/jobs?state=failed") == "/jobs?state=failed"


def test_a_steps_end_takes_the_place_of_its_beginning() -> None:
    events = tuple(
        PlayEventView(number, 0.0, step, StepState(now), "")
        for number, (step, now) in enumerate([("Reach it", "running"), ("Reach it", "ok"), ("Install", "running")], 1)
    )
    assert [(step.step, step.state) for step in merge_steps(events)] == [("Reach it", "ok"), ("Install", "running")]

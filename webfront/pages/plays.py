"""The page of a play: each step as it runs, in words."""

from __future__ import annotations

import bottle

from webfront.fleet.views import PlayEventView
from webfront.pages import nodewords
from webfront.pages.rendering import render
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    @app.get("/plays/<number:int>")
    def play(number: int) -> str:
        progress = services.fleet.play(number)
        found, steps = progress.play, nodewords.merge_steps(progress.events)
        over = found.state in ("succeeded", "failed")
        return render(
            "play.html",
            play=found,
            node=services.fleet.node(found.node),
            steps=steps,
            step_words=nodewords.STEP_WORDS,
            title=nodewords.play_title(found),
            sentence=nodewords.play_sentence(found, steps),
            done=nodewords.play_done(found),
            again=f"/nodes/{found.node}/{found.verb}" if found.verb in ("register", "drain", "remove") else None,
            poll=None if over else f"/api/v1/plays/{found.id}/events?after={_settled(steps)}",
        )


def _settled(steps: list[PlayEventView]) -> int:
    """The number of the last step before one that still runs: what is polled may yet change from there on."""
    settled = 0
    for step in steps:
        if step.state == "running":
            break
        settled = step.number
    return settled

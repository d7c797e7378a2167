"""The page of a play: each step as it runs, in words."""

from __future__ import annotations

import bottle

from webfront.accounts.policy import Act, may
from webfront.fleet.states import NodeState
from webfront.pages import nodewords
from webfront.pages.rendering import render, see_other
from webfront.plays.states import StepState
from webfront.plays.verbs import VERBS
from webfront.plays.views import PlayEventView
from webfront.web import actions, guard
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    @app.get("/plays/<number:int>")
    def play(number: int) -> str:
        progress = services.plays.get(number)
        found, steps = progress.play, nodewords.merge_steps(progress.events)
        node = services.fleet.node(found.node)
        may_change = may(guard.identity().account, Act.CHANGE_NODE, node)
        return render(
            "play.html",
            play=found,
            node=node,
            steps=steps,
            phases=progress.phases,
            step_words=nodewords.STEP_WORDS,
            title=nodewords.play_title(found),
            sentence=nodewords.play_sentence(found, steps, progress.phases),
            done=nodewords.play_done(found),
            may_stop=not found.is_over and may_change,
            may_edit=may_change and node.state is not NodeState.REMOVED,
            again=f"/nodes/{found.node}/{found.verb}" if found.verb in VERBS else None,
            poll=None if found.is_over else f"/api/v1/plays/{found.id}/events?after={_settled(steps)}",
        )

    @app.post("/plays/<number:int>/stop", action="play.stop")
    def stop(number: int) -> bottle.HTTPResponse:
        play = services.plays.stop(guard.identity().account, number)
        actions.note("skerry.node", play.node)
        return see_other(f"/plays/{number}")


def _settled(steps: list[PlayEventView]) -> int:
    """The number of the last step before one that still runs: what is polled may yet change from there on."""
    settled = 0
    for step in steps:
        if step.state is StepState.RUNNING:
            break
        settled = step.number
    return settled

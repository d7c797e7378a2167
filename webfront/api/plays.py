"""Plays: how a registration, drain or removal goes."""

from __future__ import annotations

import bottle
import msgspec

from webfront.api.bodies import query_number, reply
from webfront.api.operations import Operation
from webfront.plays.phases import PhaseView
from webfront.plays.views import PlatformKey, PlayEventView, PlayView
from webfront.web import actions
from webfront.web.guard import identity
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    @app.get(
        "/api/v1/platform-key",
        operation=Operation("The platform's public SSH key, and the line that lets it in", {200: PlatformKey}),
    )
    def platform_key() -> bytes:
        return reply(**msgspec.structs.asdict(services.plays.platform_key()))

    @app.get(
        "/api/v1/plays/<play_id:int>",
        operation=Operation("A play and its phases", {200: {"play": PlayView, "phases": list[PhaseView]}}),
    )
    def show(play_id: int) -> bytes:
        progress = services.plays.get(play_id)
        return reply(play=progress.play, phases=progress.phases)

    @app.get(
        "/api/v1/plays/<play_id:int>/events",
        operation=Operation(
            "A play, its phases and its steps",
            {200: {"play": PlayView, "phases": list[PhaseView], "events": list[PlayEventView]}},
            query={"after": "only steps numbered above it"},
        ),
    )
    def events(play_id: int) -> bytes:
        progress = services.plays.get(play_id, after=query_number("after", 0))
        return reply(play=progress.play, phases=progress.phases, events=progress.events)

    @app.post(
        "/api/v1/plays/<play_id:int>/stop",
        action="play.stop",
        operation=Operation(
            "Stop a play: a waiting one at once, a running one within seconds", {202: {"play": PlayView}}
        ),
    )
    def stop(play_id: int) -> bytes:
        play = services.plays.stop(identity().account, play_id)
        actions.note("skerry.node", play.node)
        return reply(code=202, play=play)

"""Plays: how a registration, drain or removal goes."""

from __future__ import annotations

import bottle

from webfront.api.bodies import query_number, reply
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    @app.get("/api/v1/plays/<play_id:int>")
    def show(play_id: int) -> bytes:
        return reply(play=services.plays.get(play_id).play)

    @app.get("/api/v1/plays/<play_id:int>/events")
    def events(play_id: int) -> bytes:
        progress = services.plays.get(play_id, after=query_number("after", 0))
        return reply(play=progress.play, events=progress.events)

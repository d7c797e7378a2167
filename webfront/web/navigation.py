"""The navigation: a page that belongs in it says so on its route, `nav=Nav(...)`."""

from __future__ import annotations

from typing import NamedTuple

import bottle


class Nav(NamedTuple):
    """A place in the navigation."""

    order: int
    words: str
    admin: bool = False
    """For administrators alone."""


class Place(NamedTuple):
    nav: Nav
    address: str


def places(app: bottle.Bottle) -> tuple[Place, ...]:
    """The places of the navigation, in their order."""
    found = (Place(route.config["nav"], route.rule) for route in app.routes if "nav" in route.config)
    return tuple(sorted(found))

"""The action log: one record and one fact for each user action, in one place so that no route can forget it.

A route of an unsafe method must say `action="job.submit"`; `create_app` refuses one that does not. A safe route may say
it too (a download is an action; reading a list or polling is none). `note` adds what the action is about:

    actions.note("skerry.job", job.id)

Its name is a deed's, of `webfront.activity.facts.Kind`: one name for a deed on the pages and in the API.

The record carries `event.action`, `event.outcome`, `event.duration` (nanoseconds), `user.name`, `skerry.controller`
(the route's module, as in the fact), `url.path`, `http.request.method`, `http.response.status_code`. Never put a secret
into it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import bottle

from webfront.activity import deeds
from webfront.activity.facts import Kind, Outcome
from webfront.errors import SkerryError
from webfront.web import guard
from webfront.web.answers import translate

_log = logging.getLogger(__name__)

KEY = "skerry.action"


def note(name: str, value: object) -> None:
    """Add a field to this request's action record."""
    bottle.request.environ.setdefault(KEY, {})[name] = value


def refuse(error: SkerryError) -> None:
    """Say why this request fails where the route answers by itself instead of raising the error."""
    note("event.reason", error.code)


class ActionLog:
    """The plugin. It is the outermost but for the error mapping, so that it sees each outcome."""

    name = "skerry.actions"
    api = 2

    def __init__(self) -> None:
        self._strangers = deeds.Bound()

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        action = route.config.get("action")
        if action is None:
            if route.method not in guard.SAFE_METHODS:
                raise ValueError(f"route {route.method} {route.rule} changes something and names no action")
            return callback
        kind = Kind(action)
        controller = getattr(route.callback, "__module__", "")

        def logged(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter_ns()
            bottle.request.environ.setdefault(KEY, {})
            status, reason = 500, "internal"
            with deeds.begin(kind, controller.removeprefix("webfront.")) as deed:
                try:
                    result = callback(*args, **kwargs)
                except SkerryError as error:
                    status, reason = error.status, error.code
                    raise
                except bottle.HTTPResponse as response:  # a redirect, or Bottle's own refusal of a body
                    status = response.status_code
                    reason = translate(response).code if isinstance(response, bottle.HTTPError) else ""
                    raise
                else:
                    made = result if isinstance(result, bottle.HTTPResponse) else bottle.response
                    status, reason = made.status_code, ""
                    return result
                finally:
                    self._end(deed, status, reason, time.perf_counter_ns() - begun)

        return logged

    def _end(self, deed: deeds.Deed, status: int, reason: str, duration_ns: int) -> None:
        outcome = Outcome.SUCCESS if status < 400 else Outcome.FAILURE
        noted: dict[str, object] = dict(bottle.request.environ.get(KEY, {}))
        reason = str(noted.get("event.reason", "")) or reason
        deed.user = str(noted.get("user.name", "")) or deed.user
        about = {name: str(noted.get(f"skerry.{name}") or "") for name in ("node", "app", "job")}
        deeds.finish(deed, outcome, self._strangers, reason=reason, **about)
        if deed.user:
            noted["user.name"] = deed.user
        noted |= {
            "event.action": str(deed.kind),
            "event.outcome": outcome.value,
            "event.duration": duration_ns,
            "skerry.controller": deed.controller,
            "url.path": bottle.request.path,
            "http.request.method": bottle.request.method,
            "http.response.status_code": status,
        }
        if reason:
            noted["event.reason"] = reason
        _log.info("%s: %s", deed.kind, outcome, extra=noted)

"""The action log: one record for each user action, written in one place so that no route can forget it.

A route of an unsafe method must say `action="job.submit"`; `create_app` refuses one that does not. A safe route may say
it too (a download is an action; reading a list or polling is none). `note` adds what the action is about:

    actions.note("skerry.job", job.id)

The record carries `event.action`, `event.outcome`, `event.duration` (nanoseconds), `user.name`, `skerry.controller`
(the route module), `url.path`, `http.request.method`, `http.response.status_code`. Never put a secret into it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import bottle

from webfront.errors import SkerryError
from webfront.web import guard

_log = logging.getLogger(__name__)

KEY = "skerry.action"


def note(name: str, value: object) -> None:
    """Add a field to this request's action record."""
    bottle.request.environ.setdefault(KEY, {})[name] = value


class ActionLog:
    """The plugin. It is the outermost but for the error mapping, so that it sees each outcome."""

    name = "skerry.actions"
    api = 2

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        action = route.config.get("action")
        if action is None:
            if route.method not in guard.SAFE_METHODS:
                raise ValueError(f"route {route.method} {route.rule} changes something and names no action")
            return callback
        controller = getattr(route.callback, "__module__", "")

        def logged(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter_ns()
            bottle.request.environ.setdefault(KEY, {})
            status, reason = 500, "internal"
            try:
                result = callback(*args, **kwargs)
            except SkerryError as error:
                status, reason = error.status, error.code
                raise
            except bottle.HTTPResponse as response:  # a redirect, or Bottle's own refusal of a body
                status, reason = response.status_code, ""
                raise
            else:
                status = result.status_code if isinstance(result, bottle.HTTPResponse) else bottle.response.status_code
                reason = ""
                return result
            finally:
                _write(str(action), controller, status, reason, time.perf_counter_ns() - begun)

        return logged


def _write(action: str, controller: str, status: int, reason: str, duration_ns: int) -> None:
    who = guard.visitor()
    outcome = "success" if status < 400 else "failure"
    fields: dict[str, object] = dict(bottle.request.environ.get(KEY, {}))
    if who is not None:
        fields["user.name"] = who.account.name
    fields |= {
        "event.action": action,
        "event.outcome": outcome,
        "event.duration": duration_ns,
        "skerry.controller": controller,
        "url.path": bottle.request.path,
        "http.request.method": bottle.request.method,
        "http.response.status_code": status,
    }
    if reason:
        fields["event.reason"] = reason
    _log.info("%s: %s", action, outcome, extra=fields)

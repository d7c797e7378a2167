"""Errors become answers here, and nowhere else: JSON under `/api/`, a page elsewhere. Connections too are kept here."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import bottle
import msgspec
import peewee

from webfront.database.connection import TROUBLE, is_full
from webfront.database.models import database
from webfront.errors import Conflict, InvalidInput, NotFound, SkerryError, Throttled, TooLarge, Unavailable

_log = logging.getLogger(__name__)

_JSON: Final = "application/json"
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


ErrorPage = Callable[[SkerryError, bottle.BaseRequest], bottle.HTTPResponse]


class Answers:
    """The outermost plugin: what a route raises becomes an answer."""

    name = "skerry.answers"
    api = 2

    def __init__(self, error_page: ErrorPage) -> None:
        """`error_page` makes the page of an error."""
        self._error_page = error_page

    def answer(self, error: SkerryError) -> Any:
        """The answer for an error: JSON for programs, a page for people."""
        if isinstance(error, Throttled):
            retry_after = max(1, round(error.retry_after_s))
            bottle.response.set_header("Retry-After", str(retry_after))
        bottle.response.status = error.status
        if bottle.request.path.startswith("/api/"):
            bottle.response.content_type = _JSON
            fields = {"code": error.code, "message": error.message, "detail": error.detail}
            return msgspec.json.encode({"error": fields})
        return self._error_page(error, bottle.request)

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        def answered(*args: Any, **kwargs: Any) -> Any:
            try:
                return callback(*args, **kwargs)
            except SkerryError as error:
                return self.answer(error)
            except bottle.HTTPError as error:
                return self.answer(translate(error))
            except bottle.HTTPResponse:
                raise
            except Exception:
                # Nothing of it is shown: what it holds is for the log.
                _log.exception("%s %s failed", bottle.request.method, bottle.request.path)
                return self.answer(SkerryError("Something went wrong here. It is in the log."))

        return answered


@contextmanager
def connected() -> Iterator[None]:
    """The database connection of this request's thread.

    It is given back at the block's end, since a server closes one that is idle for long; but SQLite's, which is an
    open file and costs more to open than to use, stays with its thread.
    """
    try:
        database.obj.connect(reuse_if_open=True)
        yield
    finally:
        if not isinstance(database.obj, peewee.SqliteDatabase) and not database.obj.is_closed():
            database.obj.close()


class Connections:
    """A database connection for each request."""

    name = "skerry.connections"
    api = 2

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        if route.config.get("database") is False:
            return callback

        def in_connection(*args: Any, **kwargs: Any) -> Any:
            try:
                with connected():
                    return callback(*args, **kwargs)
            except TROUBLE as error:  # it cannot be reached; what it says once it is, is translated further in
                raise _unavailable(error) from error

        return in_connection


class Trouble:
    """A database that fails and a disk that is full, in words. Inside of what tells how a request ended."""

    name = "skerry.trouble"
    api = 2

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        def told(*args: Any, **kwargs: Any) -> Any:
            try:
                return callback(*args, **kwargs)
            except TROUBLE as error:
                raise _unavailable(error) from error
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                raise _unavailable(error) from error

        return told


def _unavailable(error: Exception) -> Unavailable:
    if isinstance(error, OSError) or is_full(error):
        _log.error("the disk is full: %s", error)
        return Unavailable("The controller's disk is full: nothing can be saved until an administrator has made room.")
    _log.warning("the database failed: %s", error)
    return Unavailable("The database does not answer. Try again in a moment.")


def translate(error: bottle.HTTPError) -> SkerryError:
    """Bottle's own refusals in our words."""
    match error.status_code:
        case 404:
            return NotFound("There is nothing at this address.")
        case 405:
            return _MethodNotAllowed(f"{bottle.request.method} is not possible at this address.")
        case 413:
            return TooLarge("The body of this request is too large.")
        case status if 400 <= status < 500:
            return InvalidInput(f"This request cannot be read: {error.body}")
        case _:
            return SkerryError("Something went wrong here. It is in the log.")


class _MethodNotAllowed(Conflict):
    status = 405
    code = "method_not_allowed"

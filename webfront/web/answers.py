"""Errors become answers here, and nowhere else: JSON under `/api/`, a page elsewhere. Connections too are kept here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import bottle
import msgspec
import peewee

from webfront.database.models import database
from webfront.errors import Conflict, InvalidInput, NotFound, SkerryError, Throttled, TooLarge, Unavailable

_log = logging.getLogger(__name__)

_JSON: Final = "application/json"


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


class Connections:
    """A database connection for each request's thread.

    It is given back at the request's end, since a server closes one that is idle for long; but SQLite's, which is an
    open file and costs more to open than to use, stays with its thread.
    """

    name = "skerry.connections"
    api = 2

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        if route.config.get("database") is False:
            return callback

        def connected(*args: Any, **kwargs: Any) -> Any:
            try:
                database.obj.connect(reuse_if_open=True)
                return callback(*args, **kwargs)
            except (peewee.OperationalError, peewee.InterfaceError) as error:
                _log.warning("the database failed: %s", error)
                raise Unavailable("The database does not answer. Try again in a moment.") from error
            finally:
                if not isinstance(database.obj, peewee.SqliteDatabase) and not database.obj.is_closed():
                    database.obj.close()

        return connected


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

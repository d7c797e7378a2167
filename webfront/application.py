"""The web front: `create_app` puts the routes, the services and what surrounds them together."""

from __future__ import annotations

import functools
import importlib
import logging
import pkgutil
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Final

import bottle

from webfront import api, pages
from webfront.accounts.service import AccountService
from webfront.activity.service import ActivityService
from webfront.api.description import calls
from webfront.apps.service import AppService
from webfront.broker.publisher import Publisher
from webfront.clock import Clock, system_clock
from webfront.database.schema import open_database
from webfront.fleet.service import FleetService
from webfront.invitations.service import InvitationService
from webfront.jobs.service import JobService
from webfront.logs.asking import Asking
from webfront.logs.service import LogsService
from webfront.pages import errors as error_page
from webfront.plays.service import PlayService
from webfront.schedules.service import ScheduleService
from webfront.scheduling.service import PlacementService
from webfront.secretbox import SecretBox
from webfront.settings import Settings
from webfront.usage.service import UsageService
from webfront.web import bodies
from webfront.web.actions import KEY as ACTION_KEY
from webfront.web.actions import ActionLog
from webfront.web.answers import Answers, Connections, Trouble, translate
from webfront.web.guard import Guard, client_address
from webfront.web.health import HealthService
from webfront.web.navigation import Place, places
from webfront.web.services import Services
from webfront.webhooks.enqueuing import CONSUMER
from webfront.webhooks.service import WebhookService

_log = logging.getLogger(__name__)

_SECURITY_HEADERS: Final = (
    (
        "Content-Security-Policy",
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # Not no-referrer: with it browsers send `Origin: null` with our own forms.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
_TRANSPORT: Final = ("Strict-Transport-Security", "max-age=31536000")

StartResponse = Callable[..., Any]


class WebFront(bottle.Bottle):  # type: ignore[misc]  # bottle has no types
    """The application: a Bottle app whose every answer has the security headers."""

    def __init__(self, settings: Settings, answers: Answers) -> None:
        super().__init__()
        self._answers = answers
        self._settings = settings
        self._headers = [*_SECURITY_HEADERS, *([_TRANSPORT] if settings.secure_cookies else [])]

    @functools.cached_property
    def places(self) -> tuple[Place, ...]:
        """The navigation. First asked for by a page, when every page has been registered."""
        return places(self)

    def wsgi(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        begun = time.perf_counter_ns()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if ACTION_KEY not in environ:  # an action's record says all this already
                client = client_address(self._settings, environ)
                _log_access(environ, client, int(status[:3]), time.perf_counter_ns() - begun)
            given = {name.lower() for name, _ in headers}
            headers = headers + [pair for pair in self._headers if pair[0].lower() not in given]
            if bodies.is_unread(environ):
                # Said, so that nobody sends the next request where it cannot arrive.
                headers.append(("Connection", "close"))
            if "cache-control" not in given:
                headers.append(("Cache-Control", "no-store"))
            return start_response(status, headers, exc_info)

        found: Iterable[bytes] = super().wsgi(environ, start)
        return found

    def default_error_handler(self, res: bottle.HTTPError) -> Any:
        """What no route answered: an unknown address or method."""
        return self._answers.answer(translate(res))


def create_services(settings: Settings, publisher: Publisher, clock: Clock = system_clock) -> Services:
    """The services, none of which connects to anything yet. SettingsError."""
    plays = PlayService(settings.plays_socket, settings.controller_name, clock, state_dir=settings.state_dir)
    asking = Asking.of(settings)
    return Services(
        settings=settings,
        accounts=AccountService(clock),
        apps=AppService(settings.share_dir, settings.max_upload_mb, clock),
        jobs=JobService(settings.share_dir, publisher.hint, clock, told=(CONSUMER,)),
        placement=PlacementService(settings, lambda: publisher.connected, clock),
        schedules=ScheduleService(settings.share_dir, publisher.hint, clock),
        fleet=FleetService(publisher.benchmark),
        plays=plays,
        invitations=InvitationService(settings, plays, clock),
        webhooks=WebhookService(SecretBox(settings.secrets_key_file), settings.webhook_networks, clock),
        activity=ActivityService(),
        logs=LogsService(settings, asking, clock),
        usage=UsageService(asking, clock),
        health=HealthService(settings.controller_name, lambda: publisher.connected, clock),
    )


def create_app(settings: Settings, *, services: Services | None = None) -> WebFront:
    """The WSGI application. Without `services` it opens the database and starts the publisher's thread."""
    if services is None:
        open_database(settings.database_url, settings.database_password_file)
        publisher = Publisher(settings.broker_address())
        publisher.start()
        services = create_services(settings, publisher)
    answers = Answers(error_page.render)
    app = WebFront(settings, answers)
    app.uninstall(True)  # Bottle's own plugins: answers are rendered where they are made
    # From the outside in. The connection lies outside the guard, which looks sessions up.
    for plugin in (answers, Connections(), ActionLog(), Trouble(), Guard(services)):
        app.install(plugin)
    for module in _route_modules(api, pages):
        module.register(app, services)
    list(calls(app))  # a route of the API that does not say what it is, is refused now
    for route in app.routes:
        route.prepare()  # a route that forgot its action is refused now, not when it is called first
    return app


def _route_modules(*packages: ModuleType) -> Iterable[ModuleType]:
    for package in packages:
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            if hasattr(module, "register"):
                yield module


def _log_access(environ: dict[str, Any], client: str, status: int, duration_ns: int) -> None:
    """One record a request, of no request that a page makes by itself: polling and static files are told at debug."""
    path = environ.get("PATH_INFO", "")
    quiet = status < 400 and (path.startswith(("/static/", "/api/")) and environ.get("REQUEST_METHOD") == "GET")
    _log.log(
        logging.DEBUG if quiet else logging.INFO,
        "%s %s: %d",
        environ.get("REQUEST_METHOD"),
        path,
        status,
        extra={
            "event.duration": duration_ns,
            "url.path": path,
            "http.request.method": environ.get("REQUEST_METHOD"),
            "http.response.status_code": status,
            "source.address": client or None,
        },
    )

"""The page of the platform's use: deeds over time, by function, controller, node and user, as charts and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import bottle

from webfront.activity.facts import DEEDS, Kind
from webfront.errors import InvalidInput
from webfront.logs.kibana import Kibana, moments
from webfront.pages import charts
from webfront.pages.activitywords import KINDS
from webfront.pages.rendering import plural, render
from webfront.pages.spanfields import dates, in_words, span_fields
from webfront.usage.questions import DEFAULT_SPAN, FIELDS
from webfront.usage.views import Answered, Breakdown, Bucket, Period, Question
from webfront.web.guard import identity
from webfront.web.navigation import Nav
from webfront.web.services import Services

_FILTERS: Final = ("from", "to", "function", "user", "node", "controller")
_FUNCTIONS: Final = {kind: words for kind, words in KINDS.items() if kind in DEEDS}
_FACES: Final = {"pages": "Pages", "api": "API"}
_CONTROLLERS: Final = {"admin": "skerry-admin"}
_SHORT: Final = {Bucket.MINUTE: "%H:%M", Bucket.HOUR: "{day} %b %H:%M", Bucket.DAY: "{day} %b"}
_SOME_DAYS_S: Final = 2.5 * 86400
_LONG: Final = {
    Bucket.MINUTE: "{day} %b %Y, %H:%M",
    Bucket.HOUR: "%a, {day} %b %Y, %H:%M",
    Bucket.DAY: "%a, {day} %b %Y",
}


def register(app: bottle.Bottle, services: Services) -> None:
    usage = services.usage

    @app.get("/usage", nav=Nav(80, "Usage"))
    def index() -> str:
        typed = {name: (bottle.request.query.getunicode(name) or "").strip() for name in FIELDS}
        account = identity().account
        try:
            found = usage.ask(account, typed)
        except InvalidInput as error:
            bottle.response.status = error.status
            return _page(typed, error=error, found=None, kibana="")
        question = found.question
        given = dates(question.span, question.begin, question.end, ZoneInfo(question.zone))
        kibana = services.logs.kibana(account)
        return _page(
            typed | given,
            error=None,
            found=found,
            kibana=_in_kibana(kibana, question) if kibana else "",
            **_charts(found, typed),
        )


def _page(typed: Mapping[str, str], **more: Any) -> str:
    return render(
        "usage.html",
        typed=typed,
        functions=_FUNCTIONS,
        **span_fields(DEFAULT_SPAN),
        filtered=any(typed[name] for name in _FILTERS),
        **more,
    )


def _in_kibana(kibana: Kibana, question: Question) -> str:
    return kibana.use(
        moments(question.span, question.begin, question.end),
        function=question.function,
        user=question.user,
        node=question.node,
        controller=question.controller,
    )


def _charts(found: Answered, typed: Mapping[str, str]) -> dict[str, Any]:
    question, usage = found.question, found.usage
    zone = ZoneInfo(question.zone)

    def link(field: str) -> Callable[[str], str]:
        """The same question of one name alone."""
        kept = {name: value for name, value in typed.items() if value}
        return lambda name: f"/usage?{urlencode(kept | {field: name})}"

    by_day = question.bucket is Bucket.HOUR and question.end - question.begin > _SOME_DAYS_S
    moments = [_moment(period, question.bucket, zone, by_day=by_day) for period in usage.periods]
    functions = _parts(usage.functions, link("function"), _function, "", "other function")
    controllers = _parts(usage.controllers, link("controller"), _controller, "Schedules", "other controller")
    nodes = _parts(usage.nodes, link("node"), str, "", "other node")
    users = _parts(usage.users, link("user"), str, "Not signed in", "other user") if usage.users else []
    return {
        "begin": in_words(question.begin, zone),
        "end": in_words(question.end, zone),
        "moments": moments,
        "over_time": charts.bars_over_time(moments),
        "by_function": (functions, charts.pie(_first(functions, "other functions"))),
        "by_controller": (controllers, charts.pie(_first(controllers, "other controllers"))),
        "by_node": charts.lanes(nodes, usage.count),
        "by_user": charts.lanes(users, usage.count),
        "percent": charts.percent,
    }


def _parts(
    of: Breakdown, link: Callable[[str], str], words: Callable[[str], str], nameless: str, other: str
) -> list[charts.Part]:
    """The breakdown as parts, the largest first and the others last; without `nameless` words, those are left out."""
    found = [charts.Part(words(one.name), one.succeeded, one.failed, link(one.name)) for one in of.most]
    if nameless and of.nameless.count:
        found.append(charts.Part(nameless, of.nameless.succeeded, of.nameless.failed))
        found.sort(key=lambda part: -part.total)
    if of.others.count:
        words_of_others = plural(of.names - len(of.most), other)
        found.append(charts.Part(words_of_others, of.others.succeeded, of.others.failed))
    return found


def _first(parts: list[charts.Part], others: str) -> list[charts.Part]:
    """As many as a pie can tell apart, and the rest as one."""
    if len(parts) <= charts.SLICES + 1:
        return parts
    first, rest = parts[: charts.SLICES], parts[charts.SLICES :]
    return [*first, charts.Part(others, sum(one.succeeded for one in rest), sum(one.failed for one in rest))]


def _moment(period: Period, bucket: Bucket, zone: ZoneInfo, *, by_day: bool) -> charts.Moment:
    """The period in words; `by_day`, only hours that begin a day have a label on the axis."""
    at = datetime.fromtimestamp(period.begin, zone)
    words, label = (at.strftime(form.format(day=at.day)) for form in (_LONG[bucket], _SHORT[bucket]))
    if bucket is not Bucket.DAY and at.utcoffset() != at.replace(fold=1 - at.fold).utcoffset():
        words += f" ({at:%Z})"  # the clock shows it twice
    if by_day:
        label = "" if at.hour or at.minute else label.rpartition(" ")[0]
    return charts.Moment(words, label, period.succeeded, period.failed)


def _function(kind: str) -> str:
    return KINDS[Kind(kind)]


def _controller(module: str) -> str:
    """`Pages: jobs` for `pages.jobs`."""
    face, _, noun = module.partition(".")
    if noun and face in _FACES:
        return f"{_FACES[face]}: {noun}"
    return _CONTROLLERS.get(module, module)

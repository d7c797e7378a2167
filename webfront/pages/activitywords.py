"""Facts in words, for the page of the platform's activity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from webfront.activity.facts import Fact, Kind, Outcome, Plain

KINDS: Final[Mapping[Kind, str]] = {
    Kind.SESSION_BEGIN: "Sign-in",
    Kind.SESSION_END: "Sign-out",
    Kind.TOKEN_ISSUE: "New API token",
    Kind.TOKEN_REVOKE: "API token revoked",
    Kind.USER_CREATE: "New user",
    Kind.APP_UPLOAD: "App upload",
    Kind.JOB_SUBMIT: "Job submitted",
    Kind.JOB_CANCEL: "Job cancelled",
    Kind.JOB_DOWNLOAD: "Download from a job",
    Kind.NODE_REGISTER: "Node registration asked for",
    Kind.NODE_DRAIN: "Node drain asked for",
    Kind.NODE_REMOVE: "Node removal asked for",
    Kind.NODE_ACTIVATE: "Node activated",
    Kind.NODE_BENCHMARK: "Benchmark asked for",
    Kind.NODE_TEST: "Connection test asked for",
    Kind.NODE_EDIT: "Node changed",
    Kind.NODE_ADMIT: "Machine that asks to join approved",
    Kind.INVITATION_CREATE: "Machine invited",
    Kind.INVITATION_REVOKE: "Invitation revoked",
    Kind.INVITATION_CLAIM: "Machine asks to join",
    Kind.INVITATION_WITHDRAW: "Machine asks to join no more",
    Kind.INVITATION_REFUSE: "Machine that asks to join refused",
    Kind.INVITATION_TAKE: "Machine has what it joins with",
    Kind.PLAY_STOP: "Play stopped",
    Kind.SCHEDULE_CREATE: "Schedule made",
    Kind.SCHEDULE_CHANGE: "Schedule changed",
    Kind.SCHEDULE_PAUSE: "Schedule paused",
    Kind.SCHEDULE_RESUME: "Schedule resumed",
    Kind.SCHEDULE_RUN: "Schedule run now",
    Kind.SCHEDULE_DELETE: "Schedule deleted",
    Kind.WEBHOOK_CREATE: "Webhook made",
    Kind.WEBHOOK_DELETE: "Webhook deleted",
    Kind.WEBHOOK_REKEY: "New key for a webhook",
    Kind.WEBHOOK_TEST: "Webhook tested",
    Kind.WEBHOOK_AGAIN: "Failed deliveries sent again",
    Kind.DELIVERY_AGAIN: "Delivery sent again",
    Kind.SETTING_CHANGE: "Setting changed",
    Kind.JOB_DELETE: "Job deleted",
    Kind.VERSION_DELETE: "Version of an app deleted",
    Kind.APP_DELETE: "App deleted",
    Kind.SPACE_FREE: "Space freed",
    Kind.ATTEMPT_END: "Attempt ended",
    Kind.JOB_END: "Job ended",
    Kind.NODE_STATE: "Node's state changed",
    Kind.SCHEDULE_TICK: "Schedule's time came",
    Kind.PLATFORM_RESTORE: "Platform restored from a copy",
    Kind.PLAY_END: "Play ended",
}

REASONS: Final[Mapping[str, str]] = {
    "invalid_input": "the request could not be used",
    "not_signed_in": "not signed in, or a wrong name or password",
    "forbidden": "not allowed",
    "not_found": "there is no such thing",
    "gone": "it had been deleted",
    "conflict": "not possible in the state it was in",
    "key_reused": "its idempotency key had come with another request",
    "too_large": "too large",
    "too_slow": "it came too slowly",
    "throttled": "too many tries",
    "not_set_up": "the platform does without it",
    "unavailable": "a part of the platform did not answer",
    "broker_unavailable": "the broker did not answer",
    "elastic_unavailable": "Elasticsearch did not answer",
    "internal": "an error in the platform; the web front's log has it",
}


class Link(NamedTuple):
    words: str
    href: str


class Entry(NamedTuple):
    """A fact as a line of the page."""

    id: int
    at: float
    what: str
    well: bool
    user: str
    about: tuple[Link, ...]
    more: str
    controller: str


def entry(fact: Fact) -> Entry:
    """The fact in words."""
    return Entry(
        fact.id,
        fact.at,
        KINDS[Kind(fact.kind)] if fact.kind in set(Kind) else fact.kind,
        fact.outcome == Outcome.SUCCESS,
        fact.user,
        tuple(_about(fact)),
        "; ".join(_detail(name, value) for name, value in fact.data.items() if value not in (None, "")),
        fact.controller,
    )


def _about(fact: Fact) -> list[Link]:
    found = []
    if fact.job:
        found.append(Link(f"job {fact.job[-6:]}", f"/jobs/{fact.job}"))
    if fact.app:
        found.append(Link(fact.app, f"/apps/{fact.app}"))
    if fact.node:
        found.append(Link(fact.node, f"/nodes/{fact.node}"))
    if fact.play is not None:
        found.append(Link(f"play {fact.play}", f"/plays/{fact.play}"))
    return found


def _detail(name: str, value: Plain) -> str:
    if name == "reason":
        return REASONS.get(str(value), str(value))
    if name == "left_out":
        return f"{value} more like it were only counted"
    said = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
    return f"{name.replace('_', ' ')}: {said}"

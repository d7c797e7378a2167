"""The first page: what runs now, the nodes at a glance, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import bottle

from webfront.fleet.states import NodeState
from webfront.fleet.views import NodeView
from webfront.jobs.states import JobState
from webfront.jobs.views import JobView
from webfront.pages.rendering import plural, render
from webfront.web import guard
from webfront.web.navigation import Nav
from webfront.web.services import Services

_LIVE: Final = (JobState.RUNNING, JobState.PLACED, JobState.QUEUED)
_COUNTED: Final = 100
_SHOWN: Final = 10


def register(app: bottle.Bottle, services: Services) -> None:
    @app.get("/", nav=Nav(10, "Home"))
    def home() -> str:
        account = guard.identity().account
        nodes, apps = services.fleet.nodes(), services.apps.list()
        live = [job for state in _LIVE for job in services.jobs.list(account, state=state, limit=_COUNTED)]
        recent = [job for job in services.jobs.list(account, limit=20) if job.is_over][:6]
        return render(
            "home.html",
            headline=headline(live, nodes),
            live=live[:_SHOWN],
            live_count=len(live),
            recent=recent,
            nodes=nodes,
            apps=apps,
            todo=next_steps(nodes=bool(nodes), apps=bool(apps), jobs=bool(live or recent)),
        )


@dataclass(frozen=True)
class NextStep:
    title: str
    words: str
    action: str
    href: str
    done: bool
    first: bool = False
    """It is the one to do now."""


def headline(live: Sequence[JobView], nodes: Sequence[NodeView]) -> str:
    """What goes on, in a few words."""
    running = sum(job.state is JobState.RUNNING for job in live)
    waiting = len(live) - running
    if running:
        return plural(running, "job") + " running" + (f", {waiting} waiting" if waiting else "")
    if waiting:
        return plural(waiting, "job") + " waiting"
    active = sum(node.state is NodeState.ACTIVE for node in nodes)
    return "All quiet" if active else "Welcome to Skerry" if not nodes else "No node is active"


def next_steps(*, nodes: bool, apps: bool, jobs: bool) -> list[NextStep]:
    """The three steps to a first result, with what is done; nothing once all are."""
    if nodes and apps and jobs:
        return []
    first = "nodes" if not nodes else "apps" if not apps else "jobs"
    return [
        NextStep(
            "Register a machine",
            "Any Linux machine over SSH, or this one. It becomes a node that runs jobs.",
            "Register",
            "/nodes/register",
            nodes,
            first == "nodes",
        ),
        NextStep(
            "Upload an app",
            "A zip with a manifest, or a single Python file. examples/apps has two to try.",
            "Upload",
            "/apps/upload",
            apps,
            first == "apps",
        ),
        NextStep(
            "Run it on an input",
            "The best node takes it; you watch it run and get its predictions.",
            "Run",
            "/jobs/new",
            jobs,
            first == "jobs",
        ),
    ]

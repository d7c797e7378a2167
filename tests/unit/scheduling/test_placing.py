"""Which queued jobs are placed, in which order, and what the others are told; on a real SQLite."""

from __future__ import annotations

import msgspec
import pytest

from webfront.apps.manifest import read_manifest
from webfront.database.connection import transaction
from webfront.database.models import App, AppVersion, Attempt, Job, Node, User
from webfront.jobs.rankings import NODE, SCORE, rankings_of
from webfront.scheduling.judge import REST_S, NodeJudge
from webfront.scheduling.leases import Leases
from webfront.scheduling.ledger import Ledger
from webfront.scheduling.mirror import Mirror
from webfront.scheduling.placement import Ranked
from webfront.scheduling.placing import EXCLUSION_S, explain_waiting, place_queued
from webfront.scheduling.score import Score, score
from webfront.scheduling.versions import Versions
from webfront.settings import ScoreSettings
from wire.messages import Metrics

IDLE = Metrics(cpu_count=4, free_cpu_percent=90, memory_gb=8, free_memory_gb=6, free_memory_percent=75)
NOW = 1000.0


@pytest.fixture(autouse=True)
def tables(database: object) -> None:
    user = User.create(id=1, force_insert=True, name="ada", password_hash="-", created_at=0)
    for number, name in enumerate(("plain", "gpu"), 1):
        app = App.create(id=number, force_insert=True, name=name, owner=user, created_at=0)
        needs = {"labels": ["gpu"]} if name == "gpu" else {}
        AppVersion.create(
            id=number, force_insert=True, app=app, hash=str(number) * 64,
            manifest={"name": name, "needs": needs}, size=1, uploaded_at=0,
        )  # fmt: skip


def node(name: str, slots: int = 1, **fields: object) -> None:
    Node.create(
        name=name, state="active", connection="local", address="", slots=slots, created_at=0,
        metrics=msgspec.to_builtins(IDLE), **fields,
    )  # fmt: skip


def job(job_id: str, version: int = 1, **fields: object) -> None:
    Job.create(
        id=job_id, app_version=version, user=1, state="queued", submitted_at=0, force_insert=True, **fields
    )  # fmt: skip


def place(now: float = NOW, *, backlog: int = 0) -> list[tuple[str, str]]:
    """Place what can be placed; each job with its node, in the order it was placed."""
    versions = Versions()
    mirror = Mirror(ScoreSettings(), backlog, versions)
    ledger = Ledger(versions)
    with transaction():
        mirror.load()
        place_queued(ledger, mirror, versions, now)
        ledger.flush()
        explain_waiting(mirror, versions, now)
    return [(order.job, order.node) for order in ledger.orders]


def test_an_accelerator_in_the_manifest_is_a_node_that_has_it() -> None:
    manifest = read_manifest(b"name: tensors\nresources: {accelerator: tpu}\n")
    fields = {"hash": "3" * 64, "manifest": msgspec.to_builtins(manifest), "size": 1, "uploaded_at": 0}
    version = AppVersion.create(app=App.get(App.name == "plain"), **fields).id
    node("alpha", labels=["gpu"])
    job("0A", version=version)
    assert place() == []
    assert Job.get_by_id("0A").waiting_reason == "no node can take it now: alpha has no tpu"
    node("beta", labels=["tpu"])
    assert place() == [("0A", "beta")]


def test_priority_then_age_and_no_more_than_fits() -> None:
    node("alpha", slots=2)
    for number, priority in enumerate((0, 0, 5, -1, 5)):
        job(f"J{number}", priority=priority)
    assert place() == [("J2", "alpha"), ("J4", "alpha")]
    assert place() == []
    assert place(backlog=1) == [("J0", "alpha")]
    assert Job.get_by_id("J1").waiting_reason == "no node can take it now: alpha has no free slot"
    assert {(a.job.id, a.number, a.state, a.node) for a in Attempt.select()} == {
        (name, 1, "placed", "alpha") for name in ("J0", "J2", "J4")
    }


def test_a_ranking_stands_beside_the_decision_that_it_led_to() -> None:
    """Release 0.1.0, taken back to, shows an empty ranking; what is large and goes first has a row of its own."""
    node("alpha", slots=2)
    node("beta")
    job("J0")
    assert place() == [("J0", "alpha")]
    attempt = Attempt.get()
    assert (attempt.placement["ranking"], attempt.placement["considered"]) == ([], 2)
    ranking = rankings_of(attempt.job)[attempt.number]
    # All of it, under the names that the decision itself gives it.
    idle = score(IDLE, ScoreSettings())
    assert ranking == msgspec.to_builtins([Ranked("alpha", idle, 0, 2), Ranked("beta", idle, 0, 1)])
    assert {*NODE, "score"} == set(Ranked.__struct_fields__)
    assert Score.__struct_fields__ == SCORE


def test_jobs_that_fit_nowhere_hold_up_nobody() -> None:
    node("alpha", slots=3)
    for number in range(200):
        job(f"A{number:03}", version=2)
    for number in range(3):
        job(f"B{number}", excluded_nodes=["alpha"])
    for number in range(4):
        job(f"C{number}")
    assert [name for name, _ in place()] == ["C0", "C1", "C2"]
    assert Job.get_by_id("A199").waiting_reason == "no node can take it now: alpha lacks the label gpu"


def test_a_cancelled_job_that_waits_is_ended_not_placed() -> None:
    node("alpha")
    job("J0", cancel_requested=True)
    job("J1")
    assert place() == [("J1", "alpha")]
    assert Job.get_by_id("J0").state == "cancelled"


def test_an_excluded_node_is_tried_again_when_no_other_could_ever_take_the_job() -> None:
    node("alpha")
    node("beta", labels=["gpu"])
    job("J0", version=2, excluded_nodes=["beta"], attempts=1)
    Attempt.create(
        job="J0", number=1, node="beta", state="ended", placement={}, placed_at=0, ended_at=NOW, cause="node_lost"
    )
    assert place(NOW + EXCLUSION_S - 1) == []
    assert "beta lost or rejected an earlier attempt" in Job.get_by_id("J0").waiting_reason
    assert place(NOW + EXCLUSION_S + 1) == []
    assert place(NOW + EXCLUSION_S + 2) == [("J0", "beta")]
    assert Job.get_by_id("J0").attempts == 2


def test_a_clock_that_was_set_back_lengthens_no_exclusion() -> None:
    node("alpha")
    job("J0", excluded_nodes=["alpha"], attempts=1)
    Attempt.create(
        job="J0", number=1, node="alpha", state="ended", placement={}, placed_at=0, ended_at=NOW, cause="node_lost"
    )
    place(NOW - 900)
    assert place(NOW - 899) == [("J0", "alpha")]


def test_an_exclusion_stands_while_another_node_only_has_to_become_free() -> None:
    node("alpha")
    node("beta")
    job("J0")
    assert place() == [("J0", "alpha")]
    job("J1", excluded_nodes=["beta"])
    place(NOW + 10 * EXCLUSION_S)
    assert Job.get_by_id("J1").excluded_nodes == ["beta"]


def test_a_node_that_was_set_aside_rests_and_is_tried_with_one_job() -> None:
    node("alpha", slots=4)
    versions, leases = Versions(), Leases()
    mirror = Mirror(ScoreSettings(), 1, versions)
    mirror.load()
    health = NodeJudge(mirror, leases, suspect_s=15, dead_s=45, agentless_s=180)
    for _ in range(3):
        health.blame("alpha")
    mirror.flush()
    assert (Node.get().state, Node.get().consecutive_failures) == ("suspect", 3)
    health.heard(mirror.nodes["alpha"])
    assert health.sweep(NOW) == []
    assert Node.get().state == "suspect"
    assert health.sweep(NOW + REST_S - 1) == []
    assert Node.get().state == "suspect"
    health.sweep(NOW + REST_S + 1)
    mirror.flush()
    mirror.refresh()
    assert (Node.get().state, Node.get().consecutive_failures) == ("active", 2)
    assert mirror.views()["alpha"].room == 1
    health.succeeded("alpha")
    mirror.flush()
    mirror.refresh()
    assert (mirror.views()["alpha"].room, Node.get().consecutive_failures) == (5, 0)

"""Why a job is where it is, and where one would go, through the API and on the job's page."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import peewee
import pytest

from webfront.database.models import Attempt, Job, Node, database
from webfront.settings import Settings
from wire.messages import Metrics

IDLE = Metrics(cpu_count=4, free_cpu_percent=90, memory_gb=8, free_memory_gb=6, free_memory_percent=75)


def node(name: str, state: str = "active", **fields: Any) -> None:
    Node.create(
        name=name, state=state, connection="local", address="", created_at=0, last_heartbeat_at=time.time(),
        metrics=msgspec.to_builtins(IDLE), **fields,
    )  # fmt: skip


def looked(at: float) -> None:
    database.execute_sql(f"INSERT INTO look (at) VALUES ({at})")


def submit(client: httpx.Client) -> str:
    return str(client.post("/api/v1/jobs", json={"app": "noop"}).json()["job"]["id"])


def explained(client: httpx.Client, job: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/jobs/{job}/explain")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["explanation"]
    return found


def test_a_waiting_job_is_explained_by_what_the_rows_say_now(ada: httpx.Client) -> None:
    job = submit(ada)
    assert explained(ada, job)["situation"] == "no_node"
    node("alpha", slots=1, agent_slots=1)
    node("beta", "suspect", state_reason="no heartbeat for 19 s")
    assert explained(ada, job)["sentence"] == "alpha can take it, and the next decision places it there."
    now = time.time()
    for number, started in enumerate((now - 50, None)):
        other = submit(ada)
        Job.update(state="placed", attempts=1).where(Job.id == other).execute()
        Attempt.create(
            job=other, number=1, node="alpha", state="running" if started else "claimed", placement={},
            placed_at=now - 60 + number, started_at=started,
        )  # fmt: skip
    Job.update(waiting_reason="no node can take it now: alpha has no free slot").where(Job.id == job).execute()
    looked(now - 1)
    found = explained(ada, job)
    assert (found["situation"], found["waits_for"]) == ("no_room", "a node that can take it")
    assert found["sentence"] == "No node can take it now: beta is not active; alpha has no free slot."
    # The app's time limit is 300 s.
    assert found["until"] == pytest.approx(now + 250, abs=0.01)
    assert (found["decision"], found["decided_at"]) == (
        "no node can take it now: alpha has no free slot",
        pytest.approx(now - 1, abs=0.01),
    )
    assert [(one["node"], one["constraints"], one["words"]) for one in found["nodes"]] == [
        ("alpha", ["slots"], "has no free slot: it holds 2 jobs, as many as it may"),
        ("beta", ["state"], "is suspect: no heartbeat for 19 s"),
    ]
    page = ada.get(f"/jobs/{job}").text
    assert found["sentence"] in page
    assert "has no free slot: it holds 2 jobs, as many as it may" in page


def test_what_the_scheduler_knows_of_a_node_is_in_what_is_explained(ada: httpx.Client) -> None:
    """An agent that was started with fewer slots than its row has, and a node that is being tried again."""
    job = submit(ada)
    node("alpha", slots=4, agent_slots=1)
    node("beta", slots=4, agent_slots=4, trial=True, consecutive_failures=2)
    for name, count in (("alpha", 2), ("beta", 1)):
        for _ in range(count):
            other = submit(ada)
            Job.update(state="placed", attempts=1).where(Job.id == other).execute()
            Attempt.create(job=other, number=1, node=name, state="claimed", placement={}, placed_at=time.time())
    assert {one["node"]: one["constraints"] for one in explained(ada, job)["nodes"]} == {
        "alpha": ["slots"],
        "beta": ["slots"],
    }


def test_jobs_before_it_are_counted(ada: httpx.Client) -> None:
    first, second = submit(ada), submit(ada)
    assert (explained(ada, first)["before"], explained(ada, second)["before"]) == (0, 1)
    third = submit(ada)
    Job.update(priority=5).where(Job.id == third).execute()
    assert (explained(ada, third)["before"], explained(ada, first)["before"]) == (0, 1)


def test_another_users_job_is_not_explained(ada: httpx.Client, browse: Callable[..., httpx.Client]) -> None:
    job = submit(ada)
    assert browse("bob").get(f"/api/v1/jobs/{job}/explain").status_code == 404
    assert ada.get("/api/v1/jobs/nothing/explain").status_code == 404


def rows_and_files(settings: Settings) -> tuple[dict[str, list[Any]], list[Path]]:
    """All that the platform keeps, but for when tokens were last used."""
    db: peewee.Database = database.obj
    rows = {
        table: list(db.execute_sql(f"SELECT * FROM `{table}`")) for table in db.get_tables() if table != "api_token"
    }
    return rows, sorted(settings.share_dir.rglob("*"))


def test_a_plan_ranks_and_leaves_out_and_writes_nothing(ada: httpx.Client, settings: Settings) -> None:
    node("alpha")
    node("beta", labels=["gpu"])
    node("gone", "drained")
    submit(ada)
    before = rows_and_files(settings)
    answer = ada.get("/api/v1/jobs/plan", params={"app": "noop"})
    assert answer.status_code == 200, answer.text
    plan = answer.json()["plan"]
    assert (plan["app"], len(plan["version"]), plan["before"]) == ("noop", 64, 1)
    assert [one["node"] for one in plan["placement"]["ranking"]] == ["alpha", "beta"]
    assert plan["placement"]["ranking"][0]["score"]["free_cpu_percent"] == 90
    assert plan["placement"]["sentence"] == "alpha won: it is as good as beta, and has fewer jobs for its slots"
    assert [(one["node"], one["words"]) for one in plan["excluded"]] == [("gone", "is drained")]
    assert rows_and_files(settings) == before


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 400, "Say which app"),
        ({"app": "nothing"}, 404, "There is no app nothing."),
        ({"app": "noop", "version": "abcdef"}, 404, "There is no version abcdef of noop."),
        ({"app": "noop", "version": "x"}, 400, "at least the first 6 characters"),
    ],
)
def test_a_plan_of_what_cannot_be_run_says_what_to_change(
    ada: httpx.Client, query: dict[str, str], status: int, words: str
) -> None:
    answer = ada.get("/api/v1/jobs/plan", params=query)
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (status, True), answer.text

"""Faults of a whole fleet under load (`./faults lab`): each is caused for real, and the history is looked at after it.

Full disks, wrong clocks and processes that are stopped are not among them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.history import History
from support.lab import Lab

AWAY_S = 20.0
LONG_S = 70.0
"""Longer than it takes for a node to count as dead."""
SETTLED_S = 240.0
NODES = ("node-1", "node-2", "node-3")
BROKERS = ("broker", "broker-2", "broker-3")

Fault = Callable[[Lab, httpx.Client], None]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("faults") / "lab")
    up = made("up", "--nodes", str(len(NODES)), "--brokers", str(len(BROKERS)))
    assert up.returncode == 0, up.stdout[-4000:] + up.stderr[-2000:]
    yield made
    made("down")


@pytest.fixture(scope="module")
def api(lab: Lab) -> Iterator[httpx.Client]:
    with lab.api() as made:
        History(made).upload()
        yield made


def a_node_loses_its_power(lab: Lab, api: httpx.Client) -> None:
    lab.power_off("node-1")
    time.sleep(LONG_S)
    lab.power_on("node-1")


def a_node_loses_its_power_for_a_moment(lab: Lab, api: httpx.Client) -> None:
    lab.power_off("node-1")
    lab.power_on("node-1")


def silence(lab: Lab, *ways: tuple[str, str]) -> None:
    """What the first of each says to the second gets lost, for longer than a node may be silent."""
    for one, other in ways:
        lab.cut(one, other)
    time.sleep(LONG_S)
    for one, other in ways:
        lab.mend(one, other)


def a_nodes_words_get_lost(lab: Lab, api: httpx.Client) -> None:
    silence(lab, *(("node-2", broker) for broker in BROKERS))


def the_brokers_words_to_a_node_get_lost(lab: Lab, api: httpx.Client) -> None:
    silence(lab, *((broker, "node-2") for broker in BROKERS))


def a_node_is_cut_off_both_ways(lab: Lab, api: httpx.Client) -> None:
    silence(lab, *(way for broker in BROKERS for way in (("node-2", broker), (broker, "node-2"))))


def the_controller_is_cut_off_from_the_brokers(lab: Lab, api: httpx.Client) -> None:
    silence(lab, *(way for broker in BROKERS for way in (("controller", broker), (broker, "controller"))))


def a_broker_is_cut_off_from_the_others(lab: Lab, api: httpx.Client) -> None:
    silence(lab, *(way for other in BROKERS[1:] for way in (("broker", other), (other, "broker"))))


def the_controller_reboots(lab: Lab, api: httpx.Client) -> None:
    lab.power_off("controller")
    time.sleep(AWAY_S)
    lab.power_on("controller")


def one_of_three_brokers_loses_its_power(lab: Lab, api: httpx.Client) -> None:
    lab.power_off("broker-2")
    time.sleep(LONG_S)
    lab.power_on("broker-2")


def all_brokers_lose_their_power(lab: Lab, api: httpx.Client) -> None:
    for name in BROKERS:
        lab.power_off(name)
    time.sleep(AWAY_S)
    for name in reversed(BROKERS):
        lab.power_on(name)


def the_database_is_killed(lab: Lab, api: httpx.Client) -> None:
    lab.inside("database", "systemctl kill --signal=KILL mariadb.service")
    time.sleep(AWAY_S)
    lab.inside("database", "systemctl start mariadb.service")


def the_databases_machine_loses_its_power(lab: Lab, api: httpx.Client) -> None:
    lab.power_off("database")
    time.sleep(AWAY_S)
    lab.power_on("database")


def everything_loses_its_power(lab: Lab, api: httpx.Client) -> None:
    names = (*BROKERS, "database", "controller", *NODES)
    for name in names:
        lab.power_off(name)
    # In an order in which nothing finds what it needs.
    for name in reversed(names):
        lab.power_on(name)
        time.sleep(5)


def a_node_is_drained(lab: Lab, api: httpx.Client) -> None:
    play = api.post("/nodes/skerry-lab-node-3/drain").raise_for_status().json()["play"]["id"]
    assert ended_play(api, play)["state"] == "succeeded"
    assert node(api, "skerry-lab-node-3")["state"] == "drained"
    api.post("/nodes/skerry-lab-node-3/activate").raise_for_status()


FAULTS: tuple[Fault, ...] = (
    a_node_loses_its_power,
    a_node_loses_its_power_for_a_moment,
    a_nodes_words_get_lost,
    the_brokers_words_to_a_node_get_lost,
    a_node_is_cut_off_both_ways,
    the_controller_is_cut_off_from_the_brokers,
    a_broker_is_cut_off_from_the_others,
    the_controller_reboots,
    one_of_three_brokers_loses_its_power,
    all_brokers_lose_their_power,
    the_database_is_killed,
    the_databases_machine_loses_its_power,
    everything_loses_its_power,
    a_node_is_drained,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_job_is_lost_or_done_twice(lab: Lab, api: httpx.Client, fault: Fault) -> None:
    with History(api) as history:
        history.wait_for(10)
        fault(lab, api)
        history.wait_for(len(history.accepted) + 10)
    assert history.faults(SETTLED_S) == []
    until = time.monotonic() + SETTLED_S
    while states := {one["name"]: one["state"] for one in nodes(api) if one["state"] != "active"}:
        assert time.monotonic() < until, states
        time.sleep(1)


def test_a_node_whose_right_is_taken_away_does_nothing_more(lab: Lab, api: httpx.Client) -> None:
    """It is cut off from plays, so that its agent goes on while its place in the platform is taken away."""
    name = "skerry-lab-node-3"
    with History(api) as history:
        history.wait_for(10)
        lab.cut("node-3", "controller")
        play = api.delete(f"/nodes/{name}").raise_for_status().json()["play"]["id"]
        ended = ended_play(api, play)
        history.wait_for(len(history.accepted) + 10)
    assert ended["state"] == "succeeded", ended
    assert history.faults(SETTLED_S) == []
    assert name not in lab.inside("broker", "rabbitmqctl --quiet list_users")
    assert f"jobs.{name}" not in lab.inside("broker", "rabbitmqctl --quiet list_queues --vhost skerry name")
    # Nothing that it is told or says counts any more.
    assert name not in {one["name"] for one in nodes(api)}


def nodes(api: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = until_answered(lambda: api.get("/nodes"))["nodes"]
    return found


def node(api: httpx.Client, name: str) -> dict[str, Any]:
    return next(one for one in nodes(api) if one["name"] == name)


def ended_play(api: httpx.Client, play: int, within_s: float = 900.0) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while True:
        found: dict[str, Any] = until_answered(lambda: api.get(f"/plays/{play}"))["play"]
        if found["finished_at"]:
            return found
        assert time.monotonic() < until, found
        time.sleep(1)


def until_answered(ask: Callable[[], httpx.Response], within_s: float = SETTLED_S) -> Any:
    """The answer's JSON, once there is one that is none of an error."""
    until = time.monotonic() + within_s
    while True:
        try:
            return ask().raise_for_status().json()
        except httpx.HTTPError:
            assert time.monotonic() < until
            time.sleep(1)

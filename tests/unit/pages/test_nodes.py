"""The pages of nodes: the form that changes one, and what they say of the broker."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from webfront.database.models import Look, Node


def test_a_node_is_changed_by_form_and_by_api(browse: Callable[..., httpx.Client]) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Tz5vQqZ0p0cV8b6f1o0c5mXlq0w1m2n3o4p5q6r7s"
    fields = {"address": "10.0.0.7", "ssh_user": "root", "host_key": key, "registered_by": "bob", "created_at": 0}
    Node.create(name="alpha", state="active", connection="ssh", **fields)
    bob = browse("bob")
    answer = bob.patch("/api/v1/nodes/alpha", json={"labels": ["fast"]})
    assert answer.status_code == 200
    assert (answer.json()["node"]["labels"], answer.json()["play"]) == (["fast"], None)
    assert bob.patch("/api/v1/nodes/alpha", json={"name": "beta"}).status_code == 400
    assert browse().patch("/api/v1/nodes/alpha", json={}).status_code == 401
    page = bob.get("/nodes/alpha/edit").text
    assert 'value="10.0.0.7"' in page
    form = {
        "address": "10.0.0.7",
        "ssh_port": "22",
        "ssh_user": "root",
        "host_key": key,
        "slots": "1",
        "labels": "slow, old",
        "edition": page.split('name="edition" value="')[1].split('"')[0],
    }
    answer = bob.post("/nodes/alpha/edit", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/nodes/alpha")
    assert Node.get().labels == ["slow", "old"]
    again = bob.post("/nodes/alpha/edit", data=form | {"labels": "other"})
    assert again.status_code == 409
    assert "changed meanwhile" in again.text
    assert 'value="other"' in again.text
    # The plays process is away: nothing is changed, and what was typed stays.
    form |= {"slots": "7", "edition": bob.get("/api/v1/nodes/alpha").json()["node"]["edition"]}
    refused = bob.post("/nodes/alpha/edit", data=form)
    assert refused.status_code == 503
    assert 'value="7"' in refused.text
    assert Node.get().slots == 1


def test_a_broker_in_need_is_told_where_nodes_are_shown(browse: Callable[..., httpx.Client]) -> None:
    Node.create(name="alpha", state="active", connection="local", address="", created_at=0)
    bob = browse("bob")
    assert "blocks" not in bob.get("/nodes").text
    Look.create(at=0, trouble="the broker blocks: its disk is full", trouble_at=1.0)
    for page in ("/nodes", "/nodes/alpha"):
        assert "The broker blocks: its disk is full." in bob.get(page).text


def test_a_node_that_refuses_says_what_and_since_when_and_what_mends_it(browse: Callable[..., httpx.Client]) -> None:
    told = [
        {"kind": "no_space", "words": "has no space left on its disk (3 MB are free)", "since": 100.0, "told_at": 9.0}
    ]
    reason = "set aside: it has no space left on its disk (3 MB are free)"
    fields = {"connection": "local", "address": "localhost", "registered_by": "bob", "created_at": 0}
    Node.create(name="alpha", state="suspect", state_reason=reason, refusals=told, **fields)
    bob = browse("bob")
    page = bob.get("/nodes/alpha").text
    assert "It is there, and gets no new jobs. It looks by itself whether it can again" in page
    assert "Free space on the file system that holds the agent&#39;s state folder" in page
    assert reason in bob.get("/nodes").text
    (refusal,) = bob.get("/api/v1/nodes/alpha").json()["node"]["refusals"]
    assert {name: refusal[name] for name in ("kind", "since")} == {"kind": "no_space", "since": 100.0}
    assert refusal["mending"].startswith("Free space")

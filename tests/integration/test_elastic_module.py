"""The module `skerry_elastic` against a real Elasticsearch: told truthfully, once, and whatever it died of before."""

from __future__ import annotations

import base64
import json
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.ansible_module import run_module
from support.elasticsearch import PrivateElasticsearch, basic
from support.rabbitmq import free_ports

PROJECT = Path(__file__).resolve().parents[2]
READING: dict[str, Any] = {"reader": {"indices": [{"names": ["logs-skerry-*"], "privileges": ["read"]}]}}
WRITING: dict[str, Any] = {"writer": {"indices": [{"names": ["logs-skerry-*"], "privileges": ["create_doc"]}]}}


class Keeper:
    """Calls the module, and sees that what it says of a change is so in check mode as well."""

    def __init__(self, engine: PrivateElasticsearch, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    def __call__(self, kind: str, **given: Any) -> list[str]:
        """What was done."""
        told = self.checked(kind, **given)
        result = self._run(kind, **given)
        assert "failed" not in result, result
        assert result["done"] == told
        assert result["changed"] == bool(told)
        return told

    def checked(self, kind: str, **given: Any) -> list[str]:
        result = self._run(kind, check=True, **given)
        assert "failed" not in result, result
        done: list[str] = result["done"]
        return done

    def refused(self, kind: str, **given: Any) -> str:
        result = self._run(kind, **given)
        assert result.get("failed") is True, result
        return str(result["msg"])

    def _run(self, kind: str, *, check: bool = False, **given: Any) -> dict[str, Any]:
        server = {"url": self.engine.url, "password_file": str(self.engine.password_file)}
        result = run_module("skerry_elastic", check=check, kind=kind, **{**server, **given})
        shown = json.dumps({name: value for name, value in result.items() if name != "invocation"})
        for secret in filter(None, [file.read_text().strip() for file in self.folder.iterdir() if file.is_file()]):
            assert secret not in shown
        return result


@pytest.fixture
def keep(engine: PrivateElasticsearch, tmp_path: Path) -> Keeper:
    return Keeper(engine, tmp_path)


def template(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((PROJECT / f"logstash/templates/{name}.json").read_text())
    return body


@pytest.mark.parametrize(
    ("kind", "file", "plant"),
    [
        (
            "component_template",
            "skerry-logs@settings",
            lambda body: body["template"]["settings"]["index"].update(codec="default"),
        ),
        (
            "component_template",
            "skerry-logs@settings",
            lambda body: body["template"]["settings"]["index"].update(number_of_replicas=3),
        ),
        (
            "component_template",
            "skerry-logs@mappings",
            lambda body: body["template"]["mappings"]["properties"].update({"planted": {"type": "keyword"}}),
        ),
        (
            "component_template",
            "skerry-logs@mappings",
            lambda body: body["template"]["mappings"]["properties"]["message"].update(type="keyword"),
        ),
        ("index_template", "skerry-logs", lambda body: body.update(priority=7)),
        ("index_template", "skerry-logs", lambda body: body.update(composed_of=["skerry-logs@mappings"])),
        ("index_template", "skerry-logs", lambda body: body.update(data_stream={"hidden": True})),
    ],
)
def test_a_template_is_sent_once_and_what_was_planted_is_told_and_undone(
    keep: Keeper, kind: str, file: str, plant: Callable[[dict[str, Any]], object]
) -> None:
    for part in ("skerry-logs@mappings", "skerry-logs@settings"):
        keep("component_template", name=part, body=template(part))
    body = template(file)
    keep(kind, name=file, body=body)
    assert keep(kind, name=file, body=body) == []
    planted = template(file)
    plant(planted)
    assert keep.engine.request("PUT", f"/_{kind}/{file}", planted)[0] == 200
    assert keep(kind, name=file, body=body) == ["changed it"]
    assert keep(kind, name=file, body=body) == []


def allowed(engine: PrivateElasticsearch, authorization: str) -> int:
    return engine.request("GET", "/_security/_authenticate", authorization=authorization)[0]


@pytest.fixture(params=["api_key", "service_token"])
def secret(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """Its kind, its name, and how it is shown."""
    unique = f"test-{uuid.uuid4().hex[:8]}"
    name = unique if request.param == "api_key" else f"elastic/kibana/{unique}"
    return request.param, name, "ApiKey" if request.param == "api_key" else "Bearer"


def test_a_secret_is_made_once_and_one_that_nobody_has_is_taken_away(
    keep: Keeper, secret: tuple[str, str, str]
) -> None:
    kind, name, scheme = secret
    file = keep.folder / "secret"
    given: dict[str, Any] = {"name": name, "file": str(file), "body": READING if kind == "api_key" else {}}
    assert keep(kind, **given) == ["made it"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_text().strip()
    assert allowed(keep.engine, f"{scheme} {first}") == 200
    assert keep(kind, **given) == []

    # Killed after it was made and before it was written: Elasticsearch tells it once.
    file.unlink()
    assert keep(kind, **given) == ["made it", "took 1 other of its name away"]
    second = file.read_text().strip()
    assert allowed(keep.engine, f"{scheme} {first}") == 401
    assert allowed(keep.engine, f"{scheme} {second}") == 200

    # What stands there is none, or somebody else's.
    for left in ("", "no secret at all", base64.b64encode(b"\0\1\0\1an-id:x").decode()):
        file.write_text(left)
        assert "made it" in keep(kind, **given)
    assert keep(kind, **given) == []
    assert [path.name for path in keep.folder.iterdir()] == ["secret"]


def test_another_secret_counts_beside_the_one_before_until_the_next_run(
    keep: Keeper, secret: tuple[str, str, str]
) -> None:
    kind, name, scheme = secret
    file = keep.folder / "secret"
    given: dict[str, Any] = {"name": name, "file": str(file), "body": READING if kind == "api_key" else {}}
    keep(kind, **given)
    before = file.read_text().strip()
    assert keep(kind, rotate="introduce", **given) == ["made another"]
    after = file.read_text().strip()
    assert after != before
    assert [allowed(keep.engine, f"{scheme} {one}") for one in (before, after)] == [200, 200]
    assert keep(kind, **given) == ["took 1 other of its name away"]
    assert [allowed(keep.engine, f"{scheme} {one}") for one in (before, after)] == [401, 200]


def test_a_keys_rights_are_changed_and_the_key_stays(keep: Keeper) -> None:
    given: dict[str, Any] = {"name": f"test-{uuid.uuid4().hex[:8]}", "file": str(keep.folder / "key")}
    keep("api_key", body=READING, **given)
    key = (keep.folder / "key").read_text().strip()

    def creates() -> bool:
        asked = {"index": [{"names": ["logs-skerry-default"], "privileges": ["create_doc"]}]}
        place = "/_security/user/_has_privileges"
        answer = keep.engine.request("POST", place, asked, authorization=f"ApiKey {key}")[1]
        return bool(answer["has_all_requested"])

    assert not creates()
    assert keep("api_key", body=READING | WRITING, **given) == ["changed what it may"]
    assert (keep.folder / "key").read_text().strip() == key
    assert creates()
    assert keep("api_key", body=READING | WRITING, **given) == []
    keep.engine.request("PUT", f"/_security/api_key/{base64.b64decode(key).split(b':')[0].decode()}",
                        {"role_descriptors": {"all": {"cluster": ["all"]}}})  # fmt: skip
    assert keep("api_key", body=READING, **given) == ["changed what it may"]


def test_a_password_is_set_wherever_the_run_before_was_killed(keep: Keeper) -> None:
    user, file = f"test-{uuid.uuid4().hex[:8]}", keep.folder / "password"
    coming = keep.folder / "password.next"
    first, second, third = "the-first-password", "the-second-password", "the-third-password"
    made = keep.engine.request("PUT", f"/_security/user/{user}", {"password": first, "roles": ["superuser"]})
    assert made[0] == 200
    given: dict[str, Any] = {"user": user, "file": str(file), "password_file": str(file)}

    assert keep("password", password=first, **given) == ["noted it"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keep("password", **given) == keep("password", password=first, **given) == []
    assert keep("password", password=second, **given) == ["set it"]
    assert allowed(keep.engine, basic(user, second)) == 200
    assert file.read_text().strip() == second

    # Killed before it was set, and after.
    for is_set in (False, True):
        coming.write_text(third)
        if is_set:
            keep.engine.request("PUT", f"/_security/user/{user}/_password", {"password": third})
        assert keep("password", **given) == ["noted it" if is_set else "set it"]
        assert allowed(keep.engine, basic(user, third)) == 200
        assert file.read_text().strip() == third
        assert not coming.exists()
        keep("password", password=second, **given)

    assert keep.checked("password", rotate="introduce", **given) == ["set it"]
    assert keep("password", rotate="introduce", **given) == ["set it"]
    assert file.read_text().strip() not in (first, second, third)

    file.write_text("none that counts")
    assert "elasticsearch-reset-password" in keep.refused("password", **given)


def test_where_nothing_answers_check_mode_tells_it_and_a_run_fails(keep: Keeper) -> None:
    (port,) = free_ports(1)
    given: dict[str, Any] = {"url": f"http://127.0.0.1:{port}", "name": "skerry-logs", "body": {}}
    assert keep.checked("index_template", **given) == ["nothing answers: it would be made"]
    assert f"http://127.0.0.1:{port} does not answer" in keep.refused("index_template", **given)
    assert "give https://HOST:PORT" in keep.refused("index_template", **{**given, "url": "file:///etc/passwd"})


def test_what_it_may_not_is_told_with_the_servers_words(keep: Keeper) -> None:
    said = keep.refused("index_template", name="skerry-logs", body={}, password="wrong", password_file=os.devnull)
    assert "is answered 401" in said

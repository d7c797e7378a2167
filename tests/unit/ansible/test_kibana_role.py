"""What the role kibana asks of Kibana is what Kibana describes: method, path, headers, query and body of each request.

The requests are the role's own tasks with its own variables filled in by Ansible; the description is kibana_api.json,
which names its sources. No Kibana answers here.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from ansible.module_utils.urls import prepare_multipart  # type: ignore[import-untyped]

PROJECT = Path(__file__).resolve().parents[3]
ROLE = PROJECT / "roles/kibana"
DESCRIBED = json.loads((Path(__file__).parent / "kibana_api.json").read_text(encoding="utf-8"))
TASKS: list[dict[str, Any]] = yaml.safe_load((ROLE / "tasks/objects.yml").read_text(encoding="utf-8"))
REQUESTS = {
    task["name"]: {name: value for name, value in task["ansible.builtin.uri"].items() if name != "ca_path"}
    for task in TASKS
    if "ansible.builtin.uri" in task
}

GIVEN: dict[str, dict[str, Any]] = {
    "its own": {"kibana_admin_password": "swordfish"},
    "its own, elsewhere": {
        "kibana_address": "10.0.0.8",
        "kibana_port": 443,
        "kibana_base_path": "/kibana",
        "kibana_space": "edge",
        "kibana_api_key": "a2V5",
    },
    "Elastic Cloud's": {
        "kibana_install_method": "running",
        "kibana_url": "https://id.kb.example.cloud.es.io/",
        "kibana_api_key": "a2V5",
    },
}
BEGINS = {
    "its own": "https://127.0.0.1:5601",
    "its own, elsewhere": "https://10.0.0.8:443/kibana",
    "Elastic Cloud's": "https://id.kb.example.cloud.es.io",
}


def run(folder: Path, hosts: dict[str, dict[str, Any]], play: dict[str, Any]) -> None:
    """Have Ansible play it in the folder, with hosts that are all this machine."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"vars": here, "hosts": hosts}}), encoding="utf-8")
    (folder / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    environment = {
        "ANSIBLE_ROLES_PATH": str(ROLE.parent),
        "ANSIBLE_FILTER_PLUGINS": str(ROLE / "filter_plugins"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_FORKS": "20",
    }
    done = subprocess.run(
        ["ansible-playbook", "--inventory", "hosts.yml", "play.yml"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The arguments of each request, to each Kibana."""
    folder = tmp_path_factory.mktemp("kibana")
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    shared = {**defaults, "role_path": str(ROLE), "requests": REQUESTS, "folder": str(folder)}
    hosts = {f"kibana{place}": shared | given for place, given in enumerate(GIVEN.values())}
    write = {
        "content": "{{ requests | to_json }}",
        "dest": "{{ folder }}/{{ inventory_hostname }}.json",
        "mode": "0600",
    }
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.include_vars": str(ROLE / "vars/main.yml")},
            {"ansible.builtin.copy": write},
        ],
    }
    run(folder, hosts, play)
    return {
        which: json.loads((folder / f"kibana{place}.json").read_text(encoding="utf-8"))
        for place, which in enumerate(GIVEN)
    }


@pytest.fixture(params=GIVEN)
def asked(request: pytest.FixtureRequest, filled: dict[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Which Kibana, and the requests to it."""
    return request.param, filled[request.param]


def test_each_request_is_one_that_kibana_describes(asked: tuple[str, dict[str, Any]]) -> None:
    which, requests = asked
    left = dict(DESCRIBED["calls"])
    for name, one in requests.items():
        assert one["url"].startswith(BEGINS[which]), name
        parts = urlsplit(one["url"].removeprefix(BEGINS[which]))
        space = re.match(r"/s/[^/]+", parts.path)
        path = parts.path.removeprefix(space[0] if space else "")
        assert (space is not None) == ("kibana_space" in GIVEN[which] and path != "/api/status"), name
        call = left.pop(path)
        assert one.get("method", "GET") == call["method"], name
        assert {key for key, _ in parse_qsl(parts.query)} <= set(call["query"]), name
        assert set(call["headers"]) <= set(one["headers"]), name
        codes = one["status_code"]
        assert set(codes if isinstance(codes, list) else [codes]) <= set(call["answers"]), name
    assert left == {}


def test_whoever_asks_is_known(asked: tuple[str, dict[str, Any]]) -> None:
    which, requests = asked
    basic = base64.b64encode(b"elastic:swordfish").decode()
    expected = f"Basic {basic}" if "kibana_admin_password" in GIVEN[which] else "ApiKey a2V5"
    assert {one["headers"]["Authorization"] for one in requests.values()} == {expected}


def test_the_import_sends_the_file_and_replaces_what_is_there(asked: tuple[str, dict[str, Any]]) -> None:
    _, requests = asked
    one = requests["Import the dashboards"]
    call = DESCRIBED["calls"]["/api/saved_objects/_import"]
    assert parse_qsl(urlsplit(one["url"]).query) == [("overwrite", "true")]
    assert one["body_format"] == "form-multipart"
    kind, body = prepare_multipart(one["body"])
    made = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=policy.default)
    (part,) = made.iter_parts()
    assert [part["content-disposition"].params["name"]] == call["multipart"]
    assert Path(str(part.get_filename())).suffix == call["extension"]
    sent = part.get_payload(decode=True)
    assert sent == (PROJECT / "kibana/objects.ndjson").read_bytes()


def test_the_export_is_asked_for_each_object_of_the_file(asked: tuple[str, dict[str, Any]]) -> None:
    _, requests = asked
    one = requests["Ask Kibana for the dashboards"]
    call = DESCRIBED["calls"]["/api/saved_objects/_export"]
    assert one["body_format"] == "json"
    assert set(one["body"]) <= set(call["json"])
    lines = (PROJECT / "kibana/objects.ndjson").read_text(encoding="utf-8").splitlines()
    assert one["body"]["objects"] == [{key: json.loads(line)[key] for key in ("type", "id")} for line in lines]
    assert set(one["body"]["objects"][0]) == set(call["object"])


def test_what_is_read_of_an_answer_is_in_it() -> None:
    text = (ROLE / "tasks/objects.yml").read_text() + (ROLE / "vars/main.yml").read_text()
    read = set(re.findall(r"__kibana_imported\.json\.(\w+)", text))
    # A refusal has a message instead.
    assert read - {"message"} <= set(DESCRIBED["calls"]["/api/saved_objects/_import"]["answer"])
    level = ".".join(DESCRIBED["calls"]["/api/status"]["available"])
    assert f"__kibana_status.json.{level}" in text


def test_no_request_shows_its_password() -> None:
    assert all(task["no_log"] is True for task in TASKS if "ansible.builtin.uri" in task)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no Elasticsearch": ({"kibana_elastic_url": ""}, "Set kibana_elastic_url"),
    "Elasticsearch without a scheme": ({"kibana_elastic_url": "10.0.0.7:9200"}, "Set kibana_elastic_url"),
    "two ways to sign in": ({"kibana_elastic_password": "another"}, "one of kibana_elastic_token and"),
    "the superuser": ({"kibana_elastic_user": "elastic"}, "may not be elastic"),
    "beyond the machine without TLS": ({"kibana_tls": False, "kibana_address": "0.0.0.0"}, "Leave kibana_tls on"),
    "a certificate without its key": ({"kibana_tls_certificate": "-----BEGIN"}, "kibana_tls_key, or neither"),
    "a slash at the path's end": ({"kibana_base_path": "/kibana/"}, "without a slash at its end"),
    "an address without the path": (
        {"kibana_base_path": "/kibana", "kibana_public_url": "https://skerry.example"},
        "with that path at its end",
    ),
    "a short key": ({"kibana_encryption_key": "short"}, "at least 32 characters"),
    "an archive of no version": ({"kibana_install_method": "archive"}, "set kibana_version"),
    "a version of before": ({"kibana_version": "8.18.2", "kibana_major": 8}, "8.19 or 9"),
    "a version of the other major": ({"kibana_version": "8.19.3"}, "of kibana_major"),
    "nobody's Kibana": ({"kibana_install_method": "running"}, "with running kibana_url"),
    "nobody who imports": ({"kibana_admin_password": ""}, "so that the dashboards can be imported"),
    "a space by its title": ({"kibana_space": "My space"}, "as Kibana has it in addresses"),
}


WORKS = {
    "kibana_elastic_url": "https://10.0.0.7:9200",
    "kibana_elastic_token": "t",
    "kibana_admin_password": "swordfish",
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the role says to each of these settings, beside some that work; nothing to those."""
    folder = tmp_path_factory.mktemp("refusals")
    hosts = {f"case{place}": WORKS | given for place, (given, _) in enumerate(REFUSED.values())} | {"works": WORKS}
    look = {"ansible.builtin.include_role": {"name": "kibana", "tasks_from": "preflight"}}
    note = {
        "ansible.builtin.copy": {
            "content": "{{ ansible_failed_result.msg }}",
            "dest": str(folder / "{{ inventory_hostname }}.txt"),
            "mode": "0600",
        }
    }
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"block": [look], "rescue": [note]}]}
    run(folder, hosts, play)
    said = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.txt")}
    return {words: said.get(f"case{place}", "") for place, words in enumerate(REFUSED)} | {"": said.get("works", "")}


@pytest.mark.parametrize("words", REFUSED)
def test_a_setting_that_cannot_work_is_refused_in_words(refusals: dict[str, str], words: str) -> None:
    assert REFUSED[words][1] in " ".join(refusals[words].split())
    assert refusals[""] == ""

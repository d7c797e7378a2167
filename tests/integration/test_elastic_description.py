"""What the role elasticsearch sends is what Elastic's published description of its API has, for 8.19 and for 9.

The tests' engine lacks lifecycle policies and the API of data streams: this shows that their requests are as they
should be, and the scenario `elasticsearch` that the others do what they should.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.described import RELEASES, Call, faults_of_type, sent_by_the_client

PROJECT = Path(__file__).resolve().parents[2]
# Of the same name as the role's module, so that the role calls this one, which notes what it is given.
NOTES = """\
import json
from ansible.module_utils.basic import AnsibleModule
given = ("kind", "name", "body")
module = AnsibleModule(argument_spec={"kind": {}, "name": {"default": ""}, "body": {"type": "dict", "default": {}},
    **{name: {"no_log": False} for name in
       ("url", "ca", "user", "password", "password_file", "api_key", "file", "rotate", "wait_s")}},
    supports_check_mode=True)
with open(%r, "a") as file:
    file.write(json.dumps({name: module.params[name] for name in given}) + "\\n")
module.exit_json(changed=True)
"""


def told(folder: Path) -> list[dict[str, Any]]:
    """What the role tells its module to keep."""
    notes = folder / "notes"
    (folder / "library").mkdir()
    (folder / "library/skerry_elastic.py").write_text(NOTES % str(notes))
    (folder / "play.yml").write_text(
        textwrap.dedent(f"""\
        - hosts: localhost
          connection: local
          gather_facts: false
          tasks:
            - ansible.builtin.import_role: {{name: elasticsearch, tasks_from: content.yml}}
          vars:
            ansible_become: false
            ansible_python_interpreter: "{sys.executable}"
            elasticsearch_install_method: running
            elasticsearch_url: https://search.test
            elasticsearch_password: the-password-of-this-test
            elasticsearch_secrets_dir: "{folder}"
        """)
    )
    environment = {
        **os.environ,
        "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
        "ANSIBLE_LIBRARY": str(folder / "library"),
    }
    done = subprocess.run(
        ["ansible-playbook", "--inventory", "localhost,", "--check", str(folder / "play.yml")],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in notes.read_text().splitlines()]


def requests_of(given: dict[str, Any], module: Any) -> dict[str, Call]:
    """Those that the module makes of it, by names."""
    kind, name, body = given["kind"], given["name"], given["body"]
    if kind == "rollover":
        found = {"ask": module.stream_looked_for(name), "roll over": module.rollover(name)}
    elif kind == "api_key":
        keys = module.Keys
        found = {"list": keys.listed(name), "make": keys.made(name, body), "change": keys.changed("an-id", body)}
        found["remove"] = keys.removed(["an-id", "another-id"])
    elif kind == "service_token":
        service, _, own = name.rpartition("/")
        tokens = module.Tokens
        found = {"list": tokens.listed(service), "make": tokens.made(service, f"{own}-1")}
        found["remove"] = tokens.removed(service, f"{own}-1")
    else:
        found = {"ask": module.KINDS[kind].ask(name), "put": module.KINDS[kind].put(name, body)}
    return {f"{what} {kind} {name}": Call(*request) for what, request in found.items()}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    """Each request that the role sends, however things stand."""
    specification = importlib.util.spec_from_file_location("skerry_elastic", PROJECT / "library/skerry_elastic.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # Its types are looked up by its name.
    sys.modules["skerry_elastic"] = module
    specification.loader.exec_module(module)
    found = {
        "who signs in": Call("GET", "/_security/_authenticate"),
        "set password": Call(*module.password_set("elastic", "another-password")),
    }
    for given in told(tmp_path_factory.mktemp("told")):
        if given["kind"] != "password":
            found |= requests_of(given, module)
    return found


def test_all_that_the_role_keeps_is_among_them(calls: dict[str, Call]) -> None:
    assert {
        "put lifecycle skerry-logs",
        "put component_template skerry-logs@mappings",
        "put component_template skerry-logs@settings",
        "put index_template skerry-logs",
        "put data_stream logs-skerry-default",
        "roll over rollover logs-skerry-default",
        "make api_key skerry-shipper",
        "make api_key skerry-logstash",
        "make service_token elastic/kibana/skerry",
    } <= set(calls)
    settings = calls["put component_template skerry-logs@settings"].body["template"]["settings"]
    assert settings["index"]["lifecycle"] == {"name": "skerry-logs"}
    assert calls["put lifecycle skerry-logs"].body["policy"]["phases"]["delete"]["min_age"] == "90d"


@pytest.mark.parametrize("release", RELEASES)
def test_elastics_client_sends_the_same(release: str, calls: dict[str, Call]) -> None:
    assert dict(zip(calls, sent_by_the_client(release, list(calls.values())), strict=True)) == calls


def planted(calls: dict[str, Call], name: str, plant: Callable[[Any], object]) -> Call:
    body = copy.deepcopy(calls[name].body)
    plant(body)
    return calls[name]._replace(body=body)


PLANTED: dict[str, tuple[str, Callable[[Any], object]]] = {
    "a field of a policy": ("put lifecycle skerry-logs", lambda b: b.update(polcy={})),
    "a phase": ("put lifecycle skerry-logs", lambda b: b["policy"]["phases"].update(remove={})),
    "a condition": (
        "put lifecycle skerry-logs",
        lambda b: b["policy"]["phases"]["hot"]["actions"]["rollover"].update(maximum_age="7d"),
    ),
    "a kind of value": ("put lifecycle skerry-logs", lambda b: b["policy"]["phases"]["hot"].update(min_age=True)),
    "a field's type": (
        "put component_template skerry-logs@mappings",
        lambda b: b["template"]["mappings"]["properties"].update({"message": {"type": "txt"}}),
    ),
    "a part of a template": (
        "put component_template skerry-logs@settings",
        lambda b: b["template"].update(setings={}),
    ),
    "a part of an index template": ("put index_template skerry-logs", lambda b: b.update(compose_of=[])),
    "a switch of a data stream": ("put index_template skerry-logs", lambda b: b["data_stream"].update(visible=True)),
    "a right": (
        "make api_key skerry-shipper",
        lambda b: b["role_descriptors"]["skerry_shipper"]["indices"][0].update(privilege=["all"]),
    ),
    "which keys": ("remove api_key skerry-shipper", lambda b: b.update(id_list=[])),
    "a password": ("set password", lambda b: b.update(pass_word="x")),
}
"""What could be wrong of each, by how it is made wrong."""


@pytest.mark.parametrize("release", RELEASES)
def test_its_types_are_those_of_the_description_and_a_planted_fault_is_found(
    release: str, calls: dict[str, Call], tmp_path: Path
) -> None:
    wrong = {f"planted: {fault}": planted(calls, name, plant) for fault, (name, plant) in PLANTED.items()}
    faults = faults_of_type(release, calls | wrong, tmp_path)
    assert {name: said for name, said in faults.items() if name in calls and said} == {}
    assert [name for name in wrong if not faults[name]] == []

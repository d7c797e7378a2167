#!/usr/bin/python
"""Ansible module: what stands in an Elasticsearch is as described, asked for before anything is sent.

A secret that Elasticsearch makes (a key, a token) is told once, so it is on the disk before anybody relies on it:
killed between the two, the next run makes another and takes the orphan away. A password is on the disk before it is
set.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: skerry_elastic
short_description: Keep templates, lifecycle policies, data streams, keys and passwords of Elasticsearch
description:
  - Asks first and sends what differs. No secret is an argument of a process, nor shown.
  - In check mode nothing is sent but questions; where nothing answers there, everything would be made.
options:
  url:
    description: Elasticsearch, such as https://10.0.0.8:9200.
    type: str
    required: true
  ca:
    description: The authorities (PEM) whose certificates count. Empty is the machine's own.
    type: path
  user:
    description: Who signs in, with O(password_file) or O(password).
    type: str
    default: elastic
  password:
    description: That user's password. With O(kind=password) the one that is to count.
    type: str
  password_file:
    description: The file that holds it.
    type: path
  api_key:
    description: A key to sign in with, in the encoded form, instead of a user.
    type: str
  kind:
    description:
      - What is kept. C(component_template), C(index_template), C(lifecycle) and C(data_stream) are told by O(name) and
        O(body). C(api_key) and C(service_token) are made once, into O(file), which root alone reads. C(password) is
        that of O(user). C(rollover) begins another index of the data stream O(name), where there is one, at each run.
    type: str
    required: true
    choices: [component_template, index_template, lifecycle, data_stream, rollover, api_key, service_token, password]
  name:
    description: Its name; of a service token, after the service's, as in C(elastic/kibana/skerry).
    type: str
    default: ""
  body:
    description: What it is to be, as Elasticsearch's API takes it; of a key, its role descriptors.
    type: dict
    default: {}
  file:
    description: Where a key, token or password is kept.
    type: path
  rotate:
    description:
      - With V(introduce) another key, token or password is made, at each run; of keys and tokens the one before still
        counts, until a run with V(none) takes it away.
    type: str
    choices: [none, introduce]
    default: none
  wait_s:
    description: With O(kind=password), for how long it may take to answer at all, as after a start.
    type: int
    default: 0
attributes:
  check_mode:
    description: Says what would be made or changed, and sends nothing but questions.
    support: full
  diff_mode:
    description: Shows what is there and what is to be. No secret is shown.
    support: full
author: Skerry
"""

EXAMPLES = r"""
- name: Keep a template
  skerry_elastic:
    url: https://10.0.0.8:9200
    ca: /etc/elasticsearch/ca.crt
    password_file: /etc/skerry-elastic/elastic-password
    kind: component_template
    name: skerry-logs@mappings
    body: "{{ lookup('ansible.builtin.file', 'skerry-logs@mappings.json') | from_json }}"

- name: Keep a key
  skerry_elastic:
    url: https://10.0.0.8:9200
    ca: /etc/elasticsearch/ca.crt
    password_file: /etc/skerry-elastic/elastic-password
    kind: api_key
    name: skerry-shipper
    body: {skerry_shipper: {indices: [{names: [logs-skerry-*], privileges: [create_doc]}]}}
    file: /etc/skerry-elastic/keys/shipper
"""

RETURN = r"""
done:
  description: What was done, or would be, in words; empty where all was as it should be.
  returned: always
  type: list
  elements: str
  sample: [made it]
"""

_TIMEOUT_S = 60
_REFUSED = frozenset({401, 403})
_LATER = frozenset({408, 429, 502, 503, 504})
_SETTLES_S = 20
"""One that comes up says 401 to everybody until it has opened its own indices."""


class ElasticError(Exception):
    """It does not do what it was asked; the message says what and why."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Away(ElasticError):
    """Nothing answers."""


class Request(NamedTuple):
    """One call of its API."""

    method: str
    path: str
    body: Any = None


class Kind(NamedTuple):
    """Something with a name, which is put as a whole."""

    path: str
    found: Callable[[Any, str], Any]
    """What an answer says of the one with this name."""
    comparable: Callable[[Any], Any]
    """Of what was found and of what is put, that by which they are the same."""

    def ask(self, name: str) -> Request:
        return Request("GET", self.path + _quoted(name))

    def put(self, name: str, body: Mapping[str, Any]) -> Request:
        return Request("PUT", self.path + _quoted(name), body or None)


def component(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings are the same however they are nested, and their values are told as text."""
    template = dict(given.get("template", {}))
    if "settings" in template:
        template["settings"] = {
            name if name.startswith("index.") else f"index.{name}": value
            for name, value in _flat(template["settings"]).items()
        }
    return {**_described(given), "template": template}


def index(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a data stream's template does not say is told as false."""
    found = _described(given)
    names = ("index_patterns", "composed_of", "priority")
    found |= {name: given[name] for name in names if name in given}
    if "data_stream" in given:
        found["data_stream"] = {name: value for name, value in given["data_stream"].items() if value is not False}
    if given.get("template"):
        found["template"] = component(given)["template"]
    return found


def rights(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty or false, which an answer may add; lists in one order."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            kept = {name: plain(one) for name, one in value.items() if name != "transient_metadata"}
            return {name: one for name, one in kept.items() if one not in ({}, [], False, None, "")}
        if isinstance(value, list):
            return sorted((plain(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
        return value

    return {name: plain(one) for name, one in given.items()}


KINDS = {
    "component_template": Kind(
        "/_component_template/", lambda answer, name: answer["component_templates"][0]["component_template"], component
    ),
    "index_template": Kind(
        "/_index_template/", lambda answer, name: answer["index_templates"][0]["index_template"], index
    ),
    "lifecycle": Kind("/_ilm/policy/", lambda answer, name: answer[name], lambda given: {"policy": given["policy"]}),
    # Its template says what it is; here it is there or not.
    "data_stream": Kind("/_data_stream/", lambda answer, name: answer["data_streams"][0], lambda given: {}),
}


class Server:
    """Elasticsearch, and who signs in."""

    def __init__(self, url: str, ca: str | None, authorization: str) -> None:
        if not url.startswith(("https://", "http://")):
            raise ElasticError(f"{url} is no address of it: give https://HOST:PORT")
        self._url = url.rstrip("/")
        self._context = ssl.create_default_context(cafile=ca) if url.startswith("https:") else None
        self._authorization = authorization

    def as_another(self, authorization: str) -> Server:
        other = Server.__new__(Server)
        other.__dict__.update(self.__dict__, _authorization=authorization)
        return other

    def ask(self, request: Request) -> Any:
        """What it answers; None where there is no such thing. ElasticError."""
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        data = None
        if request.body is not None:
            data = json.dumps(request.body).encode()
            headers["Content-Type"] = "application/json"
        # The scheme is looked at when the server is named.
        sent = urllib.request.Request(self._url + request.path, data, headers, method=request.method)  # noqa: S310
        try:
            with urllib.request.urlopen(sent, timeout=_TIMEOUT_S, context=self._context) as answer:  # noqa: S310
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            if error.code == 404 and request.method == "GET":
                return None
            said = error.read().decode("utf-8", "replace")[:1000]
            words = f"{request.method} {request.path} is answered {error.code}: {said}"
            raise ElasticError(words, error.code) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Away(f"{self._url} does not answer: {reason}") from error

    def knows(self) -> bool:
        """Whether it lets in who signs in."""
        try:
            self.ask(Request("GET", "/_security/_authenticate"))
        except ElasticError as error:
            if error.status not in _REFUSED:
                raise
            return False
        return True


class Outcome(NamedTuple):
    done: list[str]
    before: Any
    after: Any


def rollover(stream: str) -> Request:
    return Request("POST", f"/{_quoted(stream)}/_rollover")


def stream_looked_for(stream: str) -> Request:
    """Where the API of data streams is missing too."""
    return Request("GET", f"/{_quoted(stream)}?features=aliases")


def begin_index(server: Server, stream: str, *, check: bool) -> Outcome:
    """Have what comes next be written by the templates as they are now."""
    if server.ask(stream_looked_for(stream)) is None:
        return Outcome([], None, None)
    if not check:
        server.ask(rollover(stream))
    return Outcome(["began another index"], None, None)


def keep(server: Server, kind: Kind, name: str, body: Mapping[str, Any], *, check: bool) -> Outcome:
    """Have it be what the body says."""
    answer = server.ask(kind.ask(name))
    before = None if answer is None else kind.comparable(kind.found(answer, name))
    after = kind.comparable(body)
    if before == after:
        return Outcome([], before, after)
    if not check:
        server.ask(kind.put(name, body))
    return Outcome(["made it" if before is None else "changed it"], before, after)


class Secrets:
    """Those of one name that Elasticsearch has made. Each has an id, by which it is taken away."""

    scheme: str

    def __init__(self, server: Server, name: str, body: Mapping[str, Any]) -> None:
        self._server = server
        self._name = name
        self._body = body

    def all(self) -> dict[str, Any]:
        """Each that counts, with what it may, as far as that can be told."""
        raise NotImplementedError

    def id_of(self, secret: str) -> str:
        """Empty for what is none."""
        raise NotImplementedError

    def make(self) -> str:
        raise NotImplementedError

    def change(self, one: str) -> None:
        """Have it be allowed what the body says."""
        raise NotImplementedError

    def remove(self, ids: list[str]) -> None:
        raise NotImplementedError

    def counts(self, secret: str) -> bool:
        return self._server.as_another(f"{self.scheme} {secret}").knows()


class Keys(Secrets):
    """API keys; the secret is the encoded form, of an id and what is secret."""

    scheme = "ApiKey"

    def all(self) -> dict[str, Any]:
        answer = self._server.ask(self.listed(self._name)) or {"api_keys": []}
        return {
            one["id"]: rights(one.get("role_descriptors", {})) for one in answer["api_keys"] if not one["invalidated"]
        }

    def id_of(self, secret: str) -> str:
        return _decoded(secret).partition(b":")[0].decode("ascii", "replace")

    def make(self) -> str:
        return str(self._server.ask(self.made(self._name, self._body))["encoded"])

    def change(self, one: str) -> None:
        self._server.ask(self.changed(one, self._body))

    def remove(self, ids: list[str]) -> None:
        self._server.ask(self.removed(ids))

    @staticmethod
    def listed(name: str) -> Request:
        return Request("GET", f"/_security/api_key?active_only=true&name={_quoted(name)}")

    @staticmethod
    def made(name: str, body: Mapping[str, Any]) -> Request:
        return Request("PUT", "/_security/api_key", {"name": name, "role_descriptors": body})

    @staticmethod
    def changed(one: str, body: Mapping[str, Any]) -> Request:
        return Request("PUT", f"/_security/api_key/{_quoted(one)}", {"role_descriptors": body})

    @staticmethod
    def removed(ids: list[str]) -> Request:
        return Request("DELETE", "/_security/api_key", {"ids": ids})


class Tokens(Secrets):
    """Tokens of a service account, whose rights are Elastic's. A token's value has its name in it: NAME-RANDOM."""

    scheme = "Bearer"

    def __init__(self, server: Server, name: str, body: Mapping[str, Any]) -> None:
        super().__init__(server, name, body)
        self._service, _, self._prefix = name.rpartition("/")

    def all(self) -> dict[str, Any]:
        answer = self._server.ask(self.listed(self._service)) or {"tokens": {}}
        return {one: {} for one in answer["tokens"] if one.startswith(f"{self._prefix}-")}

    def id_of(self, secret: str) -> str:
        whose = _decoded(secret)[4:].partition(b":")[0].decode("ascii", "replace")
        return whose.removeprefix(f"{self._service}/")

    def make(self) -> str:
        made = self._server.ask(self.made(self._service, f"{self._prefix}-{secrets.token_hex(4)}"))
        return str(made["token"]["value"])

    def remove(self, ids: list[str]) -> None:
        for one in ids:
            self._server.ask(self.removed(self._service, one))

    @staticmethod
    def listed(service: str) -> Request:
        return Request("GET", f"/_security/service/{service}/credential")

    @staticmethod
    def made(service: str, name: str) -> Request:
        return Request("PUT", f"/_security/service/{service}/credential/token/{_quoted(name)}")

    @staticmethod
    def removed(service: str, name: str) -> Request:
        return Request("DELETE", f"/_security/service/{service}/credential/token/{_quoted(name)}")


def keep_secret(kept: Secrets, file: Path, wanted: dict[str, Any], *, introduce: bool, check: bool) -> Outcome:
    """Have exactly one count, the one in the file; while another is introduced, those before as well."""
    there = kept.all()
    secret = _read(file)
    own = kept.id_of(secret) if secret else ""
    done = []
    is_well = own in there and kept.counts(secret)
    before = {"may": there[own]} if is_well else None
    if introduce or not is_well:
        done.append("made another" if introduce and is_well else "made it")
        if not check:
            secret = kept.make()
            own = kept.id_of(secret)
            place(file, secret)
    elif there[own] != wanted:
        done.append("changed what it may")
        if not check:
            kept.change(own)
    others = sorted(set(there) - {own})
    if others and not introduce:
        done.append(f"took {len(others)} other of its name away")
        if not check:
            kept.remove(others)
    return Outcome(done, before, {"may": wanted})


def keep_password(server: Server, user: str, password: str, file: Path, *, introduce: bool, check: bool) -> Outcome:
    """Have the given password count, or the one in the file; it is in the file once it does.

    What is to count next stands beside the file before it is set: killed in between, the next run sets it again or
    finds that it counts.
    """
    coming = file.with_name(file.name + ".next")
    known, left = _read(file), _read(coming)
    wanted = password or left or (secrets.token_urlsafe(24) if introduce else known)
    if not wanted and check:
        # It is yet to be made.
        return Outcome(["set it"], None, None)
    if not wanted:
        raise ElasticError(f"there is no password of {user}: neither is one given, nor is it in {file}")
    done = []
    if not server.as_another(basic(user, wanted)).knows():
        signing_in = [one for one in (known, left) if one and server.as_another(basic(user, one)).knows()]
        if not signing_in:
            raise ElasticError(
                f"no password of {user} counts, neither the one that is given nor that in {file}. Set it there by hand "
                "(elasticsearch-reset-password), put it into that file, and run this again",
                401,
            )
        done.append("set it")
        if not check:
            if wanted != left:
                place(coming, wanted)
            server.as_another(basic(user, signing_in[0])).ask(password_set(user, wanted))
    if known != wanted or left:
        done = done or ["noted it"]
        if not check:
            place(file, wanted)
            coming.unlink(missing_ok=True)
    return Outcome(done, None, None)


def password_set(user: str, password: str) -> Request:
    return Request("PUT", f"/_security/user/{_quoted(user)}/_password", {"password": password})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def place(path: Path, secret: str) -> None:
    """Write a secret whole, on the disk before it has its name, for its owner alone."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def patiently(attempt: Callable[[], Outcome], wait_s: int) -> Outcome:
    """Until it answers, and knows who it lets in."""
    began = time.monotonic()
    while True:
        try:
            return attempt()
        except ElasticError as error:
            waits = isinstance(error, Away) or error.status in _LATER
            if time.monotonic() - began > (wait_s if waits else min(wait_s, _SETTLES_S) if error.status == 401 else 0):
                raise
        time.sleep(1)


def _read(path: Path) -> str:
    """What a file holds; empty where there is none."""
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _described(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("_meta", "version") if name in given}


def _flat(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            flat[prefix + name] = [_text(one) for one in value]
        else:
            flat[prefix + name] = _text(value)
    return flat


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.replace("-", "+").replace("_", "/") + "==", validate=False)
    except binascii.Error:
        return b""


def bring(given: Mapping[str, Any], *, check: bool) -> Outcome:
    """What was done, or would be."""
    password: str = given["password"] or ""
    introduce = given["rotate"] == "introduce"
    if given["api_key"]:
        authorization = f"ApiKey {given['api_key']}"
    else:
        stored = Path(given["password_file"]) if given["password_file"] else None
        has_file = not password and stored is not None and stored.exists()
        authorization = basic(given["user"], _read(stored) if stored is not None and has_file else password)
    server = Server(given["url"], given["ca"] if given["ca"] and Path(given["ca"]).exists() else None, authorization)
    try:
        if given["kind"] == "password":
            file, wait_s = Path(given["file"]), 0 if check else given["wait_s"]

            def set_it() -> Outcome:
                return keep_password(server, given["user"], password, file, introduce=introduce, check=check)

            return patiently(set_it, wait_s)
        if given["kind"] == "rollover":
            return begin_index(server, given["name"], check=check)
        if given["kind"] in ("api_key", "service_token"):
            made = Keys if given["kind"] == "api_key" else Tokens
            kept = made(server, given["name"], given["body"])
            wanted = rights(given["body"])
            return keep_secret(kept, Path(given["file"]), wanted, introduce=introduce, check=check)
        return keep(server, KINDS[given["kind"]], given["name"], given["body"], check=check)
    except Away:
        # A machine that has nothing yet.
        if not check:
            raise
        return Outcome(["nothing answers: it would be made"], None, None)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "ca": {"type": "path"},
            "user": {"type": "str", "default": "elastic"},
            "password": {"type": "str", "no_log": True},
            "password_file": {"type": "path", "no_log": False},
            "api_key": {"type": "str", "no_log": True},
            "kind": {
                "type": "str",
                "choices": [*KINDS, "rollover", "api_key", "service_token", "password"],
                "required": True,
            },
            "name": {"type": "str", "default": ""},
            "body": {"type": "dict", "default": {}},
            "file": {"type": "path"},
            "rotate": {"type": "str", "choices": ["none", "introduce"], "default": "none"},
            "wait_s": {"type": "int", "default": 0},
        },
        required_if=[
            ("kind", "password", ["file"]),
            ("kind", "api_key", ["file"]),
            ("kind", "service_token", ["file"]),
        ],
        supports_check_mode=True,
    )
    given = module.params
    os.umask(0o077)
    try:
        outcome = bring(given, check=module.check_mode)
    except (ElasticError, OSError) as error:
        module.fail_json(msg=f"The {given['kind'].replace('_', ' ')} {given['name'] or given['user']}: {error}")
    shown = {
        side: "" if value is None else json.dumps(value, indent=2, sort_keys=True) + "\n"
        for side, value in (("before", outcome.before), ("after", outcome.after))
    }
    module.exit_json(changed=bool(outcome.done), done=outcome.done, diff=shown if outcome.done else {})


if __name__ == "__main__":
    main()

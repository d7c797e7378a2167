"""Elastic's published description of its API, by its own client for JavaScript, which is made from it.

A request is held against both of what is made: the types of its parameters, by TypeScript's compiler, which knows no
field that is not described; and what the client would send for the same parameters.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PREPARE = Path(__file__).resolve().parents[1] / "hosts" / "prepare"
REQUESTS = Path(__file__).with_name("elastic_requests.js")
RELEASES = ("elasticsearch-8", "elasticsearch-9")


class Call(NamedTuple):
    """A request, as a program of ours sends it."""

    method: str
    path: str
    body: Any = None


class Described(NamedTuple):
    """One call of the description: which paths are its, what its type is, and where the client has it."""

    method: str
    path: re.Pattern[str]
    """Its groups are parameters."""
    type: str
    api: str
    call: str


def _row(method: str, path: str, type_: str, call: str) -> Described:
    api, name = call.split(".")
    return Described(method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/?]+)", path)), type_, api, name)


DESCRIBED = (
    _row("GET", "/_ilm/policy/{name}", "IlmGetLifecycleRequest", "ilm.getLifecycle"),
    _row("PUT", "/_ilm/policy/{name}", "IlmPutLifecycleRequest", "ilm.putLifecycle"),
    _row("GET", "/_component_template/{name}", "ClusterGetComponentTemplateRequest", "cluster.getComponentTemplate"),
    _row("PUT", "/_component_template/{name}", "ClusterPutComponentTemplateRequest", "cluster.putComponentTemplate"),
    _row("GET", "/_index_template/{name}", "IndicesGetIndexTemplateRequest", "indices.getIndexTemplate"),
    _row("PUT", "/_index_template/{name}", "IndicesPutIndexTemplateRequest", "indices.putIndexTemplate"),
    _row("GET", "/_data_stream/{name}", "IndicesGetDataStreamRequest", "indices.getDataStream"),
    _row("PUT", "/_data_stream/{name}", "IndicesCreateDataStreamRequest", "indices.createDataStream"),
    _row("GET", "/_security/_authenticate", "SecurityAuthenticateRequest", "security.authenticate"),
    _row("GET", "/_security/api_key", "SecurityGetApiKeyRequest", "security.getApiKey"),
    _row("PUT", "/_security/api_key", "SecurityCreateApiKeyRequest", "security.createApiKey"),
    _row("PUT", "/_security/api_key/{id}", "SecurityUpdateApiKeyRequest", "security.updateApiKey"),
    _row("DELETE", "/_security/api_key", "SecurityInvalidateApiKeyRequest", "security.invalidateApiKey"),
    _row(
        "GET", "/_security/service/{namespace}/{service}/credential",
        "SecurityGetServiceCredentialsRequest", "security.getServiceCredentials",
    ),
    _row(
        "PUT", "/_security/service/{namespace}/{service}/credential/token/{name}",
        "SecurityCreateServiceTokenRequest", "security.createServiceToken",
    ),
    _row(
        "DELETE", "/_security/service/{namespace}/{service}/credential/token/{name}",
        "SecurityDeleteServiceTokenRequest", "security.deleteServiceToken",
    ),
    _row("PUT", "/_security/user/{username}/_password", "SecurityChangePasswordRequest", "security.changePassword"),
    _row("POST", "/{alias}/_rollover", "IndicesRolloverRequest", "indices.rollover"),
    _row("GET", "/{index}", "IndicesGetRequest", "indices.get"),
)  # fmt: skip
"""Those that the platform's roles send."""


def described(call: Call) -> tuple[Described, dict[str, Any]]:
    """Which one a request is, and its parameters as the client takes them."""
    place, _, query = call.path.partition("?")
    for one in DESCRIBED:
        found = one.path.fullmatch(place)
        if found and one.method == call.method:
            given = {name: urllib.parse.unquote(value) for name, value in found.groupdict().items()}
            # A flag is no text there.
            asked = {name: value == "true" if value in ("true", "false") else value
                     for name, value in urllib.parse.parse_qsl(query)}  # fmt: skip
            return one, {**given, **asked, **(call.body or {})}
    raise AssertionError(f"no call of the description is {call.method} {place}")


def packages() -> Path:
    """Where `prepare description` has put them."""
    done = subprocess.run([PREPARE, "description"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return Path(done.stdout.strip().splitlines()[-1])


def sent_by_the_client(release: str, calls: Sequence[Call]) -> list[Call]:
    """What Elastic's client sends for the same parameters; a query is part of the path."""
    asked = []
    for call in calls:
        one, parameters = described(call)
        asked.append([one.api, one.call, parameters])
    done = subprocess.run(
        ["node", REQUESTS, packages() / release], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    return [
        Call(one["method"], one["path"] + _query(one["querystring"]), one["body"] or None)
        for one in json.loads(done.stdout)
    ]


def faults_of_type(release: str, calls: Mapping[str, Call], folder: Path) -> dict[str, list[str]]:
    """What the compiler says of each call, by the call's name."""
    found = packages()
    files = {}
    for number, (name, call) in enumerate(calls.items()):
        one, parameters = described(call)
        file = folder / f"call{number}.ts"
        file.write_text(
            f'import type * as described from "{found / release}/lib/api/types";\n'
            f"export const call: described.{one.type} = {json.dumps(parameters, indent=1)};\n"
        )
        files[file.name] = name
    compiler: list[str | Path] = [
        "node",
        found / "typescript/bin/tsc",
        "--strict",
        "--noEmit",
        "--skipLibCheck",
        "--pretty",
        "false",
    ]
    done = subprocess.run(
        [*compiler, "--target", "es2022", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    faults: dict[str, list[str]] = {name: [] for name in calls}
    for line in done.stdout.splitlines():
        if said := re.match(r"(call\d+\.ts)\(\d+,\d+\): error (.*)", line):
            faults[files[said[1]]].append(said[2])
        elif not line.startswith(" "):
            raise RuntimeError(f"the compiler says: {line}")
    return faults


def _query(parameters: Mapping[str, Any]) -> str:
    told = {name: str(value).lower() if isinstance(value, bool) else value for name, value in parameters.items()}
    return "?" + urllib.parse.urlencode(told) if told else ""

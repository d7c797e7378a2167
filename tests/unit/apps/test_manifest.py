"""What a manifest may say, and that a wrong one is refused with the line and the reason."""

from __future__ import annotations

import pytest

from webfront.apps.manifest import Manifest, Parameter, read_manifest
from webfront.errors import InvalidInput

WHOLE = b"""
name: digits
kind: job
entrypoint: predict.py
description: tells digits apart
requirements: requirements.txt
inputs: {required: true, accept: [.CSV]}
outputs: [predictions.csv, report.html]
parameters:
  threshold: 0.5
  mode: {default: fast, description: fast or exact}
  seed:
resources: {memory_mb: 512, cpus: 2, timeout_s: 1.5, disk_mb: 10, processes: 8, accelerator: gpu}
needs: {labels: [gpu], arch: [x86_64]}
retries: {app_error: 0, node_lost: 3}
"""


def test_everything_is_read() -> None:
    manifest = read_manifest(WHOLE)
    assert manifest.parameters == {
        "threshold": Parameter("0.5"),
        "mode": Parameter("fast", "fast or exact"),
        "seed": Parameter(),
    }
    assert (manifest.inputs.required, manifest.inputs.accept) == (True, (".csv",))
    assert (manifest.resources.cpus, manifest.resources.timeout_s, manifest.resources.accelerator) == (2, 1.5, "gpu")
    assert (manifest.needs.labels, manifest.retries) == (("gpu",), {"app_error": 0, "node_lost": 3})


def test_the_least_manifest_gets_the_defaults() -> None:
    assert read_manifest(b"name: x") == Manifest(name="x")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("entrypoint: main.py", 1, "name is missing"),
        ("name: x\nresorces: {}", 2, "resorces is not known"),
        ("name: x\nname: y", 2, "given twice"),
        ("name: 7", 1, "put it in quotes"),
        ("name: X Y", 1, "begins with a-z"),
        ("name: x\n\nresources:\n  cpus: 0", 4, "from 1 to 256"),
        ("name: x\nresources:\n  memory_mb: 1.5", 3, "whole number"),
        ("name: x\nresources:\n  timeout_s: .inf", 3, "from 1 to"),
        ("name: x\nresources: 5", 2, "mapping"),
        ("name: x\nresources:\n  accelerator: a GPU", 3, "label of its nodes"),
        ("name: x\nentrypoint: ../main.py", 2, "inside the app"),
        ("name: x\nentrypoint: /main.py", 2, "inside the app"),
        ("name: x\nentrypoint: main.sh", 2, "ending in .py"),
        ("name: x\nkind: again", 2, "the kinds are: job"),
        ("name: x\noutputs: [../up.csv]", 2, "file name"),
        ("name: x\noutputs: [a.csv,\n  a.csv]", 2, "twice"),
        ("name: x\nparameters:\n  input: 3", 3, "cannot be a parameter"),
        ("name: x\nretries: {ok: 1}", 2, "not known"),
        ("name: x\nneeds: {labels: gpu}", 2, "must be a list"),
        ("name: [x", 1, "not YAML"),
        ("name: x\na: &a [1]\nb: *a", 2, "anchors"),
        ("name: x\nneeds: " + "[" * 5000, 2, "deeply"),
        ("name: x\ninputs: {required: maybe}", 2, "true or false"),
        ("- name", 1, "mapping"),
    ],
)
def test_what_is_wrong_is_refused_with_line_and_reason(text: str, line: int, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_manifest(text.encode())
    assert words in caught.value.message
    assert isinstance(caught.value.detail, dict)
    assert caught.value.detail["line"] == line


def test_what_is_not_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"line 2.*UTF-8"):
        read_manifest(b"name: x\ndescription: \xff")

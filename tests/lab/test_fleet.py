"""`./lab`: one command makes a fleet on containers, by the playbooks and roles that make any other."""

from __future__ import annotations

import contextlib
import io
import os
import re
import ssl
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]


class Lab:
    """A lab of the test's own, beside a developer's."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SKERRY_LAB_HOME": str(self.home)}
        return subprocess.run(
            ["./lab", *words], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=400
        )

    @contextlib.contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """A client that is signed in."""
        hosts = yaml.safe_load((self.home / "inventory/hosts.yml").read_text())["all"]["hosts"]
        address = hosts["skerry-lab-controller"]["ansible_host"]
        authority = self("ssh", "controller", "cat", "/etc/nginx/skerry/ca.crt").stdout
        trusted = ssl.create_default_context(cadata=authority)
        with httpx.Client(base_url=f"https://{address}/api/v1", timeout=30, verify=trusted) as api:
            password = (self.home / "secrets/webfront_admin").read_text()
            answer = api.post("/tokens", json={"user": "admin", "password": password})
            api.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield api


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path / "lab")
    yield made
    made("down")


def test_a_fleet_runs_a_job_and_a_second_run_changes_nothing(lab: Lab) -> None:
    assert lab("status").returncode == 1
    up = lab("up", "--nodes", "1")
    assert up.returncode == 0, up.stdout[-4000:] + up.stderr[-2000:]
    assert lab("status").returncode == 0

    with lab.api() as api:
        script = b"import sys; open(sys.argv[sys.argv.index('--output') + 1] + '/predictions.csv', 'w').write('right')"
        manifest = b"name: tool\nentrypoint: tool.py\ninputs: {required: false}\noutputs: [predictions.csv]\n"
        api.post(
            "/apps", files={"file": ("tool.zip", zipped({"app.yml": manifest, "tool.py": script}))}
        ).raise_for_status()
        job = api.post("/jobs", json={"app": "tool"}).raise_for_status().json()["job"]["id"]
        until = time.monotonic() + 60
        while (found := api.get(f"/jobs/{job}").json()["job"])["state"] not in ("succeeded", "failed"):
            assert time.monotonic() < until, found
            time.sleep(0.5)
        assert found["state"] == "succeeded", found
        assert api.get(f"/jobs/{job}/outputs/predictions.csv").text == "right"

    # The share's owner is the controller's user, whom the node does not know: what it makes there is his all the same.
    results = "/srv/skerry/results"
    listed = lab("ssh", "node-1", "stat", "-c", "%u", results, f"{results}/{job}").stdout.split()
    assert len(set(listed)) == 1
    assert listed[0] != "0"

    again = lab("up", "--nodes", "1")
    assert again.returncode == 0, again.stdout[-4000:] + again.stderr[-2000:]
    assert set(re.findall(r"changed=(\d+)", again.stdout)) == {"0"}

    assert lab("down").returncode == 0
    assert lab("status").returncode == 1
    assert not lab.home.exists()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()

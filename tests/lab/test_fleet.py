"""`./lab`: one command makes a fleet on containers, by the playbooks and roles that make any other."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.history import History
from support.lab import Lab
from support.zips import zipped


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

    a_machine_that_loses_its_power_costs_no_job(lab)

    assert lab("down").returncode == 0
    assert lab("status").returncode == 1
    assert not lab.home.exists()


def a_machine_that_loses_its_power_costs_no_job(lab: Lab) -> None:
    """The node's, then the broker's: one seed of `./faults lab`."""
    with lab.api() as api:
        history = History(api)
        history.upload()
        with history:
            for machine in ("node-1", "broker"):
                history.wait_for(len(history.accepted) + 5)
                lab.power_off(machine)
                lab.power_on(machine)
            history.wait_for(len(history.accepted) + 5)
        assert history.faults(within_s=240) == []

"""A bare Debian machine becomes a node over SSH, works, and is given back: through the web front's API alone."""

from __future__ import annotations

import csv
import io
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
DIGITS = PROJECT / "examples" / "apps" / "digits"
LABEL = "lab-bench"
# Odd on purpose: what trips quoting anywhere on the way shows here. It is looked for by a part that no quoting changes.
SECRET_PART = "vq71953xk"
PASSWORD = f"pe{{{{ 'r' }}}}ch $5 \"o'clock\" {SECRET_PART}"


class Eavesdropper:
    """Looks at the arguments of every process of this machine, as any of its users can, until it is stopped."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self.heard: list[str] = []
        self.looks = 0

    def __enter__(self) -> Eavesdropper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _listen(self) -> None:
        while not self._stop.wait(0.1):
            self.looks += 1
            for folder in Path("/proc").iterdir():
                try:
                    arguments = (folder / "cmdline").read_bytes() if folder.name.isdigit() else b""
                except OSError:
                    continue
                if any(secret in arguments for secret in self._secrets):
                    self.heard.append(arguments.replace(b"\0", b" ").decode(errors="replace"))


@pytest.fixture(scope="module")
def keyed(make_machine: Callable[..., Any], key_pair: Path) -> Any:
    return make_machine("skerry-lab-key", f"--authorized-key={key_pair}.pub")


def wish(machine: Any, name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "connection": "ssh",
        "address": machine.address,
        "ssh_port": machine.port,
        "ssh_user": machine.user,
        "host_key": machine.host_key,
        **more,
    }


def register(platform: Any, body: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    answer = platform.api.post("/nodes", json=body)
    assert answer.status_code == 202, answer.text
    ended: tuple[dict[str, Any], list[dict[str, Any]]] = platform.play_ended(answer.json()["play"], within_s=240)
    return ended


def assert_succeeded(play: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    told = [f"{step['state']:8} {step['step']} {step['detail']}" for step in steps[-3:]]
    assert play["state"] == "succeeded", "\n".join([play["message"], play["advice"], *told])


def node(platform: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = platform.api.get(f"/nodes/{name}").json()["node"]
    return found


def body_of(private_key: Path) -> str:
    """A line out of the middle of a key file: in it whatever the file's ends look like."""
    return private_key.read_text().splitlines()[2]


def written_anywhere(folder: Path, secret: str) -> list[Path]:
    """The files below `folder` that hold the secret, the virtual environment and the share's apps aside."""
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and "venv" not in file.relative_to(folder).parts and secret.encode() in file.read_bytes()
    ]


def test_another_host_key_than_the_pinned_one_is_refused(platform: Any, keyed: Any, key_pair: Path) -> None:
    another = " ".join(Path(f"{key_pair}.pub").read_text().split()[:2])
    play, _ = register(platform, wish(keyed, "edge", private_key=key_pair.read_text(), host_key=another))
    assert play["state"] == "failed"
    assert "host key" in play["message"]
    assert "fingerprint" in play["advice"]
    # Nothing was sent to a machine that may be another's.
    assert "Accepted" not in keyed.run("journalctl", "--unit", "ssh", "--no-pager")
    assert keyed.run("sh", "-c", "ls -d /opt/skerry-agent /etc/skerry-agent 2>/dev/null") == ""


def test_a_bare_machine_is_registered_with_a_key(platform: Any, keyed: Any, key_pair: Path) -> None:
    with Eavesdropper([body_of(key_pair)]) as ear:
        play, steps = register(platform, wish(keyed, "edge", private_key=key_pair.read_text(), labels=[LABEL], slots=2))
    assert_succeeded(play, steps)
    assert [step["number"] for step in steps] == sorted(step["number"] for step in steps)
    assert len(steps) > 10
    registered = node(platform, "edge")
    assert (registered["state"], registered["slots"], registered["labels"]) == ("active", 2, [LABEL])
    assert registered["metrics"]["events_per_second"] > 0
    assert registered["host_key"] == keyed.host_key
    assert ear.looks > 20
    assert ear.heard == []
    assert written_anywhere(platform.home, body_of(key_pair)) == []


def test_registering_again_changes_nothing_and_needs_no_secret(platform: Any, keyed: Any) -> None:
    answer = platform.api.post("/nodes/edge/register")
    assert answer.status_code == 202, answer.text
    play, steps = platform.play_ended(answer.json()["play"], within_s=120)
    assert_succeeded(play, steps)
    assert [step["step"] for step in steps if step["state"] == "changed"] == []
    assert node(platform, "edge")["state"] == "active"


def test_an_app_runs_on_the_machine_that_its_label_asks_for(platform: Any, keyed: Any) -> None:
    # A second node without the label, so that there is something to exclude.
    play, steps = register(platform, {"name": "home", "connection": "local"})
    assert_succeeded(play, steps)

    uploaded = platform.api.post("/apps", files={"file": ("digits.zip", packed_with_label(DIGITS))})
    assert uploaded.status_code == 201, uploaded.text
    with (DIGITS / "inputs" / "digits.csv").open("rb") as given:
        submitted = platform.api.post("/jobs", data={"app": "digits"}, files={"input": ("digits.csv", given)})
    assert submitted.status_code == 202, submitted.text

    job = job_ended(platform, submitted.json()["job"]["id"], within_s=180)
    assert job["state"] == "succeeded", job
    assert job["attempts"][-1]["node"] == "edge"
    assert LABEL in str(job["attempts"][-1]["placement"])

    table = platform.api.get(f"/jobs/{job['id']}/outputs/predictions.csv")
    assert table.status_code == 200, table.text
    rows = list(csv.DictReader(io.StringIO(table.text)))
    with (DIGITS / "inputs" / "digits.csv").open(newline="") as given_again:
        labels = [row["label"] for row in csv.DictReader(given_again)]
    assert len(rows) == len(labels)
    right = sum(row["prediction"] == label for row, label in zip(rows, labels, strict=True))
    assert right / len(labels) > 0.9

    log = platform.api.get(f"/jobs/{job['id']}/log").json()
    assert log["complete"]
    assert log["gaps"] == []
    # It ran as a user of its own, in a place of its own: nothing of it stays on the machine but the cache.
    assert job["id"] not in keyed.run("ls", "-R", "/var/lib/skerry-agent/attempts")


def test_a_machine_is_drained_and_given_back(platform: Any, keyed: Any, key_pair: Path) -> None:
    platforms_key = keyed.run("cat", "/home/edge/.ssh/authorized_keys").splitlines()
    assert len(platforms_key) == 2

    play, steps = platform.play_ended(platform.api.post("/nodes/edge/drain").json()["play"], within_s=90)
    assert_succeeded(play, steps)
    assert node(platform, "edge")["state"] == "drained"
    # Drained, not gone: it still beats, and takes nothing.
    submitted = platform.api.post("/jobs", data={"app": "digits"}, files={"input": ("digits.csv", b"pixel0\n1\n")})
    waiting = submitted.json()["job"]["id"]
    waits_for_a_reason(platform, waiting)

    play, steps = platform.play_ended(platform.api.delete("/nodes/edge").json()["play"], within_s=120)
    assert_succeeded(play, steps)
    assert platform.api.get("/nodes/edge").json().get("node", {}).get("state", "removed") == "removed"

    assert "node-edge" not in {user["name"] for user in platform.broker("users")}
    assert {"jobs.edge", "control.edge"}.isdisjoint(queue["name"] for queue in platform.broker("queues"))
    assert "could not be found" in keyed.run("systemctl", "status", "skerry-agent.service")
    assert "node_scripts" not in keyed.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert keyed.run("sh", "-c", "ls -d /opt/skerry-agent /etc/skerry-agent /var/lib/skerry-agent 2>/dev/null") == ""
    assert (
        keyed.run("cat", "/home/edge/.ssh/authorized_keys").splitlines()
        == Path(f"{key_pair}.pub").read_text().splitlines()
    )
    # The share is the platform's, not the machine's to clear.
    assert (platform.home / "share" / "results").is_dir()
    platform.api.post(f"/jobs/{waiting}/cancel")


def test_a_one_time_password_registers_a_machine_and_is_kept_nowhere(
    platform: Any, make_machine: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    machine = make_machine("skerry-lab-password", f"--password-file={file}")
    with Eavesdropper([SECRET_PART]) as ear:
        play, steps = register(platform, wish(machine, "once", password=PASSWORD))
    assert_succeeded(play, steps)
    assert node(platform, "once")["state"] == "active"
    assert ear.looks > 20
    assert ear.heard == []
    assert written_anywhere(platform.home, SECRET_PART) == []
    assert SECRET_PART not in machine.run("journalctl", "--no-pager")
    assert SECRET_PART not in str(steps)


@pytest.fixture(autouse=True)
def nothing_of_a_play_is_left(platform: Any) -> Iterator[None]:
    """After each test: a play's private directory, where its secrets were, is gone with the play."""
    yield
    listing = subprocess.run(["find", str(platform.home / "state")], capture_output=True, text=True, check=True).stdout
    assert "extravars" not in listing
    assert "known_hosts" not in listing


def packed_with_label(folder: Path) -> bytes:
    """The app as a zip, with the label among its needs."""
    manifest = yaml.safe_load((folder / "app.yml").read_text())
    manifest["needs"] = {"labels": [LABEL]}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("predict.py", "model.npz", "requirements.txt"):
            archive.write(folder / name, name)
        archive.writestr("app.yml", yaml.safe_dump(manifest))
    return packed.getvalue()


def job_ended(platform: Any, job_id: str, *, within_s: float) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        job: dict[str, Any] = platform.api.get(f"/jobs/{job_id}").json()["job"]
        if job["state"] in ("succeeded", "failed", "cancelled"):
            return job
        time.sleep(0.5)
    raise AssertionError(f"the job did not end within {within_s:.0f} s: {job}")


def waits_for_a_reason(platform: Any, job_id: str) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        job = platform.api.get(f"/jobs/{job_id}").json()["job"]
        assert job["state"] == "queued", job
        if job["waiting_reason"]:
            return
        time.sleep(0.5)
    raise AssertionError("the job waits, and nothing says why")

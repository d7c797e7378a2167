"""The example: a real model on real input, run on the better node, its predictions beside the true labels."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Final

from embedded.api import Api, pack_folder, wait_for
from embedded.console import Console
from embedded.home import PROJECT, Home, write_whole
from embedded.problems import Problem
from webfront.jobs.states import ENDED_JOBS, JobState

APP: Final = "digits"
OUTPUT: Final = "predictions.csv"
_APPS: Final = PROJECT / "examples/apps"
_ROWS: Final = 8
_RUN_S: Final = 240.0


def run(home: Home, api: Api, console: Console) -> dict[str, Any]:
    """Push the app and run it, unless this version of it has run before. Returns the job."""
    version = push(api, APP)
    job = _finished_before(api, version)
    if job is None:
        with console.step(f"Running the app {APP} on {example_input(APP).name}") as note:
            job = _run(api, version, note)
    write_whole(home.predictions, api.download(f"/jobs/{job['id']}/outputs/{OUTPUT}").decode())
    return job


def push(api: Api, app: str) -> str:
    """Upload one of the example apps; its version."""
    body = pack_folder(_APPS / app, leave_out=("inputs",))
    return str(api.call("POST", "/apps", files={"file": (f"{app}.zip", body, "application/zip")})["version"])


def example_input(app: str) -> Path:
    """The input that comes with an example app."""
    return _APPS / app / "inputs" / f"{app}.csv"


def submit(api: Api, app: str, version: str, file: Path) -> dict[str, Any]:
    """Have the app run on a file. Returns the job."""
    with file.open("rb") as opened:
        job: dict[str, Any] = api.call(
            "POST", "/jobs", data={"app": app, "version": version}, files={"input": (file.name, opened, "text/csv")}
        )["job"]
    return job


def _finished_before(api: Api, version: str) -> dict[str, Any] | None:
    found = api.call("GET", "/jobs", params={"app": APP, "state": JobState.SUCCEEDED.value, "limit": 20})["jobs"]
    for job in found:
        if job["version"] == version and job["input"] == example_input(APP).name:
            whole: dict[str, Any] = api.call("GET", f"/jobs/{job['id']}")["job"]
            return whole
    return None


def _run(api: Api, version: str, note: Any) -> dict[str, Any]:
    job = submit(api, APP, version, example_input(APP))
    path = f"/jobs/{job['id']}"
    latest: dict[str, Any] = job

    def over() -> bool:
        nonlocal latest
        latest = api.call("GET", path)["job"]
        attempt = latest["attempts"][-1] if latest["attempts"] else {}
        note(attempt.get("preparing") or latest["waiting_reason"] or latest["state"])
        return str(latest["state"]) in ENDED_JOBS

    if not wait_for(over, _RUN_S):
        raise Problem(
            f"the job {job['id']} does not end: it is {latest['state']} {latest['waiting_reason']}".rstrip(),
            "Look at its page in the web front, and at ./quickstart status.",
        )
    if latest["state"] != JobState.SUCCEEDED:
        lines = api.call("GET", f"{path}/log")["lines"][-10:]
        told = "".join(f"\n    {line['text']}" for line in lines)
        raise Problem(
            f"the job {job['id']} {latest['state']}: {latest['message']}{told}", "Its page has the whole log."
        )
    return latest


def tell_ranking(job: dict[str, Any], console: Console) -> None:
    """Which node was chosen, and how the others stood."""
    placement = job["attempts"][-1]["placement"]
    console.say(f"\nWhere it ran: {placement['sentence']}\n")
    console.say("  node       score    load  performance  free CPU  free memory")
    for ranked in placement["ranking"]:
        score = ranked["score"]
        console.say(
            f"  {ranked['node']:<9}{score['value']:7.3f} {score['load']:7.3f} {score['performance']:12.3f}"
            f" {score['free_cpu_percent']:8.0f}% {score['free_memory_gb']:9.1f} GB"
        )


def tell_predictions(home: Home, console: Console) -> None:
    """The first predictions beside the true labels, and how many of all are right."""
    predictions = [row["prediction"] for row in _rows(home.predictions)]
    labels = [row["label"] for row in _rows(example_input(APP))]
    console.say("\n  image  prediction  true label")
    for number, (prediction, label) in enumerate(zip(predictions[:_ROWS], labels, strict=False)):
        console.say(f"  {number:5}  {prediction:>10}  {label:>10}{'' if prediction == label else '   wrong'}")
    right = sum(prediction == label for prediction, label in zip(predictions, labels, strict=False))
    console.say(f"  ...    {right} of {len(labels)} right ({right / max(1, len(labels)):.1%})")


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))

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
_FOLDER: Final = PROJECT / "examples/apps" / APP
_INPUT: Final = _FOLDER / "inputs/digits.csv"
_OUTPUT: Final = "predictions.csv"
_ROWS: Final = 8
_RUN_S: Final = 240.0


def run(home: Home, api: Api, console: Console) -> dict[str, Any]:
    """Push the app and run it, unless this version of it has run before. Returns the job."""
    body = pack_folder(_FOLDER, leave_out=("inputs",))
    answer = api.call("POST", "/apps", files={"file": (f"{APP}.zip", body, "application/zip")})
    version = str(answer["version"])
    job = _finished_before(api, version)
    if job is None:
        with console.step(f"Running the app {APP} on {_INPUT.name}") as note:
            job = _run(api, version, note)
    write_whole(home.predictions, api.download(f"/jobs/{job['id']}/outputs/{_OUTPUT}").decode())
    return job


def _finished_before(api: Api, version: str) -> dict[str, Any] | None:
    found = api.call("GET", "/jobs", params={"app": APP, "state": JobState.SUCCEEDED.value, "limit": 20})["jobs"]
    for job in found:
        if job["version"] == version and job["input"] == _INPUT.name:
            whole: dict[str, Any] = api.call("GET", f"/jobs/{job['id']}")["job"]
            return whole
    return None


def _run(api: Api, version: str, note: Any) -> dict[str, Any]:
    with _INPUT.open("rb") as file:
        asked = {"app": APP, "version": version}
        job = api.call("POST", "/jobs", data=asked, files={"input": (_INPUT.name, file, "text/csv")})["job"]
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
    labels = [row["label"] for row in _rows(_INPUT)]
    console.say("\n  image  prediction  true label")
    for number, (prediction, label) in enumerate(zip(predictions[:_ROWS], labels, strict=False)):
        console.say(f"  {number:5}  {prediction:>10}  {label:>10}{'' if prediction == label else '   wrong'}")
    right = sum(prediction == label for prediction, label in zip(predictions, labels, strict=False))
    console.say(f"  ...    {right} of {len(labels)} right ({right / max(1, len(labels)):.1%})")


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))

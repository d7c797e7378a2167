"""Jobs under faults: clients that submit all the while, and a look at the whole history afterwards."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from typing import Any

import httpx
from support.zips import zipped

MANIFEST = b"""name: history
entrypoint: history.py
inputs: {required: false}
outputs: [predictions.csv]
parameters:
  number: {default: "0"}
  seconds: {default: "0"}
retries: {node_lost: 5}
"""
SCRIPT = b"""import argparse, time
parser = argparse.ArgumentParser()
parser.add_argument("--output")
parser.add_argument("--number", type=int)
parser.add_argument("--seconds", type=float)
given, _ = parser.parse_known_args()
print("begun", flush=True)
time.sleep(given.seconds)
open(given.output + "/predictions.csv", "w").write(str(given.number ** 2))
"""
ENDED = ("succeeded", "failed", "cancelled")


class History:
    """Submits jobs until it is stopped. Each is sent again, with the same key, until it has an answer."""

    def __init__(self, client: httpx.Client, *, every_s: float = 0.3, seconds: float = 1.0) -> None:
        self._client = client
        self._every_s = every_s
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._submit, name="history")
        self.accepted: dict[str, int] = {}
        """Each job's number, by its id."""
        self.refused: list[str] = []

    def upload(self) -> None:
        archive = zipped({"app.yml": MANIFEST, "history.py": SCRIPT})
        self._client.post("/apps", files={"file": ("history.zip", archive)}).raise_for_status()

    def __enter__(self) -> History:
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._stop.set()
        self._thread.join()

    def _submit(self) -> None:
        number = 0
        while not self._stop.wait(self._every_s):
            number += 1
            body = {"app": "history", "parameters": {"number": str(number), "seconds": str(self._seconds)}}
            key = {"Idempotency-Key": uuid.uuid4().hex}
            while (answer := self._try(body, key)) is None:
                if self._stop.wait(0.5):
                    return
            if answer.is_error:
                self.refused.append(f"{answer.status_code} {answer.text[:200]}")
            else:
                self.accepted[answer.json()["job"]["id"]] = number

    def _try(self, body: dict[str, Any], key: dict[str, str]) -> httpx.Response | None:
        """The answer; None where there was none, or one that says to come again."""
        try:
            answer = self._client.post("/jobs", json=body, headers=key)
        except httpx.HTTPError:
            return None
        return None if answer.status_code in (429, 502, 503, 504) else answer

    def wait_for(self, count: int, within_s: float = 120.0) -> None:
        """Until so many have been accepted in all."""
        until = time.monotonic() + within_s
        while len(self.accepted) < count:
            assert time.monotonic() < until, f"{len(self.accepted)} of {count} jobs were accepted"
            time.sleep(0.1)

    def faults(self, within_s: float) -> list[str]:
        """What is wrong with the history once every accepted job has ended; empty when nothing is."""
        found = list(self.refused)
        until = time.monotonic() + within_s
        for job, number in self.accepted.items():
            view = self._ended(job, until)
            if view is None or view["state"] not in ENDED:
                found.append(f"{job} did not end: {view}")
                continue
            if view["state"] != "succeeded":
                found.append(f"{job} {view['state']}: {view['cause']} {view['message']}")
                continue
            causes = Counter(attempt["cause"] for attempt in view["attempts"])
            if causes["ok"] != 1:
                found.append(f"{job} has {causes['ok']} attempts that went well")
            numbers = [attempt["number"] for attempt in view["attempts"]]
            if numbers != list(range(1, len(numbers) + 1)):
                found.append(f"{job} has the attempts {numbers}")
            answer = self._client.get(f"/jobs/{job}/outputs/predictions.csv")
            if answer.text != str(number**2):
                found.append(f"{job} answers {answer.text[:40]!r} where {number**2} is right")
        facts = self._ends()
        found += [f"{job} has {count} ends" for job, count in facts.items() if job in self.accepted and count != 1]
        return found

    def _ended(self, job: str, until: float) -> dict[str, Any] | None:
        view: dict[str, Any] | None = None
        while time.monotonic() < until:
            try:
                view = self._client.get(f"/jobs/{job}").raise_for_status().json()["job"]
            except httpx.HTTPError:
                view = None
            if view is not None and view["state"] in ENDED:
                return view
            time.sleep(0.5)
        return view

    def _ends(self) -> Counter[str]:
        """How many ends of each job were recorded."""
        ends: Counter[str] = Counter()
        query = {"kind": "job.end", "limit": "200"}
        while True:
            answer = self._client.get("/activity", params=query).raise_for_status().json()
            ends.update(fact["job"] for fact in answer["facts"])
            if not answer["older"]:
                return ends
            query["before"] = str(answer["older"])

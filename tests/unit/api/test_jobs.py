"""Jobs through the API: submitting, whose they are, their logs with gaps, and the results that count."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from webfront.database.models import Attempt, Job, LogChunk, LogPiece
from webfront.jobs.identifiers import PATTERN, Ulids
from webfront.jobs.logfiles import write_text
from webfront.jobs.logs import whole_file
from webfront.jobs.submission import sweep_inputs
from webfront.settings import Settings

Browse = Callable[..., httpx.Client]
Form = dict[str, tuple[str | None, str | bytes]]
MANIFEST = """
name: tool
entrypoint: main.py
inputs: {required: true, accept: [.csv]}
parameters: {level: 3, mode: {default: fast}, seed: }
"""


@pytest.fixture
def ada(browse: Browse) -> httpx.Client:
    import io
    import zipfile

    client = browse("ada")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("app.yml", MANIFEST)
        archive.writestr("main.py", "")
    client.post("/api/v1/apps", files={"file": ("tool.zip", out.getvalue())}).raise_for_status()
    client.post("/api/v1/apps", files={"file": ("noop.py", b"")}).raise_for_status()
    return client


def submit(client: httpx.Client, **wish: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/jobs", json={"app": "noop"} | wish)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()["job"]
    return job


def run(job_id: str, *, number: int = 1, state: str = "ended", **fields: Any) -> Attempt:
    """An attempt as the scheduler would leave it."""
    Job.update(attempts=number, state="succeeded" if state == "ended" else "running").where(Job.id == job_id).execute()
    made: Attempt = Attempt.create(
        job=job_id, number=number, node="n", state=state, placement={}, placed_at=1.0, **fields
    )
    return made


def test_an_accepted_job_is_what_its_page_shows(ada: httpx.Client, settings: Settings) -> None:
    form: Form = {"app": (None, "tool"), "parameters": (None, '{"level": 5}'), "input": ("../../My data.csv", b"1,2")}
    answer = ada.post("/api/v1/jobs", files=form)
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert (job["state"], job["input"], job["parameters"]) == ("queued", "My_data.csv", {"level": "5", "mode": "fast"})
    assert ada.get(f"/api/v1/jobs/{job['id']}").json()["job"] == job
    row = Job.get()
    assert (settings.share_dir / str(row.input)).read_bytes() == b"1,2"
    assert row.input == f"inputs/{job['id']}/My_data.csv"
    assert [entry.name for entry in (settings.share_dir / "inputs").iterdir()] == [job["id"]]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"app": "tool"}, "needs an input"),
        ({"app": "tool", "input": ("a.txt", b"")}, "does not accept a.txt"),
        ({"app": "tool", "input": ("a.csv", b""), "parameters": '{"colour": 1}'}, "no parameter colour"),
        ({"app": "noop", "parameters": '{"input": "x"}'}, "cannot be a parameter"),
        ({"app": "noop", "parameters": '{"--x": "x"}'}, "cannot be a parameter"),
        ({"app": "noop", "parameters": '{"x": [1]}'}, "cannot be used"),
        ({"app": "noop", "parameters": "{"}, "not JSON"),
        ({"app": "noop", "version": "../.."}, "first 6 characters"),
        ({"app": "noop", "priority": "11"}, "priority"),
    ],
)
def test_a_wish_that_cannot_be_met_leaves_nothing(
    ada: httpx.Client, settings: Settings, form: dict[str, Any], words: str
) -> None:
    files = {name: value if isinstance(value, tuple) else (None, value) for name, value in form.items()}
    answer = ada.post("/api/v1/jobs", files=files)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert not Job.select().exists()
    assert not list((settings.share_dir / "inputs").glob("*"))


def test_a_version_is_found_by_its_beginning(ada: httpx.Client) -> None:
    version = ada.get("/api/v1/apps/noop").json()["app"]["versions"][0]["version"]
    assert submit(ada, version=version[:8])["version"] == submit(ada, version=version)["version"] == version
    assert ada.post("/api/v1/jobs", json={"app": "noop", "version": "0" * 8}).status_code == 404


def test_jobs_are_their_owners_and_administrators(ada: httpx.Client, browse: Browse) -> None:
    bob = browse("bob")
    adas, bobs = submit(ada)["id"], submit(bob)["id"]
    assert [job["id"] for job in bob.get("/api/v1/jobs").json()["jobs"]] == [bobs]
    assert [job["id"] for job in ada.get("/api/v1/jobs?limit=1").json()["jobs"]] == [bobs]
    assert [job["id"] for job in ada.get(f"/api/v1/jobs?before={bobs}").json()["jobs"]] == [adas]
    for address in ("", "/log", "/outputs/x"):
        assert bob.get(f"/api/v1/jobs/{adas}{address}").status_code == 404
    assert bob.post(f"/api/v1/jobs/{adas}/cancel").status_code == 404
    assert bob.post("/api/v1/jobs", json={"app": "noop", "priority": 1}).status_code == 400


def test_a_queued_job_is_cancelled_once(ada: httpx.Client) -> None:
    job_id = submit(ada)["id"]
    assert ada.post(f"/api/v1/jobs/{job_id}/cancel").json()["job"]["state"] == "cancelled"
    assert ada.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 409


def test_a_log_is_read_in_order_once_and_with_its_gaps(ada: httpx.Client) -> None:
    job_id = submit(ada)["id"]
    assert ada.get(f"/api/v1/jobs/{job_id}/log").json()["lines"] == []
    attempt = run(job_id, log_lines=9)
    for first, lines in ((1, ["a", "b"]), (2, ["b", "c"]), (6, ["f", ""])):
        LogChunk.create(attempt=attempt, first=first, count=len(lines), at=1.0, text="\n".join(lines))
    page = ada.get(f"/api/v1/jobs/{job_id}/log").json()
    assert [(line["number"], line["text"]) for line in page["lines"]] == [
        (1, "a"), (2, "b"), (3, "c"), (6, "f"), (7, ""),
    ]  # fmt: skip
    assert (page["gaps"], page["next"], page["complete"]) == ([[4, 5], [8, 9]], 9, True)
    second = ada.get(f"/api/v1/jobs/{job_id}/log?after=2&limit=1").json()
    assert (second["lines"][0]["text"], second["next"], second["complete"]) == ("c", 5, False)
    assert ada.get(f"/api/v1/jobs/{job_id}/log?attempt=7").status_code == 404


def test_a_log_is_read_from_either_end_and_any_line_and_as_a_file(ada: httpx.Client, settings: Settings) -> None:
    job_id = submit(ada)["id"]
    attempt = run(job_id, log_lines=12)
    LogChunk.create(attempt=attempt, first=1, count=4, at=1.0, text="1\n2\n3\n4")
    write_text(settings.share_dir, job_id, 1, 5, b"5\n6\n7\n8\n9\n10\n")
    LogPiece.create(attempt=attempt, first=5, count=6, at=1.0, position=5, size=13, lines=6)

    def ask(query: str) -> tuple[list[int], int, int]:
        page = ada.get(f"/api/v1/jobs/{job_id}/log?{query}").json()
        assert all(line["text"] == str(line["number"]) for line in page["lines"])
        return [line["number"] for line in page["lines"]], page["next"], page["newest"]

    assert ask("") == ([*range(1, 11)], 12, 12)
    assert ask("last=4") == ([9, 10], 12, 12)
    assert ask("last=99&limit=5") == ([1, 2, 3, 4, 5], 5, 12)
    assert ask("after=6&limit=2") == ([7, 8], 8, 12)
    shown = ada.get(f"/jobs/{job_id}?line=7").text
    assert '<li data-n="7"><span>7</span></li>' in shown
    assert '<li data-n="6">' not in shown
    text = "".join(f"{number}\n" for number in range(1, 11)) + "[lines 11 to 12 are missing]\n"
    assert ada.get(f"/jobs/{job_id}/log.txt").text == text
    (settings.share_dir / "logs").rename(settings.share_dir / "away")
    answer = ada.get(f"/api/v1/jobs/{job_id}/log")
    assert (answer.status_code, "share with the log" in answer.json()["error"]["message"]) == (503, True)
    assert "The share with the log cannot be read now" in ada.get(f"/jobs/{job_id}").text
    assert ada.get(f"/jobs/{job_id}/log.txt").status_code == 503


def test_a_log_whose_lines_all_are_in_its_file_is_that_file(ada: httpx.Client, settings: Settings) -> None:
    job_id = submit(ada)["id"]
    share, text = settings.share_dir, b"a\nb\n\nd\n"
    attempt = run(job_id, log_lines=4, log_bytes=len(text))
    write_text(share, job_id, 1, 0, text)
    for first, position in ((1, 0), (3, 4)):
        LogPiece.create(attempt=attempt, first=first, count=2, at=1.0, position=position, size=4 - first // 3, lines=2)
    job = Job.get_by_id(job_id)

    def is_file(number: int | None = None) -> bool:
        found = whole_file(share, job, number)
        with found or contextlib.nullcontext():
            assert found is None or found.read() == text
        return found is not None

    assert (is_file(), is_file(1), is_file(2), is_file(2**70)) == (True, True, False, False)
    assert ada.get(f"/jobs/{job_id}/log.txt").content == text
    for changed in ({"log_lines": 5}, {"log_bytes": 9}, {"state": "running"}):
        Attempt.update(changed).execute()
        assert not is_file(), changed
        Attempt.update(log_lines=4, log_bytes=len(text), state="ended").execute()
    for changed in ({"lines": 1}, {"first": 4}, {"position": 3}):
        LogPiece.update(changed).where(LogPiece.first == 3).execute()
        assert not is_file(), changed
        LogPiece.update(lines=2, first=3, position=4).where(LogPiece.first != 1).execute()
    late = LogChunk.create(attempt=attempt, first=5, count=1, at=1.0, text="e")
    assert not is_file()
    late.delete_instance()
    assert is_file()
    write_text(share, job_id, 1, len(text), b"more")
    assert not is_file()


def test_a_hole_in_a_living_log_is_waited_for_a_while(ada: httpx.Client) -> None:
    job_id = submit(ada)["id"]
    attempt = run(job_id, state="running")
    LogChunk.create(attempt=attempt, first=1, count=1, at=1.0, text="a")
    late = LogChunk.create(attempt=attempt, first=3, count=1, at=time.time(), text="c")
    page = ada.get(f"/api/v1/jobs/{job_id}/log").json()
    assert (len(page["lines"]), page["next"], page["gaps"], page["complete"]) == (1, 1, [], False)
    LogChunk.update(at=time.time() - 60).where(LogChunk.id == late.id).execute()
    page = ada.get(f"/api/v1/jobs/{job_id}/log?after=1").json()
    assert (page["lines"][0]["number"], page["gaps"], page["complete"]) == (3, [[2, 2]], False)


def output(name: str, size: int = 3) -> dict[str, Any]:
    return {"name": name, "size": size, "sha256": "0" * 64}


def test_only_the_attempt_that_counts_is_served(ada: httpx.Client, settings: Settings) -> None:
    job_id = submit(ada)["id"]
    results = settings.share_dir / "results" / job_id
    for number, text in ((1, "old"), (2, "new")):
        (results / str(number)).mkdir(parents=True)
        (results / str(number) / "predictions.csv").write_text(text)
    (results / "1" / "only-old.csv").write_text("old")
    Attempt.create(
        job=job_id, number=1, node="n", state="ended", placement={}, placed_at=1.0, outputs=[output("only-old.csv")]
    )
    run(job_id, number=2, outputs=[output("predictions.csv")])
    assert [one["name"] for one in ada.get(f"/api/v1/jobs/{job_id}").json()["job"]["outputs"]] == ["predictions.csv"]
    answer = ada.get(f"/api/v1/jobs/{job_id}/outputs/predictions.csv")
    assert (answer.text, answer.headers["Content-Length"]) == ("new", "3")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    for name in ("only-old.csv", "../1/only-old.csv", "..%2f1%2fonly-old.csv", "predictions.csv/"):
        assert ada.get(f"/api/v1/jobs/{job_id}/outputs/{name}").status_code == 404
    Job.update(state="queued").execute()
    assert ada.get(f"/api/v1/jobs/{job_id}/outputs/predictions.csv").status_code == 404


def test_a_result_that_is_a_link_is_not_followed(ada: httpx.Client, settings: Settings, tmp_path: Path) -> None:
    job_id = submit(ada)["id"]
    (tmp_path / "secret").write_text("secret")
    folder = settings.share_dir / "results" / job_id / "1"
    folder.mkdir(parents=True)
    (folder / "link.csv").symlink_to(tmp_path / "secret")
    (folder / "dir").symlink_to(tmp_path)
    names = ["link.csv", "dir/secret", "../../../secret"]
    run(job_id, outputs=[output(name) for name in names])
    for name in names:
        assert ada.get(f"/api/v1/jobs/{job_id}/outputs/{name}").status_code == 404


def test_identifiers_sort_by_time() -> None:
    moments = iter([1.0, 1.0, 0.5, 2.0])
    made = Ulids(lambda: next(moments))
    found = [made.next() for _ in range(4)]
    assert found == sorted(set(found))
    assert all(PATTERN.fullmatch(one) for one in found)


def test_inputs_that_belong_to_no_job_are_swept(ada: httpx.Client, settings: Settings) -> None:
    form: Form = {"app": (None, "tool"), "input": ("a.csv", b"1")}
    kept = ada.post("/api/v1/jobs", files=form).json()["job"]["id"]
    inputs = settings.share_dir / "inputs"
    orphan = Ulids().next()
    for name in (orphan, f".{Ulids().next()}"):
        (inputs / name).mkdir()
    assert sweep_inputs(settings.share_dir, time.time()) == 0
    assert sweep_inputs(settings.share_dir, time.time() + 2 * 24 * 3600) == 2
    assert [entry.name for entry in inputs.iterdir()] == [kept]

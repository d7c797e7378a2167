"""What each verb of `skerry` does. Results go to stdout, what happens meanwhile to stderr."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import platform
import secrets
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from webfront.cli import credentials
from webfront.cli.client import Client
from webfront.cli.downloading import fetch
from webfront.cli.errors import FAILED, OK, USAGE, CliError
from webfront.cli.following import print_page, wait
from webfront.cli.packing import packed
from webfront.cli.tables import moment, size, table
from webfront.jobs.states import JobState


def login(options: argparse.Namespace) -> int:
    url = options.url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise CliError("The address begins with http:// or https://.", USAGE)
    user = options.user or _ask("User: ")
    label = f"skerry command on {platform.node()}"
    body = {"user": user, "password": _password(options.password_file), "label": label}
    found = Client(url).call("POST", "tokens", json=body)
    file = credentials.save(credentials.Credentials(url, found["token"]))
    say(options, {"user": user, "expires_at": found["expires_at"]}, f"Signed in at {url} as {user}. Token: {file}")
    return OK


def logout(options: argparse.Namespace) -> int:
    with contextlib.suppress(CliError):  # a token that is not known any more needs not be given back
        signed_in().call("DELETE", "tokens/current")
    credentials.forget()
    say(options, {}, "Signed out.")
    return OK


def apps_push(options: argparse.Namespace) -> int:
    with packed(options.path) as (name, file):
        data = {"name": options.name} if options.name else {}
        found = signed_in().call("POST", "apps", files={"file": (name, file)}, data=data)
    what = "is a new version" if found["created"] else "was there already"
    say(options, found, f"{found['app']}@{found['version'][:12]} {what}.")
    return OK


def apps_list(options: argparse.Namespace) -> int:
    apps = signed_in().get("apps")["apps"]
    rows = [
        (
            app["name"],
            app["versions"][0]["version"][:12],
            len(app["versions"]),
            app["owner"],
            moment(app["versions"][0]["uploaded_at"]),
        )
        for app in apps
    ]
    say(options, {"apps": apps}, table(("APP", "VERSION", "VERSIONS", "OWNER", "UPLOADED"), rows))
    return OK


def run(options: argparse.Namespace) -> int:
    app, _, version = options.app.partition("@")
    client = signed_in()
    fields = {"app": app, "parameters": json.dumps(pairs_of(options.parameter))}
    if version:
        fields["version"] = version
    with contextlib.ExitStack() as stack:
        files: dict[str, tuple[str | None, BinaryIO | str]] = {name: (None, text) for name, text in fields.items()}
        if options.input is not None:
            files["input"] = (options.input.name, stack.enter_context(options.input.open("rb")))
        key = secrets.token_hex(16) if options.idempotency_key is None else options.idempotency_key
        found, replayed = client.submit("jobs", key, tell=tell, sleep=time.sleep, files=files)
    job = found["job"]
    tell(f"job {job['id']} {'had been accepted before' if replayed else 'accepted'}")
    if options.wait or options.follow or options.download is not None:
        job = wait(
            client, job["id"], log_to=_log_stream(options) if options.follow else None, tell=tell, sleep=time.sleep
        )
    fetched = _fetch(client, job, options.download) if options.download is not None else []
    shown = {"job": job} | ({"files": [str(file) for file in fetched]} if options.download is not None else {})
    say(options, shown, "\n".join(map(str, fetched)) if options.download is not None else job["id"])
    return FAILED if job["state"] in (JobState.FAILED, JobState.CANCELLED) else OK


def jobs_list(options: argparse.Namespace) -> int:
    jobs = signed_in().get("jobs", state=options.state, app=options.app, limit=options.limit)["jobs"]
    rows = [(job["id"], job["app"], job["state"], job["user"], moment(job["submitted_at"])) for job in jobs]
    say(options, {"jobs": jobs}, table(("JOB", "APP", "STATE", "USER", "SUBMITTED"), rows))
    return OK


def jobs_show(options: argparse.Namespace) -> int:
    job = signed_in().get(f"jobs/{options.job}")["job"]
    lines = [
        f"job        {job['id']}",
        f"app        {job['app']}@{job['version'][:12]}",
        f"state      {job['state']}" + (f" ({job['cause']})" if job["cause"] else ""),
        f"submitted  {moment(job['submitted_at'])} by {job['user']}",
        f"finished   {moment(job['finished_at'])}",
    ]
    lines += [
        f"{name:<10} {job[key]}" for name, key in (("message", "message"), ("waits", "waiting_reason")) if job[key]
    ]
    lines += [f"input      {job['input']}"] if job["input"] else []
    lines += [f"parameter  {name}={value}" for name, value in job["parameters"].items()]
    for attempt in job["attempts"]:
        outcome = f"{attempt['state']}" + (f", {attempt['cause']}" if attempt["cause"] else "")
        lines.append(f"attempt {attempt['number']}  on {attempt['node']}: {outcome} {attempt['message']}".rstrip())
    lines += [f"output     {output['name']} ({size(output['size'])})" for output in job["outputs"]]
    for what in ("results", "input", "log"):
        if (gone := job[f"{what}_deleted"]) is not None:
            lines.append(f"{what:<10} deleted on {moment(gone['at'])} by the retention of {gone['days']} days")
    say(options, {"job": job}, "\n".join(lines))
    return OK


def jobs_log(options: argparse.Namespace) -> int:
    client = signed_in()
    after, last = max(0, (options.first or 1) - 1), options.last
    if options.follow:
        log = _log_stream(options)
        job = wait(client, options.job, log_to=log, tell=tell, sleep=time.sleep, after=after, last=last)
        say(options, {"job": job}, "")
        return OK if job["state"] == JobState.SUCCEEDED else FAILED
    pages = []
    while True:
        page = client.get(f"jobs/{options.job}/log", after=after, last=last, attempt=options.attempt)
        last = None
        if options.json:
            pages.append(page)
        else:
            print_page(page, sys.stdout, tell)
        if page["complete"] or page["next"] <= after:
            break
        after = page["next"]
    if options.json:
        lines = [line for one in pages for line in one["lines"]]
        gaps = [gap for one in pages for gap in one["gaps"]]
        _print_json({"attempt": page["attempt"], "lines": lines, "gaps": gaps, "complete": page["complete"]})
    return OK


def jobs_cancel(options: argparse.Namespace) -> int:
    job = signed_in().call("POST", f"jobs/{options.job}/cancel")["job"]
    words = "is cancelled" if job["state"] == JobState.CANCELLED else "ends as soon as its node has stopped it"
    say(options, {"job": job}, f"{job['id']} {words}.")
    return OK


def jobs_download(options: argparse.Namespace) -> int:
    client = signed_in()
    job = client.get(f"jobs/{options.job}")["job"]
    fetched = _fetch(client, job, options.to)
    say(options, {"files": [str(file) for file in fetched]}, "\n".join(map(str, fetched)))
    if not fetched:
        raise CliError(f"The job has no results: it is {job['state']}.", FAILED)
    return OK


def signed_in() -> Client:
    return Client.of(credentials.load())


def _fetch(client: Client, job: dict[str, Any], folder: Path) -> list[Path]:
    return [fetch(client, job["id"], output, folder, tell=tell, sleep=time.sleep) for output in job["outputs"]]


def pairs_of(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, sign, _ in pairs:
        if not sign or not name:
            raise CliError(f"A parameter is given as NAME=VALUE, not as {name!r}.", USAGE)
    return {name: value for name, _, value in pairs}


def _password(file: Path | None) -> str:
    if file is None:
        if not sys.stdin.isatty():
            raise CliError("There is no terminal to ask for the password. Give --password-file.", USAGE)
        return getpass.getpass("Password: ")
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    return text.splitlines()[0] if text else ""


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        raise CliError("There is no terminal to ask for the user. Give --user.", USAGE)
    return input(question).strip()


def _log_stream(options: argparse.Namespace) -> Any:
    """With --json, stdout is the answer's alone."""
    return sys.stderr if options.json else sys.stdout


def say(options: argparse.Namespace, answer: dict[str, Any], words: str) -> None:
    if options.json:
        _print_json(answer)
    elif words:
        print(words)


def _print_json(answer: dict[str, Any]) -> None:
    print(json.dumps(answer, indent=2))


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)

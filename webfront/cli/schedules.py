"""What `skerry schedules` does: making schedules, changing them, and looking at what came of them."""

from __future__ import annotations

import argparse
import contextlib
import json
from typing import Any, BinaryIO
from urllib.parse import quote

from webfront.cli import commands
from webfront.cli.commands import pairs_of, say
from webfront.cli.errors import OK, USAGE, CliError
from webfront.cli.tables import moment, table


def schedules_list(options: argparse.Namespace) -> int:
    found = commands.signed_in().get("schedules")["schedules"]
    rows = [
        (one["name"], one["app"], one["state"], one["words"], one["next_words"][0] if one["next_words"] else "-")
        for one in found
    ]
    say(options, {"schedules": found}, table(("SCHEDULE", "APP", "STATE", "TIMES", "NEXT"), rows))
    return OK


def schedules_show(options: argparse.Namespace) -> int:
    _show(options, commands.signed_in().get(_path(options))["schedule"])
    return OK


def schedules_create(options: argparse.Namespace) -> int:
    app, _, version = options.app.partition("@")
    given: dict[str, Any] = {"name": options.name, "app": app, "zone": options.zone}
    given |= {"when_running": options.when_running or "skip"} | ({"version": version} if version else {})
    _show(options, _send(options, "POST", "schedules", given | _times(options)))
    return OK


def schedules_change(options: argparse.Namespace) -> int:
    given: dict[str, Any] = {}
    if options.app is not None:
        given["app"], _, version = options.app.partition("@")
        given["version"] = version
    for name in ("zone", "when_running"):
        if getattr(options, name) is not None:
            given[name] = getattr(options, name)
    if options.rename is not None:
        given["name"] = options.rename
    given |= _times(options)
    if not given and not options.parameter and options.input is None:
        raise CliError(
            "Say what is to change: --cron, --at, --zone, --app, --input, -p, --when-running or --rename.", USAGE
        )
    _show(options, _send(options, "PATCH", _path(options), given))
    return OK


def schedules_pause(options: argparse.Namespace) -> int:
    found = commands.signed_in().call("POST", f"{_path(options)}/pause")["schedule"]
    say(options, {"schedule": found}, f"{found['name']} makes no jobs until it is resumed.")
    return OK


def schedules_resume(options: argparse.Namespace) -> int:
    found = commands.signed_in().call("POST", f"{_path(options)}/resume")["schedule"]
    say(options, {"schedule": found}, f"{found['name']}: next {found['next_words'][0]}.")
    return OK


def schedules_run(options: argparse.Namespace) -> int:
    job = commands.signed_in().call("POST", f"{_path(options)}/run")["job"]
    say(options, {"job": job}, job["id"])
    return OK


def schedules_delete(options: argparse.Namespace) -> int:
    commands.signed_in().call("DELETE", _path(options))
    say(options, {}, f"{options.schedule} is deleted; the jobs it has made stay.")
    return OK


def schedules_preview(options: argparse.Namespace) -> int:
    found = commands.signed_in().get("schedules/preview", zone=options.zone, **_times(options))
    say(options, found, "\n".join([found["words"], *found["next_words"]]))
    return OK


def _path(options: argparse.Namespace) -> str:
    return f"schedules/{quote(options.schedule, safe='')}"


def _times(options: argparse.Namespace) -> dict[str, str]:
    return {name: getattr(options, name) for name in ("cron", "at") if getattr(options, name) is not None}


def _send(options: argparse.Namespace, method: str, path: str, given: dict[str, Any]) -> dict[str, Any]:
    """Send a plan as a form, with its input where there is one."""
    if options.parameter:
        given = given | {"parameters": json.dumps(pairs_of(options.parameter))}
    with contextlib.ExitStack() as stack:
        files: dict[str, tuple[str | None, BinaryIO | str]] = {name: (None, text) for name, text in given.items()}
        if options.input is not None:
            files["input"] = (options.input.name, stack.enter_context(options.input.open("rb")))
        found: dict[str, Any] = commands.signed_in().call(method, path, files=files)["schedule"]
    return found


def _show(options: argparse.Namespace, one: dict[str, Any]) -> None:
    version = f"@{one['version'][:12]}" if one["version"] else ", the newest version"
    lines = [
        f"schedule   {one['name']} ({one['id']})",
        f"app        {one['app']}{version}",
        f"state      {one['state']} {one['state_reason']}".rstrip(),
        f"times      {one['words']}",
    ]
    lines += [f"next       {words}" for words in one["next_words"]]
    lines.append(f"running    {one['when_running']} while its last job still runs")
    lines += [f"input      {one['input']}"] if one["input"] else []
    lines += [f"parameter  {name}={value}" for name, value in one["parameters"].items()]
    for tick in one["ticks"]:
        lines.append(f"{moment(tick['due_at'])}  {tick['outcome']} {tick['job'] or ''} {tick['words']}".rstrip())
    say(options, {"schedule": one}, "\n".join(lines))

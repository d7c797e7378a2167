"""The command line of `skerry`: what it takes, and which function does it.

Exit codes: 0 well; 1 the job failed or was cancelled; 2 the command line cannot be used; 3 the server refused; 4 the
server does not answer; 5 not signed in; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webfront.cli import commands, deleting, explaining, joining, nodes, schedules, webhooks
from webfront.cli.errors import INTERRUPTED, UNREACHABLE, CliError
from wire import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except CliError as error:
        print(f"skerry: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("skerry: interrupted; a job that was submitted goes on.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # `skerry ... | head`: nobody reads on, which is no error
        return UNREACHABLE
    except OSError as error:
        print(f"skerry: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    return code


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    top = argparse.ArgumentParser(
        prog="skerry",
        description="Run AI jobs on the machines of a Skerry.",
        epilog=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"skerry {VERSION}")
    verbs = top.add_subparsers(metavar="COMMAND", required=True)

    login = _verb(verbs, "login", commands.login, "sign in and keep a token")
    login.add_argument("url", metavar="URL", help="the web front, for example https://skerry.example")
    login.add_argument("--user", help="asked for when it is missing")
    login.add_argument("--password-file", type=Path, metavar="FILE", help="asked for when it is missing; - is stdin")
    _verb(verbs, "logout", commands.logout, "sign out and revoke the token")

    apps = _group(verbs, "apps", "upload and list apps")
    push = _verb(apps, "push", commands.apps_push, "upload a folder, a zip or a .py as a new version")
    push.add_argument("path", type=Path, metavar="PATH")
    push.add_argument("--name", help="the app's name, where its manifest gives none")
    _verb(apps, "list", commands.apps_list, "list the apps")
    delete = _verb(apps, "delete", deleting.app, "delete an app, or one version of it")
    delete.add_argument("app", metavar="APP", help="NAME with all its versions, or NAME@VERSION")
    delete.add_argument("--yes", action="store_true", help="without asking whether you are sure")

    run = _verb(verbs, "run", commands.run, "run an app")
    run.add_argument("app", metavar="APP", help="NAME, or NAME@VERSION")
    run.add_argument("--input", type=Path, metavar="FILE")
    run.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    run.add_argument("--idempotency-key", metavar="KEY", help="the same key twice is one job; a fresh one by default")
    run.add_argument(
        "--plan",
        dest="run",
        action="store_const",
        const=explaining.plan,
        help="only show where it would go: the ranking, and why the other nodes are left out",
    )
    run.add_argument("--wait", action="store_true", help="wait until it ends; the exit code says how")
    run.add_argument("--follow", action="store_true", help="show its log as it is written, and wait")
    run.add_argument("--download", type=Path, metavar="DIR", help="wait, and fetch its results into DIR")

    jobs = _group(verbs, "jobs", "look at jobs and their results")
    listing = _verb(jobs, "list", commands.jobs_list, "list jobs, newest first")
    listing.add_argument("--state")
    listing.add_argument("--app")
    listing.add_argument("--limit", type=int, default=20)
    _verb(jobs, "show", commands.jobs_show, "show a job").add_argument("job", metavar="JOB")
    explain = _verb(jobs, "explain", explaining.jobs_explain, "say why a job is where it is, and until when")
    explain.add_argument("job", metavar="JOB")
    log = _verb(jobs, "log", commands.jobs_log, "print a job's log")
    log.add_argument("job", metavar="JOB")
    log.add_argument("--follow", action="store_true", help="until the job is over")
    log.add_argument("--attempt", type=int)
    where = log.add_mutually_exclusive_group()
    where.add_argument("--from", type=int, dest="first", metavar="LINE", help="from this line on")
    where.add_argument("--last", type=int, metavar="LINES", help="the last so many lines")
    _verb(jobs, "cancel", commands.jobs_cancel, "end a job").add_argument("job", metavar="JOB")
    delete = _verb(jobs, "delete", deleting.job, "delete a job that has ended, with its results and its log")
    delete.add_argument("job", metavar="JOB")
    delete.add_argument("--yes", action="store_true", help="without asking whether you are sure")
    download = _verb(jobs, "download", commands.jobs_download, "fetch a job's results")
    download.add_argument("job", metavar="JOB")
    download.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="default: here")

    _schedules(_group(verbs, "schedules", "run apps at times to come"))
    _nodes(_group(verbs, "nodes", "look at nodes, and change them"))
    plays = _group(verbs, "plays", "stop a play")
    stop = _verb(plays, "stop", nodes.stop, "stop a play; what was done stays done, and it can be run again")
    stop.add_argument("play", metavar="PLAY", type=int)

    join = _verb(verbs, "join", joining.join, "make this machine a node: run it there, as root")
    join.add_argument("token", metavar="TOKEN", help="of an administrator's invitation")
    join.add_argument("--front", required=True, metavar="URL", help="the web front, for example https://skerry.example")
    join.add_argument("--sha256", default="", metavar="SUM", help="of the program, from the invitation's line")
    join.add_argument("--address", action="append", default=[], metavar="ADDRESS", help="by which the share is reached")

    _webhooks(_group(verbs, "webhooks", "have an address told of your jobs' ends"))
    return top


def _nodes(verbs: Any) -> None:
    _verb(verbs, "list", nodes.listing, "list the nodes with their load and score")
    change = _verb(verbs, "change", nodes.change, "change a node: what is not given stays")
    change.add_argument("node", metavar="NODE")
    change.add_argument("--address", metavar="ADDRESS", help="a host name or an IP address")
    change.add_argument("--port", dest="ssh_port", type=int, metavar="PORT")
    change.add_argument("--user", dest="ssh_user", metavar="USER", help="who plays sign in as")
    change.add_argument(
        "--host-key", metavar="KEY", help="'TYPE KEY' or its fingerprint; '' keeps the next one it shows"
    )
    change.add_argument("--labels", metavar="LABELS", help="all of them, with commas between; '' for none")
    change.add_argument("--slots", type=int, metavar="N", help="how many jobs it runs at a time")


def _schedules(verbs: Any) -> None:
    _verb(verbs, "list", schedules.schedules_list, "list your schedules with their next times")
    create = _verb(verbs, "create", schedules.schedules_create, "make a schedule")
    create.add_argument("name", metavar="NAME")
    create.add_argument("app", metavar="APP", help="NAME for its newest version at each time, or NAME@VERSION")
    change = _verb(verbs, "change", schedules.schedules_change, "change a schedule: what is not given stays")
    change.add_argument("schedule", metavar="SCHEDULE")
    change.add_argument("--app", metavar="APP", help="NAME for its newest version at each time, or NAME@VERSION")
    change.add_argument("--rename", metavar="NAME")
    preview = _verb(verbs, "preview", schedules.schedules_preview, "show when that would be")
    for one in (create, change, preview):
        one.add_argument("--cron", metavar="EXPRESSION", help="five fields in quotes, or @daily and the like")
        one.add_argument("--at", metavar="TIME", help="once, for example 2026-12-24T18:30")
        one.add_argument("--zone", default=None if one is change else "UTC", help="for example Europe/Berlin")
    for one in (create, change):
        one.add_argument("--input", type=Path, metavar="FILE", help="kept for all its jobs")
        one.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
        one.add_argument("--when-running", choices=("skip", "queue"), help="while its last job still runs")
    for name, run, text in (
        ("show", schedules.schedules_show, "show a schedule and what came of its times"),
        ("pause", schedules.schedules_pause, "have it make no jobs for now"),
        ("resume", schedules.schedules_resume, "have it make jobs again, from its next time on"),
        ("run", schedules.schedules_run, "make a job of it now"),
        ("delete", schedules.schedules_delete, "delete it; the jobs it has made stay"),
    ):
        _verb(verbs, name, run, text).add_argument("schedule", metavar="SCHEDULE", help="your name for it, or its id")


def _webhooks(hooks: Any) -> None:
    _verb(hooks, "list", webhooks.listing, "list the webhooks")
    create = _verb(hooks, "create", webhooks.create, "make a webhook, and print its key, which is shown this once")
    create.add_argument("url", metavar="URL")
    create.add_argument("--app", default="", help="only for jobs of this app")
    for name, run, text in (
        ("show", webhooks.show, "show a webhook"),
        ("delete", webhooks.delete, "delete a webhook with its deliveries"),
        ("rekey", webhooks.rekey, "give a webhook a new key, and print it"),
        ("test", webhooks.test, "send a delivery that tells of nothing"),
    ):
        _verb(hooks, name, run, text).add_argument("webhook", metavar="WEBHOOK", type=int)
    deliveries = _verb(hooks, "deliveries", webhooks.deliveries, "list a webhook's deliveries, newest first")
    deliveries.add_argument("webhook", metavar="WEBHOOK", type=int)
    deliveries.add_argument("--state", help="pending, delivered or failed")
    deliveries.add_argument("--limit", type=int, default=20)
    again = _verb(hooks, "again", webhooks.again, "send a delivery again, whether or not it arrived")
    what = again.add_mutually_exclusive_group(required=True)
    what.add_argument("delivery", metavar="DELIVERY", nargs="?")
    what.add_argument("--failed-of", metavar="WEBHOOK", type=int, help="every failed one of this webhook")


def _group(verbs: Any, name: str, text: str) -> Any:
    return verbs.add_parser(name, help=text, description=text).add_subparsers(metavar="COMMAND", required=True)


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    made.add_argument("--json", action="store_true", help="answer as JSON, for programs")
    made.set_defaults(run=run)
    return made

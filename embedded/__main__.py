"""`./quickstart [up] | add elastic | status [--json] | stop | start | destroy [--yes]`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

from embedded import processes
from embedded.console import Console
from embedded.home import ADMIN_USER, PROJECT, Home
from embedded.lock import locked
from embedded.problems import Problem
from node_scripts.running import trees
from wire.settings import misspelt

_HEALTHY_S: Final = 90.0
_DESCRIPTION: Final = """Skerry on this one machine, to try it out and to develop it.

commands:
  up        bring it up, register two nodes, run the example app; changes nothing it need not (the default)
  add       add elastic: an Elasticsearch beside it, filled from what happens here
  status    what runs, and where; --json for programs
  stop      end every process; data stays
  start     start again what was stopped
  destroy   end every process and remove all data

Everything lives in one directory: SKERRY_HOME (default: .skerry in the checkout). Five ports are used, from
SKERRY_PORT_BASE on (default: 8460), and two more with Elasticsearch."""


def up(home: Home, options: argparse.Namespace) -> int:
    """Bring the platform up and run the example."""
    console = Console()
    _bring_up(home, console)
    console.say(f"\nThe predictions: {home.predictions}")
    console.say(f"The web front:   {home.web_url}")
    console.say(f"Sign in as:      {ADMIN_USER}, with the password in {home.admin_password_file}")
    console.say(f"Ready after {console.total_s:.0f} s. Then: ./quickstart status | stop | start | destroy")
    return 0


def add(home: Home, options: argparse.Namespace) -> int:
    """Bring the platform up with an Elasticsearch, and use it a little."""
    from embedded import elastic
    from embedded.api import Api

    console = Console()
    home.path.mkdir(mode=0o755, parents=True, exist_ok=True)
    home.identity.touch()
    if not home.has_elastic:
        elastic.check(home)
    elastic.choose(home, console)
    _bring_up(home, console)
    api = Api(home)
    api.sign_in()
    usage = elastic.fill(api, console)
    api.sign_out()
    elastic.tell(home, usage, console)
    return 0


def _bring_up(home: Home, console: Console) -> None:
    # What only these commands need lies in the virtual environment.
    from embedded import nodes, preflight, showcase, site
    from embedded.api import Api

    home.path.mkdir(mode=0o755, parents=True, exist_ok=True)
    home.identity.touch()
    home.keep_settings()
    with console.step("Checking disk, ports and rights"):
        site.end_earlier_runs(home)
        if not processes.is_up(home):
            # A supervisor that was killed left its processes behind: they hold the ports.
            processes.end_leftovers(home)
        preflight.check(home)
    site.bring_up(home, console)
    api = Api(home)
    api.wait_until_healthy(_HEALTHY_S)
    api.sign_in()
    nodes.register(home, api, console)
    job = showcase.run(home, api, console)
    api.sign_out()
    showcase.tell_ranking(job, console)
    showcase.tell_predictions(home, console)


def status(home: Home, options: argparse.Namespace) -> int:
    """Say what runs. 0 when all of it does."""
    found = processes.list_processes(home)
    well = bool(found) and all(one.state == "running" for one in found)
    if options.json:
        answer = {
            "web_url": home.web_url,
            "admin_user": ADMIN_USER,
            "admin_password_file": str(home.admin_password_file),
            "predictions": str(home.predictions) if home.predictions.exists() else None,
            "processes": [{"name": one.name, "state": one.state, "pid": one.pid} for one in found],
        }
        print(json.dumps(answer, indent=2))
        return 0 if well else 1
    if not found:
        print(f"Nothing is set up in {home.path}. ./quickstart does it.")
        return 1
    for one in found:
        print(f"  {one.name:<16} {one.state:<10} {one.pid or ''}")
    print(f"\nThe web front:   {home.web_url}\nSign in as:      {ADMIN_USER}, password in {home.admin_password_file}")
    if home.predictions.exists():
        print(f"The predictions: {home.predictions}")
    if not well:
        print("\nNot everything runs: ./quickstart start, or ./quickstart to repair it.")
    return 0 if well else 1


def stop(home: Home, options: argparse.Namespace) -> int:
    """End every process."""
    with Console().step("Stopping the platform"):
        ended = processes.stop(home)
    print("Everything has ended; the data is still there." if ended else "Nothing was running.")
    return 0


def start(home: Home, options: argparse.Namespace) -> int:
    """Start what was set up before."""
    if not (home.supervisor_dir / "supervisord.conf").exists() or not home.stamp.exists():
        raise Problem(f"nothing is set up in {home.path} yet", "Run ./quickstart first.")
    from embedded import preflight
    from embedded.api import Api

    console = Console()
    with console.step("Starting the platform"):
        preflight.check(home)
        processes.start(home)
    with console.step("Waiting until the web front answers"):
        Api(home).wait_until_healthy(_HEALTHY_S)
    print(f"The web front: {home.web_url}")
    return 0


def destroy(home: Home, options: argparse.Namespace) -> int:
    """End every process and remove everything."""
    if not home.path.exists():
        print("There is nothing to remove.")
        return 0
    if not home.identity.exists() and any(home.path.iterdir()):
        raise Problem(
            f"{home.path} was not made by ./quickstart, and is left as it is",
            "Check SKERRY_HOME, or remove it by hand.",
        )
    if sys.stdin.isatty() and not options.yes:
        answer = input(f"Remove {home.path} with all apps, jobs and results? [y/N] ")
        if answer.strip().lower() not in {"y", "yes"}:
            return 1
    with Console().step("Stopping the platform"):
        processes.end_marked(f"SKERRY_EMBEDDED_RUN={home.path}")
        processes.stop(home)
    with Console().step(f"Removing {home.path}"):
        # The mark goes last: if this is cut off, the next destroy still knows the directory for its own.
        for entry in home.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                trees.remove(entry)  # what apps left there may lie deeper than shutil reaches
            elif entry != home.identity:
                entry.unlink()
        home.identity.unlink(missing_ok=True)
        home.path.rmdir()
        # Where the bootstrap put the directory elsewhere, this leads there.
        if (link := PROJECT / ".skerry").is_symlink() and not link.exists():
            link.unlink()
    print("The packages that were installed stay; rabbitmq-server can go (apt-get remove) if nothing else uses it.")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command. 0 if it went well, 1 if it did not, 2 for a wrong call."""
    parser = argparse.ArgumentParser(
        prog="./quickstart", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands: dict[str, Callable[[Home, argparse.Namespace], int]] = {
        "up": up,
        "add": add,
        "status": status,
        "stop": stop,
        "start": start,
        "destroy": destroy,
    }
    parser.add_argument("command", nargs="?", default="up", choices=list(commands))
    parser.add_argument("what", nargs="?", choices=["elastic"], help="add: what")
    parser.add_argument("--json", action="store_true", help="status: for programs")
    parser.add_argument("--yes", action="store_true", help="destroy: do not ask")
    options = parser.parse_args(arguments)
    if (options.command == "add") != (options.what is not None):
        parser.error("add elastic, or one of the other commands alone")
    # Told to end is an end like Ctrl-C: what was begun is left so that the next run goes on from there.
    signal.signal(signal.SIGTERM, _interrupt)
    os.chdir(PROJECT)
    for sentence in misspelt(os.environ):
        print(f"Note: {sentence}", file=sys.stderr)
    try:
        home = Home.from_environment()
        if options.command == "status":
            return status(home, options)
        with locked(home):
            return commands[options.command](home, options)
    except Problem as problem:
        print(f"\n{problem.what[0].upper()}{problem.what[1:]}", file=sys.stderr)
        if problem.advice:
            print(f"What to do: {problem.advice}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run ./quickstart again: it continues where it stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read this has gone away; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"\n{error}", file=sys.stderr)
        print("What to do: fix what it names, then run it again.", file=sys.stderr)
        return 1


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

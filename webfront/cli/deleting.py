"""`skerry jobs delete`, `skerry apps delete`: asked about first, since nothing brings back what is gone."""

from __future__ import annotations

import argparse
import sys
from urllib.parse import quote

from webfront.cli.commands import say, signed_in
from webfront.cli.errors import OK, USAGE, CliError


def job(options: argparse.Namespace) -> int:
    _make_sure(options, f"Delete job {options.job} with its input, its results and its log?")
    signed_in().call("DELETE", f"jobs/{quote(options.job, safe='')}")
    say(options, {"job": options.job}, f"{options.job} is deleted.")
    return OK


def app(options: argparse.Namespace) -> int:
    name, at, version = options.app.partition("@")
    if not name or (at and not version):
        raise CliError(f"An app is given as NAME, or NAME@VERSION, not as {options.app!r}.", USAGE)
    _make_sure(options, f"Delete {options.app}?" if version else f"Delete {name} with all its versions?")
    path = f"apps/{quote(name, safe='')}" + (f"/versions/{quote(version, safe='')}" if version else "")
    signed_in().call("DELETE", path)
    say(options, {"app": name, "version": version or None}, f"{options.app} is deleted.")
    return OK


def _make_sure(options: argparse.Namespace, question: str) -> None:
    """Return when that is wanted. CliError."""
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise CliError("There is no terminal to ask whether you are sure. Give --yes.", USAGE)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CliError("Nothing was deleted.", USAGE)

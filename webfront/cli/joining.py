"""What `skerry join` does: it fetches the program of that front's release, makes sure of it, and runs it."""

from __future__ import annotations

import argparse
import hashlib
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from webfront.cli.client import Client
from webfront.cli.errors import REFUSED, USAGE, CliError

_PYTHON: Final = "/usr/bin/python3"
"""The system's, with which the agent will run."""


def join(options: argparse.Namespace) -> int:
    if not options.sha256 and not options.front.startswith("https://"):
        raise CliError(
            "Without https give the checksum of the program too, from the invitation's line: --sha256.", USAGE
        )
    body = Client(options.front).program()
    if options.sha256 and hashlib.sha256(body).hexdigest() != options.sha256.lower():
        raise CliError("The program there is not the one with this checksum. Take the invitation's line anew.", REFUSED)
    with tempfile.TemporaryDirectory(prefix="skerry-join-") as folder:
        program = Path(folder) / "skerry.pyz"
        program.write_bytes(body)
        addresses = [f"--address={address}" for address in options.address]
        command = [_PYTHON, str(program), "join", "--front", options.front, *addresses, options.token]
        with subprocess.Popen(command) as running:
            # It hears Ctrl-C itself, and tells what became of it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return running.wait()

"""`python -m webfront web|scheduler|plays|shipper`: the controller's processes."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from webfront.errors import SkerryError
from webfront.settings import Settings
from wire.logs import configure_logging
from wire.settings import SettingsError, misspelt
from wire.structs import prepare_structs


def main(arguments: list[str] | None = None) -> int:
    """Run one process until it is told to stop. Returns its exit code; 2 for settings that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m webfront", description=__doc__)
    parser.add_argument("process", choices=["web", "scheduler", "plays", "shipper"])
    process = parser.parse_args(arguments).process
    try:
        settings = Settings.from_environment()
        settings.broker_address()
    except SettingsError as error:
        print(f"webfront: {error}", file=sys.stderr)
        return 2
    configure_logging({"web": "webfront"}.get(process, process), level=settings.log_level)
    for sentence in misspelt(os.environ):
        logging.getLogger("webfront").warning("%s", sentence)
    try:
        # Each process imports only what it needs.
        if process == "web":
            from webfront.server import serve as run
        elif process == "scheduler":
            from webfront.scheduling.scheduler import run
        elif process == "plays":
            from webfront.plays.process import run
        else:
            from webfront.logs.shipper import run
        prepare_structs()
        run(settings)
    except SkerryError as error:
        print(f"webfront: {error.message}", file=sys.stderr)
        return 1
    except SettingsError as error:
        print(f"webfront: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

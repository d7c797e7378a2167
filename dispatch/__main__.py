"""`python -m dispatch`: works for the nodes that have no agent. The plays process starts it when there is one."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
import time
from typing import Final

from dispatch import kit
from dispatch.plays import Plays
from dispatch.proxies import Proxies
from webfront.broker.publisher import Publisher
from webfront.database.schema import open_database
from webfront.errors import SkerryError
from webfront.plays import keys, private
from webfront.plays.outcome import PlayFailed
from webfront.plays.runner import forget_foreign
from webfront.settings import Settings
from wire.logs import configure_logging
from wire.settings import SettingsError
from wire.structs import prepare_structs

_log = logging.getLogger(__name__)

_LOCK_S: Final = 10.0


def main() -> int:
    """Work until SIGTERM. 1 if something is wrong, 2 for settings that cannot be used."""
    try:
        settings = Settings.from_environment()
        settings.broker_address()
    except SettingsError as error:
        print(f"dispatch: {error}", file=sys.stderr)
        return 2
    configure_logging("dispatch", level=settings.log_level)
    forget_foreign(os.environ)
    folder = settings.state_dir / "dispatch"
    folder.mkdir(mode=0o700, exist_ok=True)
    # Held until this process is gone: one works for a node's journal, and clears up after one that died.
    lock = (folder / "lock").open("w")
    if not _take(lock.fileno()):
        _log.error("another process works for the nodes without an agent")
        return 1
    publisher = Publisher(settings.broker_address(), name="dispatch")
    try:
        open_database(settings.database_url, settings.database_password_file).close()
        base = private.plays_base(settings.state_dir) / "dispatch"
        base.mkdir(mode=0o700, exist_ok=True)
        private.clear(base)
        identity = keys.platform_key(settings.state_dir)
        packed = kit.make(folder / "kit")
        prepare_structs()
        publisher.start()
        plays = Plays(base=base, project_dir=settings.project_dir, identity=identity, kit=packed)
        asyncio.run(_work(Proxies(settings, plays=plays, identity=identity, kit=packed)))
    except SkerryError as error:
        _log.error("%s", error.message)
        return 1
    except PlayFailed as error:
        _log.error("%s", error)
        return 1
    finally:
        publisher.stop()
        lock.close()
    return 0


async def _work(proxies: Proxies) -> None:
    working = asyncio.ensure_future(proxies.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, working.cancel)
    _log.info("nodes without an agent are worked for", extra={"event.action": "dispatch.start"})
    try:
        await working
    except asyncio.CancelledError:
        _log.info("what runs on nodes without an agent is left running", extra={"event.action": "dispatch.stop"})


def _take(descriptor: int) -> bool:
    """The lock, waiting a while for a process that ends."""
    until = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        else:
            return True


if __name__ == "__main__":
    sys.exit(main())

"""nginx's error log as JSON lines with Elastic Common Schema names: reads what nginx sends to a socket, as to syslog.

nginx can give its access log any form, but its error log only one, with the whole addresses of requests in it. Here
each line becomes an object, and what comes after a question mark, which may be a secret, is left out.

systemd holds the socket and starts this program when something comes. It ends after some seconds without a line, and
after a minute in any case: the next one is started with the code as it is then. The file is opened for each line, so
that it may be renamed. Standard library only.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import sys
import time
from pathlib import Path

IDLE_S = 10.0
LIVES_S = 60.0
_SYSTEMD_SOCKET = 3
_LINE = re.compile(
    r"(?P<day>\d{4}/\d\d/\d\d) (?P<time>\d\d:\d\d:\d\d) \[(?P<level>[a-z]+)\] (?P<pid>\d+)#\d+: "
    r"(?:\*\d+ )?(?P<text>.*)",
    re.DOTALL,
)
_QUERY = re.compile(r"\?[^\s\"']*")
_ABOUT = re.compile(r', (client|server|request|subrequest|upstream|host|referrer): ("[^"]*"|[^,]*)')


def record(message: str, host: str, now: float) -> dict[str, object]:
    """One message of nginx as a record. What does not look like one is kept as it is, but for queries."""
    found = _LINE.search(message)
    text = _QUERY.sub("", (found["text"] if found else message).strip())
    about = {name: value.strip('"') for name, value in _ABOUT.findall(text)}
    at = f"{found['day'].replace('/', '-')}T{found['time']}.000Z" if found else _moment(now)
    made: dict[str, object] = {
        "@timestamp": at,
        "log.level": found["level"] if found else "error",
        "message": _ABOUT.sub("", text),
        "log.logger": "nginx",
        "ecs.version": "8.11.0",
        "service.name": "nginx",
        "host.name": host,
    }
    if found:
        made["process.pid"] = int(found["pid"])
    method, _, rest = about.get("request", "").partition(" ")
    optional = {
        "source.address": about.get("client", ""),
        "url.domain": about.get("host", ""),
        "url.path": rest.rpartition(" ")[0] or rest,
        "http.request.method": method,
        "skerry.front": re.sub(r"^\w+://([^/]*).*", r"\1", about.get("upstream", "")),
    }
    return made | {name: value for name, value in optional.items() if value}


def _moment(now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now))


def main() -> None:
    file, host = Path(sys.argv[1]), socket.gethostname()
    ends = time.monotonic() + LIVES_S
    with socket.socket(fileno=_SYSTEMD_SOCKET) as given:
        given.settimeout(IDLE_S)
        while time.monotonic() < ends:
            try:
                message = given.recv(65536).decode("utf-8", "replace")
            except TimeoutError:
                return
            # The id it is known by wherever it is read again.
            born = {"event.id": secrets.token_hex(16), **record(message, host, time.time())}
            _write(file, json.dumps(born, ensure_ascii=False) + "\n")


def _write(file: Path, line: str) -> None:
    """Add a line. Between logrotate's renaming of the file and its making of the next there is none for a moment."""
    for _ in range(20):
        try:
            with file.open("a", encoding="utf-8") as log:
                log.write(line)
        except PermissionError:
            time.sleep(0.05)
        else:
            return
    print(line, end="")


if __name__ == "__main__":
    main()

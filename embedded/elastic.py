"""`./quickstart add elastic`: an Elasticsearch beside the embedded platform, which it then fills.

The archive is Elastic's own, checked by the sum that is published beside it, or one that SKERRY_ELASTIC_ARCHIVE names:
a file or an address. Which one, is kept with the settings: from then on `./quickstart` brings it up with the rest.
Only `./quickstart add elastic` with another SKERRY_ELASTIC_ARCHIVE changes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from embedded import showcase
from embedded.api import Api, wait_for
from embedded.console import Console
from embedded.home import ADDED, Home
from embedded.problems import Problem
from webfront.jobs.states import ENDED_JOBS

NAME: Final = "elastic"
VERSION: Final = "8.19.8"
_ARCHIVE: Final = "https://artifacts.elastic.co/downloads/elasticsearch/elasticsearch-{version}-linux-{machine}.tar.gz"
_MACHINES: Final = {"x86_64": "x86_64", "aarch64": "aarch64"}
_FURTHER: Final = ("SKERRY_ELASTIC_JAVA_HOME", "SKERRY_ELASTIC_LIFECYCLE")
"""What may have to be said of an archive that is not Elastic's own."""
_AS_ANOTHER: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "true")
"""As the role has it run where it is root's."""
_LEAST_FREE_MB: Final = 4000
"""The archive, what is in it, and room for records."""
_LEAST_MEMORY_MB: Final = 1500
_CHUNK: Final = 2**20
_ANSWER_S: Final = 60.0
_ARRIVE_S: Final = 180.0
_APP: Final = "readings"


def choose(home: Home, console: Console) -> None:
    """Have the archive here, and note that the platform has an Elasticsearch from now on. Raises `Problem`."""
    given = os.environ.get("SKERRY_ELASTIC_ARCHIVE", "")
    if home.has_elastic and not given:
        return
    if given and "://" not in given:
        archive = Path(given).expanduser().resolve()
        if not archive.is_file():
            raise Problem(f"SKERRY_ELASTIC_ARCHIVE names no file: {archive}", "Name Elasticsearch's tar.gz.")
    else:
        archive = _fetch(home, given or _address(), console)
    if not _is_elasticsearch(archive):
        raise Problem(f"{archive} is no archive of Elasticsearch", "Name Elastic's tar.gz for Linux.")
    home.keep(
        {name: os.environ.get(name, "") for name in _FURTHER}
        | {
            "SKERRY_ELASTIC_ARCHIVE": str(archive),
            "SKERRY_ELASTIC_ARCHIVE_SUM": _sum(archive, "sha256"),
            ADDED: NAME,
        }
    )


def check(home: Home) -> None:
    """Whether the machine is large enough, and lets it run at all. Raises `Problem`."""
    if os.geteuid() == 0 and subprocess.run(_AS_ANOTHER, capture_output=True, check=False).returncode != 0:
        raise Problem(
            "Elasticsearch refuses to run as root, and root may make no user namespace here, in which it would not be",
            "Run ./quickstart as an ordinary user with a SKERRY_HOME of their own; or, in a container, allow it there "
            "(Docker: --security-opt seccomp=unconfined). The platform works without it.",
        )
    free_mb = shutil.disk_usage(home.path).free // 2**20
    if free_mb < _LEAST_FREE_MB:
        raise Problem(
            f"only {free_mb} MB are free in {home.path}; Elasticsearch takes {_LEAST_FREE_MB} MB",
            "Make room (df -h shows which disk is full). The platform works without it.",
        )
    memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    available_mb = int(memory["MemAvailable"].split()[0]) // 1024
    if available_mb < _LEAST_MEMORY_MB:
        raise Problem(
            f"only {available_mb} MB of memory are free; Elasticsearch takes {_LEAST_MEMORY_MB} MB",
            "End other programs, or use a larger machine. The platform works without it.",
        )


def fill(api: Api, console: Console) -> dict[str, Any]:
    """Use the platform a little, and wait until what was done is in Elasticsearch. Returns the use of the last days."""
    before = _cancels(api)["usage"]["succeeded"]
    with console.step("Running some jobs, of which one is to fail"):
        version = showcase.push(api, _APP)
        inputs = [showcase.example_input(_APP)] * 3 + [showcase.example_input(showcase.APP)]
        jobs = [showcase.submit(api, _APP, version, file)["id"] for file in inputs]
        api.call("POST", f"/jobs/{showcase.submit(api, _APP, version, inputs[0])['id']}/cancel")
        if not wait_for(lambda: all(_is_over(api, job) for job in jobs), _ARRIVE_S):
            raise Problem("the jobs do not end", "Look at the page Jobs in the web front.")
        api.download(f"/jobs/{jobs[0]}/outputs/{showcase.OUTPUT}")
    with console.step("Waiting until it is in Elasticsearch") as note:
        found: dict[str, Any] = {}

        def there() -> bool:
            found.update(_cancels(api))
            note(found["trouble"])
            return bool(found["source"] == "elasticsearch" and found["usage"]["succeeded"] > before)

        if not wait_for(there, _ARRIVE_S):
            raise Problem(
                f"what was done does not arrive in Elasticsearch: {found['trouble'] or 'it is not counted there'}",
                "Look at the page Activity in the web front, and at ./quickstart status.",
            )
    usage: dict[str, Any] = api.call("GET", "/usage")["usage"]
    return usage


def tell(home: Home, usage: dict[str, Any], console: Console) -> None:
    """What was used, as it is counted there, and where to look."""
    console.say(
        f"\n{usage['succeeded'] + usage['failed']} interactions are in Elasticsearch, {usage['failed']} of them failed:"
    )
    for one in usage["functions"]["most"][:8]:
        console.say(f"  {one['name']:<16} {one['succeeded'] + one['failed']:5} {one['percent']:6.1f} %")
    console.say(f"\nHow it is used:  {home.web_url}/usage")
    console.say(f"Elasticsearch:   {home.elastic_url}, as elastic with the password in {home.elastic_password_file}")


def _cancels(api: Api) -> dict[str, Any]:
    """What is counted of the rarest of these deeds."""
    return api.call("GET", "/usage", params={"span": "90d", "function": "job.cancel"})


def _is_over(api: Api, job: str) -> bool:
    return api.call("GET", f"/jobs/{job}")["job"]["state"] in ENDED_JOBS


def _address() -> str:
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise Problem(
            f"Elastic has no Elasticsearch for this machine ({platform.machine()})",
            "Set SKERRY_ELASTIC_ARCHIVE to one that runs here.",
        )
    return _ARCHIVE.format(version=VERSION, machine=machine)


def _fetch(home: Home, address: str, console: Console) -> Path:
    """The archive at an address, whole and checked, or the one that is here already."""
    archive = home.path / "cache" / address.rpartition("/")[2]
    archive.parent.mkdir(exist_ok=True)
    if archive.exists():
        return archive
    part = archive.with_name(archive.name + ".part")
    with console.step(f"Fetching {archive.name}") as note, _explained(address):
        with httpx.stream("GET", address, timeout=_ANSWER_S, follow_redirects=True) as answer, part.open("wb") as file:
            answer.raise_for_status()
            size = int(answer.headers.get("content-length") or 0)
            for chunk in answer.iter_bytes(_CHUNK):
                file.write(chunk)
                note(f"{100 * file.tell() // size} %" if size else f"{file.tell() // 2**20} MB")
        published = httpx.get(f"{address}.sha512", timeout=_ANSWER_S, follow_redirects=True).raise_for_status().text
        if published.split()[:1] != [_sum(part, "sha512")]:
            part.unlink()
            raise Problem(f"{archive.name} is not what {address}.sha512 says", "Run it again; it is fetched anew.")
    part.replace(archive)
    return archive


@contextlib.contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise Problem(
            f"Elasticsearch cannot be fetched from {address}: {error}",
            "Check the network and the proxy settings (https_proxy), or set SKERRY_ELASTIC_ARCHIVE to Elasticsearch's "
            "tar.gz: a file, or an address with its .sha512 beside it. The platform works without it.",
        ) from error


def _is_elasticsearch(archive: Path) -> bool:
    try:
        with tarfile.open(archive) as opened:
            return any(member.name.endswith("/bin/elasticsearch") for member in opened)
    except (tarfile.TarError, OSError, EOFError):
        return False


def _sum(file: Path, kind: str) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, kind).hexdigest()

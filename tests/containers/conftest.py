"""A clean checkout, a wheel of it, a registry, and the base image by its digest in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.checkouts import built, checked_out
from support.composed import Composed, docker
from support.registry import PrivateRegistry

PROJECT = Path(__file__).resolve().parents[2]
ARTIFACTS = Path(os.environ.get("SKERRY_ARTIFACTS", PROJECT / "artifacts"))
OWNER = f"{PROJECT}:containers"
MACHINE = "skerry-machine:debian-13"
"""In the place of Debian's image from Docker Hub: made by debootstrap from the same packages."""


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checked_out(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def wheel(checkout: Path) -> Path:
    return built(checkout)


@pytest.fixture(scope="session")
def image(checkout: Path, wheel: Path) -> Iterator[str]:
    """The image of this release, by a name of this machine alone. While it is there, another one takes seconds."""
    name = f"skerry-test-{os.getpid()}-release"
    docker(
        "build",
        f"--build-arg=BASE_IMAGE={MACHINE}",
        f"--build-arg=WHEEL=dist/{wheel.name}",
        f"--tag={name}",
        str(checkout),
    )
    yield name
    docker("image", "rm", name, check=False)
    # What the images were made in.
    docker("image", "prune", "--force", "--filter", "label=skerry.stage", check=False)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRegistry]:
    made = PrivateRegistry(tmp_path_factory.mktemp("registry"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def base(registry: PrivateRegistry) -> Iterator[str]:
    """The name of the base image as an administrator gives it: a tag in a registry."""
    name = f"{registry.host}/debian:13"
    docker("tag", MACHINE, name)
    docker("push", "--quiet", name)
    docker("image", "rm", name)
    yield name
    for digest in docker("image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', MACHINE).splitlines():
        if digest.startswith(registry.host):
            docker("image", "rm", digest, check=False)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; its public half is beside it, with `.pub`."""
    file = tmp_path_factory.mktemp("key") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file


@pytest.fixture(scope="module")
def controller(checkout: Path, image: str, base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    # Another address of this machine for each run, so that two may stand side by side with ports 80 and 443 each.
    number = os.getpid() % 250
    home = tmp_path_factory.mktemp("composed") / "controller"
    made = Composed(checkout, home, f"skerry-test-{os.getpid()}", f"127.0.{number}.84", base)
    made.prepare()
    try:
        made.up()
        yield made
    finally:
        kept = ARTIFACTS / "containers"
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "compose.log").write_text(made("logs", "--no-color", check=False))
        made.remove()
        # Its files belong to users that pytest's own clearing up does not know.
        shutil.rmtree(home, ignore_errors=True)

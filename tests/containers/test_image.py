"""The image of the release: small, without root, and whole: what the wheel brings is there."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from support.composed import docker

from wire import VERSION

PROJECT = Path(__file__).resolve().parents[2]
MACHINE = "skerry-machine:debian-13"
MOST_ADDED_MB = 110
CLOSED = ("--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")


def test_the_wheel_brings_pages_steps_and_playbooks(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert wheel.name == f"skerry-{VERSION}-py3-none-any.whl"
    shared = f"skerry-{VERSION}.data/data/share/skerry/"
    wanted = {str(path.relative_to(PROJECT)) for path in (PROJECT / "webfront").rglob("*") if path.is_file()}
    wanted |= {shared + str(path.relative_to(PROJECT)) for path in (PROJECT / "roles").rglob("*") if path.is_file()}
    wanted |= {shared + str(path.relative_to(PROJECT)) for path in (PROJECT / "playbooks").glob("*.yml")}
    missing = {name for name in wanted if "__pycache__" not in name} - names
    assert missing == set()
    assert {f"{shared}ansible.cfg", f"{shared}library/skerry_node.py", f"{shared}requirements/node.txt"} <= names
    assert not [name for name in names if name.startswith(("tests/", "molecule/", "benchmarks/"))]


def test_it_is_small_and_without_root(image: str) -> None:
    [told] = json.loads(docker("image", "inspect", image))
    assert told["Config"]["User"] == "8460:8460"
    assert told["Config"]["Healthcheck"]["Test"][0] == "CMD"
    [base] = json.loads(docker("image", "inspect", MACHINE))
    assert (told["Size"] - base["Size"]) / 1e6 < MOST_ADDED_MB
    assert docker("run", *CLOSED, image, "sh", "-c", "command -v pip gcc; id -un") == "skerry"


def test_its_commands_and_playbooks_can_be_read(image: str) -> None:
    assert docker("run", *CLOSED, image, "skerry", "--version") == f"skerry {VERSION}"
    assert docker("run", *CLOSED, image, "ssh", "-V") == ""
    script = (
        "cd /opt/skerry/share/skerry && ANSIBLE_LOCAL_TEMP=/tmp ansible-playbook -i localhost, --syntax-check "
        "playbooks/*.yml && "
        "python roles/skerry_code/files/pack.py --name agent --output /tmp/packed . node_scripts wire"
    )
    told = docker("run", "--tmpfs=/tmp", *CLOSED, image, "sh", "-ec", script)
    assert json.loads(told.splitlines()[-1])["changed"] is True

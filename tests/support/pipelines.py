"""Pipelines of Jenkins, read by the very Groovy that Jenkins has: 2.4, from Maven Central."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
GROOVY = "groovy-all-2.4.21.jar"
GROOVY_SHA256 = "de65260cf2070442e99882f2f3d72e7531725c1e6a257446cc0cea525c607bd0"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


class Unreadable(Exception):
    """Groovy's own words about a file that is none."""


def groovy() -> Path:
    """The compiler: kept in the tests' cache, fetched by Maven where it is not there."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/root")) / ".cache") / "skerry"
    jar = Path(os.environ.get("SKERRY_CACHE") or home) / "groovy" / GROOVY
    if not jar.exists():
        assert shutil.which("mvn"), "install the packages maven and default-jre-headless"
        beside = jar.parent / f".making-{os.getpid()}"
        artifact = "-Dartifact=org.codehaus.groovy:groovy-all:2.4.21:jar"
        command = ["mvn", "--quiet", "--batch-mode", COPY, artifact, f"-DoutputDirectory={beside}"]
        subprocess.run(command, check=True, timeout=300)
        (beside / GROOVY).replace(jar)
        beside.rmdir()
    assert hashlib.sha256(jar.read_bytes()).hexdigest() == GROOVY_SHA256, f"{jar} is not the Groovy that was asked for"
    return jar


def read(file: Path) -> Block:
    """What the pipeline in this file says. Unreadable."""
    script = PROJECT / "tests/jenkins/tree.groovy"
    done = subprocess.run(
        ["java", "-cp", str(groovy()), "groovy.ui.GroovyMain", str(script), str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode != 0:
        raise Unreadable(done.stderr)
    [pipeline] = json.loads(done.stdout)
    assert pipeline["call"] == "pipeline"
    return Block(pipeline["arguments"][0]["block"])


class Block:
    """The calls in a pair of braces."""

    def __init__(self, calls: list[dict[str, Any]]) -> None:
        self.calls = calls

    def names(self) -> list[str]:
        return [one["call"] for one in self.calls]

    def of(self, name: str) -> Block:
        """The block that this call is given; an empty one where there is no such call."""
        found = [one for one in self.calls if one["call"] == name]
        return Block(found[0]["arguments"][-1]["block"] if found else [])

    def arguments(self, name: str) -> list[list[Any]]:
        """What each call of this name is given."""
        return [one["arguments"] for one in self.calls if one["call"] == name]

    def stages(self) -> dict[str, Block]:
        return {name: Block(inside["block"]) for name, inside in self.of("stages").arguments("stage")}

    def everything(self) -> Iterator[dict[str, Any]]:
        """Every call within, however deep."""
        waiting: list[Any] = list(self.calls)
        while waiting:
            one = waiting.pop(0)
            if isinstance(one, dict):
                if "call" in one:
                    yield one
                waiting = [*one.values(), *waiting]
            elif isinstance(one, list):
                waiting = [*one, *waiting]

    def shells(self) -> list[str]:
        """The text of each `sh` step, in order."""
        return [one["arguments"][0] for one in self.everything() if one["call"] == "sh"]

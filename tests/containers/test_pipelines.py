"""The pipelines for Jenkins: what Groovy reads in them, and their commands, run in order in a fresh container."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.checkouts import checked_out
from support.composed import docker
from support.pipelines import Block, Unreadable, read
from support.registry import PrivateRegistry

from wire import VERSION

PROJECT = Path(__file__).resolve().parents[2]
OWNER = f"{PROJECT}:containers"
MACHINE = "skerry-machine:debian-13"
PASSWORD = "the-registrys-own-password"
STAGES = ["Checkout", "Tools", "Lint", "Tests", "Molecule", "Wheel", "Image", "Push", "Deploy"]
BUILDING = STAGES[2:8]
STEPS = {"archiveArtifacts", "checkout", "junit", "sh", "withCredentials"}
"""What a step may be: of the plugins that docs/operating.md lists."""
CREDENTIALS = {
    "skerry-registry": "usernamePassword",
    "skerry-vault-password": "file",
    "skerry-ssh": "sshUserPrivateKey",
}

THE_PLATFORMS_OWN = {"dispatch", "measure", "admit", "dismiss", "join", "leave"}
"""Playbooks that nobody runs by hand: the platform's plays do, or the program of a machine that joins."""


@pytest.fixture(scope="module")
def building() -> Block:
    return read(PROJECT / "Jenkinsfile")


@pytest.fixture(scope="module")
def verb() -> Block:
    return read(PROJECT / "jenkins/verb.Jenkinsfile")


def steps_of(stage: Block) -> set[str]:
    inside = [one for part in ("steps", "post") for one in stage.of(part).everything()]
    return {one["call"] for one in inside} - set(CREDENTIALS.values()) - {"always"}


def parameters(pipeline: Block) -> dict[str, str]:
    return {one["arguments"][0]["name"]: one["call"] for one in pipeline.of("parameters").calls}


def credentials(pipeline: Block) -> dict[str, str]:
    calls = [one for one in pipeline.everything() if one["call"] in CREDENTIALS.values() and one["arguments"]]
    return {one["arguments"][0]["credentialsId"]: one["call"] for one in calls}


def test_groovy_refuses_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "Jenkinsfile").write_text((PROJECT / "Jenkinsfile").read_text().rstrip().removesuffix("}"))
    with pytest.raises(Unreadable, match="expecting '}'"):
        read(tmp_path / "Jenkinsfile")


def test_a_commit_goes_through_every_stage(building: Block) -> None:
    assert building.names() == ["agent", "parameters", "triggers", "options", "stages"]
    assert list(building.stages()) == STAGES
    assert parameters(building) == {"INVENTORY": "string", "VERSION": "string", "PARTS": "string"}
    assert building.of("triggers").names() == ["pollSCM", "cron"]
    for name, stage in building.stages().items():
        assert set(stage.names()) <= {"when", "steps", "post"}, name
        assert steps_of(stage) <= STEPS, name
        condition = [one["expression"] for one in stage.of("when").of("expression").calls]
        if name in BUILDING:
            assert condition == ["(params.VERSION == )"], name
        else:
            assert condition == (["(params.INVENTORY != )"] if name == "Deploy" else []), name


def test_reports_are_published_whatever_became_of_the_tests(building: Block) -> None:
    for name, results in (("Tests", "artifacts/*.xml"), ("Molecule", "artifacts/molecule/*.xml")):
        [[given]] = building.stages()[name].of("post").of("always").arguments("junit")
        assert given["testResults"] == results
    [[wheel]] = building.stages()["Wheel"].of("steps").arguments("archiveArtifacts")
    assert "dist/*.whl" in wheel["artifacts"]


def test_secrets_come_from_jenkins_by_name_and_stand_in_no_argument(building: Block, verb: Block) -> None:
    assert credentials(building) == CREDENTIALS
    assert credentials(verb) == {name: kind for name, kind in CREDENTIALS.items() if name != "skerry-registry"}
    for stage in building.stages().values():
        given = any(one["call"] == "withCredentials" for one in stage.everything())
        for text in stage.shells():
            assert given or not re.search(r"REGISTRY_PASSWORD|VAULT|PRIVATE_KEY", text), text
            assert re.findall(r"(?:printf '%s' )?\"\$REGISTRY_PASSWORD\"", text) in (
                [],
                ["printf '%s' \"$REGISTRY_PASSWORD\""],
            )
            assert "REGISTRY_PASSWORD" not in text or text.startswith("set +x\n")


def test_the_second_pipeline_runs_every_playbook(verb: Block) -> None:
    assert parameters(verb) == {"VERB": "choice", "INVENTORY": "string", "LIMIT": "string", "CHECK": "booleanParam"}
    [choice, *_] = verb.of("parameters").calls
    assert sorted(choice["arguments"][0]["choices"]) == sorted(
        one.stem for one in (PROJECT / "playbooks").glob("*.yml") if one.stem not in THE_PLATFORMS_OWN
    )
    assert list(verb.stages()) == ["Checkout", "Tools", "Run"]


def test_operating_tells_what_a_fresh_jenkins_needs(building: Block, verb: Block) -> None:
    text = (PROJECT / "docs/operating.md").read_text()
    for name in (*CREDENTIALS, *parameters(building), *parameters(verb), "REGISTRY", "BASE_IMAGE"):
        assert f"`{name}`" in text, name
    for trigger in building.of("triggers").calls:
        assert f"`{trigger['call']}('{trigger['arguments'][0]}')`" in text


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"LIMIT": "", "CHECK": "true"}, "--check --diff --inventory inv playbooks/drain.yml"),
        ({"LIMIT": "edge 1", "CHECK": "false"}, "--limit edge 1 --inventory inv playbooks/drain.yml"),
    ],
)
def test_the_verbs_command_says_what_its_parameters_say(
    verb: Block, given: dict[str, str], wanted: str, tmp_path: Path
) -> None:
    program = tmp_path / ".venv/bin/ansible-playbook"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@"\necho "$#" >count\n')
    program.chmod(0o755)
    [command] = verb.stages()["Run"].shells()
    environment = {"PATH": os.environ["PATH"], "VERB": "drain", "INVENTORY": "inv", **given}
    done = subprocess.run(
        ["sh", "-xe", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == wanted
    assert (tmp_path / "count").read_text().strip() == "5"


# -- the commands, as Jenkins runs them ------------------------------------------------------------------------------


class Agent:
    """A fresh Debian with what docs/operating.md says that an agent has beforehand, and this machine's Docker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.variables = {"HOME": "/root", "BUILD_NUMBER": "42", "VERSION": "", "INVENTORY": "", "PARTS": "unit"}

    def sh(self, text: str, **more: str) -> str:
        """Run a step's text as Jenkins does; what it prints."""
        variables = [f"--env={name}={value}" for name, value in {**self.variables, **more}.items()]
        return docker("exec", "--workdir=/workspace", *variables, self.name, "sh", "-xe", "-c", text, timeout=600)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project with few of its tests, so that the commands themselves are what takes time."""
    folder = checked_out(tmp_path_factory.mktemp("small"))
    for kept, places in (("broker", "tests/unit"), ("validate_inventory", "molecule")):
        for one in (folder / places).iterdir():
            if one.is_dir() and one.name not in (kept, "machines"):
                shutil.rmtree(one)
    for name in ("integration", "browser", "lab", "vm", "faults", "quickstart", "containers", "releases"):
        shutil.rmtree(folder / "tests" / name, ignore_errors=True)
    shutil.rmtree(folder / "benchmarks")
    test = folder / "test"
    test.write_text(
        "".join(line for line in test.read_text().splitlines(keepends=True) if "mypy benchmarks" not in line)
    )
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=All"], check=True)
    return folder


@pytest.fixture(scope="module")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRegistry]:
    made = PrivateRegistry(tmp_path_factory.mktemp("closed"), password=PASSWORD)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def agent(repository: Path, closed_registry: PrivateRegistry, base: str) -> Iterator[Agent]:
    name = f"skerry-jenkins-agent-{os.getpid()}"
    docker(
        "run",
        "--detach",
        f"--name={name}",
        f"--label=skerry.owner={OWNER}",
        "--volume=/var/run/docker.sock:/var/run/docker.sock",
        f"--volume={repository}:/repository:ro",
        MACHINE,
        "sleep",
        "infinity",
    )
    made = Agent(name)
    made.variables |= {"REGISTRY": closed_registry.host, "BASE_IMAGE": base}
    made.variables |= {"REGISTRY_USER": closed_registry.USER, "REGISTRY_PASSWORD": PASSWORD}
    docker("exec", name, "sh", "-c", "apt-get -q update && apt-get -q -y --no-install-recommends install git")
    docker("exec", name, "git", "config", "--global", "--add", "safe.directory", "*")
    # What the step `checkout scm` does.
    docker("exec", name, "git", "clone", "--quiet", "/repository", "/workspace")
    yield made
    docker("rm", "--force", "--volumes", name)
    docker("image", "rm", f"{closed_registry.host}/skerry:{VERSION}-42", check=False)


@pytest.mark.long
def test_the_commands_run_in_order_in_a_fresh_container(
    building: Block, agent: Agent, closed_registry: PrivateRegistry
) -> None:
    printed = {}
    for name in STAGES[:-1]:
        for text in building.stages()[name].shells():
            printed[name] = agent.sh(text)
    assert "lint: 12 passed, 0 failed" in printed["Lint"]
    assert re.search(r"\d+ passed", printed["Tests"])
    reports = docker("exec", agent.name, "sh", "-c", "cd /workspace/artifacts && ls *.xml molecule/*.xml").split()
    assert reports == ["molecule/validate_inventory.xml", "unit.xml"]
    built = docker("exec", agent.name, "sh", "-c", "cd /workspace/dist && ls").split()
    assert built == [f"skerry-{VERSION}-42-py3-none-any.whl", "version"]
    assert closed_registry.tags("skerry") == [f"{VERSION}-42"]
    # Of that wheel, and no other.
    label = docker(
        "image",
        "inspect",
        "--format",
        '{{index .Config.Labels "skerry.wheel"}}',
        f"{closed_registry.host}/skerry:{VERSION}-42",
    )
    assert label == f"dist/{built[0]}"
    # No login is left behind.
    assert docker("exec", agent.name, "sh", "-c", "grep -rls auths /root/.docker /tmp; true") == ""

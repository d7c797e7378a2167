"""The verbs of a fleet, on a lab with jobs under way: measured, brought to a later release and back, copied, and
brought back from the copy when controller and database are gone.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.lab import Lab, job_ended
from support.trees import later_tree
from support.zips import zipped

from wire import VERSION

pytestmark = pytest.mark.long

LATER = "99.1.0"
BOB = "a password of bob's for tests"
COPIES = "a password of the copies for tests"
NODES = ("node-1", "node-2")

PATIENT = b"""
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("begun", flush=True)
signal.sigwait({signal.SIGUSR1})
print("called", flush=True)
open(sys.argv[sys.argv.index("--output") + 1] + "/predictions.csv", "w").write("right")
"""
QUICK = b"import sys; open(sys.argv[sys.argv.index('--output') + 1] + '/predictions.csv', 'w').write('right')"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A fleet with two nodes of three slots, and two apps: one that ends at once, one that waits to be called."""
    made = Lab(tmp_path_factory.mktemp("verbs") / "lab")
    try:
        up = made("up", "--nodes", str(len(NODES)))
        assert up.returncode == 0, up.stdout[-4000:] + up.stderr[-2000:]
        with made.api() as api:
            for name, script in (("quick", QUICK), ("patient", PATIENT)):
                manifest = f"name: {name}\nentrypoint: {name}.py\ninputs: {{required: false}}\n"
                manifest += "outputs: [predictions.csv]\nresources: {timeout_s: 1800, memory_mb: 64}\n"
                files = {"file": ("app.zip", zipped({"app.yml": manifest.encode(), f"{name}.py": script}))}
                api.post("/apps", files=files).raise_for_status()
        yield made
    finally:
        made("down")


def played(done: subprocess.CompletedProcess[str], *, fails: bool = False) -> str:
    assert (done.returncode != 0) is fails, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def changes(output: str) -> set[str]:
    return set(re.findall(r"changed=(\d+)", output))


def submit(api: httpx.Client, app: str, **more: str) -> str:
    found: str = api.post("/jobs", json={"app": app}, headers=more).raise_for_status().json()["job"]["id"]
    return found


@contextlib.contextmanager
def stream_of_jobs(lab: Lab) -> Iterator[list[str]]:
    """Jobs that are submitted one after the other, as the command does it: what gets no answer is sent again."""
    accepted: list[str] = []
    stop = threading.Event()

    def feed() -> None:
        with lab.api() as api:
            number = 0
            while not stop.is_set():
                number += 1
                while not stop.is_set():
                    with contextlib.suppress(httpx.HTTPError):
                        accepted.append(submit(api, "quick", **{"Idempotency-Key": f"stream-{id(stop)}-{number}"}))
                        break
                    stop.wait(0.5)
                stop.wait(1.5)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield accepted
    finally:
        stop.set()
        thread.join()


def versions(api: httpx.Client) -> set[str]:
    nodes = {node["agent_version"] for node in api.get("/nodes").raise_for_status().json()["nodes"]}
    return nodes | {api.get("/health").json()["version"]}


def test_nodes_measure_themselves(lab: Lab) -> None:
    for check in (("--check",), ()):
        said = played(lab.play("benchmark.yml", *check))
        for name in NODES:
            assert re.search(rf"skerry-lab-{name} +[1-9]\d+\.\d", said), said


def test_a_later_release_and_back_with_jobs_under_way(lab: Lab, tmp_path: Path) -> None:
    later = later_tree(tmp_path / "later", LATER)
    with lab.api() as api:
        patient = [submit(api, "patient") for _ in NODES]
        until = time.monotonic() + 60
        while any(api.get(f"/jobs/{job}").json()["job"]["state"] != "running" for job in patient):
            assert time.monotonic() < until
            time.sleep(0.5)
        with stream_of_jobs(lab) as stream:
            # A right at the broker that is not as it should be is declared anew on the way.
            user = f"node-skerry-lab-{NODES[0]}"
            rights = f"rabbitmqctl list_user_permissions {user} --formatter json"
            before = json.loads(lab.inside("broker", rights))
            lab.inside("broker", f"rabbitmqctl set_permissions -p skerry {user} '^$' '^skerry' '.*'")
            up = played(lab.play("upgrade.yml", tree=later))
            assert up.index("PLAY [Upgrade the controllers]") < up.index("PLAY [Upgrade the nodes]")
            assert versions(api) == {LATER}
            assert json.loads(lab.inside("broker", rights)) == before
            assert changes(played(lab.play("upgrade.yml", tree=later))) == {"0"}

            # Where the database asks for newer code, nothing is taken back.
            oldest = "mariadb --execute 'UPDATE skerry.schema_version SET number = number {}'"
            lab.inside("database", oldest.format("+ 1000"))
            refused = played(lab.play("upgrade.yml"), fails=True)
            assert "restore the copy that was made before the upgrade" in refused
            assert changes(refused) == {"0"}
            lab.inside("database", oldest.format("- 1000"))

            back = played(lab.play("upgrade.yml"))
            assert back.index("PLAY [Upgrade the nodes]") < back.index("PLAY [Take the controllers back]")
            assert versions(api) == {VERSION}

        for name in NODES:
            lab.inside(name, "pkill -USR1 -f patient[.]py")
        assert len(stream) > 10
        for job in [*patient, *stream]:
            assert job_ended(api, job, within_s=60)["state"] == "succeeded"
        for job in patient:
            found = api.get(f"/jobs/{job}").json()["job"]
            assert len(found["attempts"]) == 1, found
            said = api.get(f"/jobs/{job}/log").json()
            assert "begun" in str(said["lines"])
            assert "called" in str(said["lines"])
            assert (said["gaps"], said["complete"]) == ([], True)


def test_secrets_of_the_broker_are_made_anew_with_jobs_under_way(lab: Lab) -> None:
    def shown() -> list[str]:
        """Fingerprint and signer of the certificate that the broker shows."""
        look = "openssl s_client -connect 127.0.0.1:5671 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint {}"
        told = "openssl x509 -noout -fingerprint -in /etc/rabbitmq/ca.crt"
        return [lab.inside("broker", look.format("-sha256")), lab.inside("broker", told)]

    def passwords() -> set[str]:
        return {lab.inside(name, "cat /etc/skerry-agent/broker-password") for name in NODES}

    with lab.api() as api:
        patient = [submit(api, "patient") for _ in NODES]
        with stream_of_jobs(lab) as stream:
            (certificate, authority), before = shown(), passwords()
            played(lab.play("rotate.yml", "-e", "rotate=nodes"))
            assert not passwords() & before
            played(lab.play("rotate.yml", "-e", "rotate=certificates"))
            again = shown()
            assert again[0] != certificate
            assert again[1] == authority
            played(lab.play("rotate.yml", "-e", "rotate=authority"))
            assert not set(shown()) & {*again, certificate}
            # As the vault would give it from then on.
            hosts = lab.home / "inventory/hosts.yml"
            old = (lab.home / "secrets/rabbitmq_admin").read_text()
            hosts.write_text(hosts.read_text().replace(old, old[::-1]))
            (lab.home / "secrets/rabbitmq_admin").write_text(old[::-1])
            played(lab.play("rotate.yml", "-e", "rotate=platform"))
            assert changes(played(lab.play("site.yml"))) == {"0"}
            time.sleep(5)
        for name in NODES:
            lab.inside(name, "pkill -USR1 -f patient[.]py")
        for job in [*patient, *stream]:
            found = job_ended(api, job, within_s=60)
            assert (found["state"], len(found["attempts"])) == ("succeeded", 1), found


def test_a_platform_comes_back_from_its_copy(lab: Lab, tmp_path: Path) -> None:
    said = tmp_path / "copies.json"
    said.write_text(
        json.dumps(
            {
                "backup_repository": f"sftp:root@{lab.address('broker')}:/srv/copies",
                "backup_password": COPIES,
                "backup_ssh_key": (lab.home / "id_ed25519").read_text(),
                "backup_ssh_known_hosts": (lab.home / "known_hosts").read_text(),
            }
        )
    )
    copies = ("-e", f"@{said}")
    lab.inside("controller", "install -m 0600 -o skerry /dev/stdin /run/bob", stdin=BOB)
    lab.inside("controller", "runuser -u skerry -- skerry-admin init --admin bob --password-file /run/bob")
    with lab.api() as api:
        token = api.headers["Authorization"]
        job = submit(api, "quick")
        job_ended(api, job, within_s=60)
        api.post("/webhooks", json={"url": "https://8.8.8.8/told", "app": "patient"}).raise_for_status()
        under_way = submit(api, "patient")
    made = played(lab.play("backup.yml", *copies))
    assert "secrets.key elsewhere" in made
    assert COPIES not in made
    assert lab.inside("broker", "grep -r predictions /srv/copies || true") == ""
    refused = played(lab.play("restore.yml", *copies), fails=True)
    assert "There is a platform in use here" in refused

    # All that the copy is for: both machines, the share, and what the broker knew of the nodes.
    lab.destroy("controller", "database")
    lab.inside("broker", "rabbitmqctl stop_app && rabbitmqctl reset && rabbitmqctl start_app")
    lab.inside("controller", "rm -rf /srv/skerry/* /srv/skerry/.share-id")

    restored = played(lab.play("restore.yml", *copies))
    assert "another than then" in restored
    assert "webhook 1 of admin cannot be read with the key file" in restored
    assert changes(played(lab.play("restore.yml", *copies))) == {"0"}
    with lab.stranger() as stranger:
        assert stranger.get("/jobs", headers={"Authorization": token}).status_code == 401
    with lab.api("bob", BOB) as api:
        assert {app["name"] for app in api.get("/apps").json()["apps"]} == {"quick", "patient"}
        until = time.monotonic() + 60
        while {node["state"] for node in api.get("/nodes").json()["nodes"]} != {"active"}:
            assert time.monotonic() < until, api.get("/nodes").text
            time.sleep(1)
        assert job_ended(api, submit(api, "quick"), within_s=60)["state"] == "succeeded"
        assert api.get(f"/jobs/{job}/outputs/predictions.csv").text == "right"
        # What was under way when the copy was made is tried once more, and its first try changes nothing any more.
        until = time.monotonic() + 90
        while (found := api.get(f"/jobs/{under_way}").json()["job"])["state"] != "running":
            assert time.monotonic() < until, found
            time.sleep(1)
        api.post(f"/jobs/{under_way}/cancel").raise_for_status()
        assert job_ended(api, under_way, within_s=60)["state"] == "cancelled"

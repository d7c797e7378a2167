"""The share over NFS: who may mount it, who is nobody there, and what a power cut costs; by the kernel, by nfs-ganesha.

The tests build on each other, in this order: a machine takes half a minute to boot on an emulated processor.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from typing import Any

import pytest
from vm.conftest import PROJECT, SHARE_ID

OWNER = 60590
MOUNTED = "systemctl is-active --quiet skerry-share.service && mountpoint -q /srv/skerry"
WITHIN_S = 30.0
BY_THE_KERNEL = pytest.mark.parametrize("fleet", ["kernel"], indirect=True)
BY_GANESHA = pytest.mark.parametrize("fleet", ["ganesha"], indirect=True)


def within(seconds: float, machine: Any, script: str) -> float:
    """How long it takes until the script goes well there, in seconds."""
    begun = time.monotonic()
    while machine.run(script).returncode != 0:
        taken = time.monotonic() - begun
        assert taken < seconds, (
            f"{script}: not after {taken:.0f} s\n"
            + machine.run("systemctl status --no-pager skerry-share.service; journalctl -n 30 --no-pager").stdout
        )
        time.sleep(0.5)
    return time.monotonic() - begun


def as_owner(script: str) -> str:
    return f"setpriv --reuid={OWNER} --regid={OWNER} --clear-groups sh -ec '{script}'"


def test_the_file_server_converges_twice(fleet: Any) -> None:
    assert fleet.converge("server") > 5
    assert fleet.converge("server") == 0
    fleet.files.check(
        f"cd /srv/skerry; {as_owner('umask 077; mkdir apps inputs results; echo secret > inputs/one')};"
        f"printf '{SHARE_ID}\\n' > .share-id; chown {OWNER}:{OWNER} .share-id; chmod 0444 .share-id"
    )
    # No port mapper.
    assert not fleet.files.answers(111)


def test_a_machine_that_is_not_exported_to_is_refused(fleet: Any) -> None:
    fleet.files.check("skerry-exports add another 172.31.255.1")
    refused = fleet.edge.run(f"mount -t nfs4 -o vers=4.2,retry=0 {fleet.files.address}:/srv/skerry /mnt")
    assert refused.returncode != 0
    # What is not exported to it is not there at all, for it.
    assert "denied" in refused.stderr or "No such file" in refused.stderr, refused.stderr


def test_a_node_that_was_added_mounts_it(fleet: Any) -> None:
    fleet.files.check(f"skerry-exports add edge {fleet.edge.address}")
    assert fleet.converge("client") > 2
    options = fleet.edge.check("grep ' /srv/skerry nfs4 ' /proc/self/mounts")
    for option in ("vers=4.2", "hard", "nosuid", "nodev", "noexec", "lookupcache=pos", "sec=sys"):
        assert option in options
    assert fleet.edge.check("cat /srv/skerry/.share-id") == SHARE_ID
    for version in ("3", "4.0", "4.1"):
        refused = fleet.edge.run(f"mount -t nfs -o vers={version},retry=0 {fleet.files.address}:/srv/skerry /mnt")
        assert refused.returncode != 0, version


def test_root_of_the_node_is_nobody_on_it(fleet: Any) -> None:
    for refused in ("cat /srv/skerry/inputs/one", "touch /srv/skerry/mine", "chown 0 /srv/skerry/results"):
        done = fleet.edge.run(refused)
        assert done.returncode != 0, refused
        assert "denied" in done.stderr or "not permitted" in done.stderr, done.stderr
    assert fleet.edge.check(as_owner("cat /srv/skerry/inputs/one")) == "secret"
    fleet.edge.check(as_owner("umask 077; mkdir /srv/skerry/results/.j; echo whole > /srv/skerry/results/.j/out"))
    assert fleet.files.check("stat -c %u:%a /srv/skerry/results/.j/out") == f"{OWNER}:600"


def test_an_app_cannot_speak_for_the_owner(fleet: Any) -> None:
    # From a port that everybody may take, as an app's own client would. Not beside the share, or the kernel would use
    # that connection.
    fleet.edge.check("systemctl stop skerry-share.service; ! mountpoint -q /srv/skerry || umount /srv/skerry")
    done = fleet.edge.run(
        f"mount -t nfs4 -o vers=4.2,retry=0,noresvport {fleet.files.address}:/srv/skerry /mnt"
        f" && {as_owner('cat /mnt/inputs/one')}"
    )
    fleet.edge.run("umount -l /mnt")
    assert done.returncode != 0
    assert "secret" not in done.stdout
    fleet.edge.check("systemctl start skerry-share.service")
    within(WITHIN_S, fleet.edge, MOUNTED)


def test_what_was_looked_for_in_vain_is_seen_at_once(fleet: Any) -> None:
    fleet.edge.check(as_owner("! test -e /srv/skerry/results/late && ls /srv/skerry/results"))
    fleet.files.check(as_owner("mkdir /srv/skerry/results/late; echo whole > /srv/skerry/results/late/out"))
    assert fleet.edge.check(as_owner("cat /srv/skerry/results/late/out")) == "whole"


def test_a_job_runs_on_it_and_its_results_are_whole_to_the_controller(fleet: Any) -> None:
    # As the web front lays them there, closed to everyone but the owner.
    source = "import os, shutil, sys; shutil.copy(sys.argv[2], sys.argv[4] + '/out.csv'); print(os.getuid())"
    version = hashlib.sha256(source.encode()).hexdigest()
    rows = "".join(f"{number},{number * number}\n" for number in range(2000))
    put = f"umask 077; cd /srv/skerry; mkdir -p apps/{version} inputs/job"
    fleet.files.check(
        f"{as_owner(put)}; cd /srv/skerry; cat > apps/{version}/main.py <<'END'\n{source}\nEND\n"
        f"cat > inputs/job/in.csv <<'END'\n{rows}END\n"
        f"for file in apps/{version}/main.py inputs/job/in.csv; do chown {OWNER}:{OWNER} $file; chmod 0600 $file; done"
    )
    code = subprocess.run(
        ["tar", "-c", "wire", "node_scripts", "-C", "tests/vm", "job.py"], cwd=PROJECT, capture_output=True, check=True
    ).stdout
    unpack = "mkdir -p /root/code /var/lib/skerry-agent && tar -C /root/code -x"
    subprocess.run([*fleet.edge.ssh(), f"root@{fleet.edge.address}", unpack], input=code, check=True, timeout=120)
    done = fleet.edge.check(
        "cd /root/code; PYTHONPATH=. /opt/agent-venv/bin/python job.py"
        f" /srv/skerry {version} inputs/job/in.csv 2>/root/job.log || {{ cat /root/job.log; exit 1; }}",
        within_s=400,
    )
    ended = json.loads(done.splitlines()[-1])
    assert ended["cause"] == "ok", ended
    # The controller, which is told of the end in that moment, finds all of it, and nothing half made beside it.
    digest = hashlib.sha256(rows.encode()).hexdigest()
    assert ended["outputs"][0]["sha256"] == digest
    result = "/srv/skerry/results/job/1/out.csv"
    assert fleet.files.check(f"sha256sum {result}; stat -c %u {result}; ls -A /srv/skerry/results/job").split() == [
        digest, result, str(OWNER), "1",
    ]  # fmt: skip


def test_one_that_is_taken_off_reads_nothing_more(fleet: Any) -> None:
    fleet.files.check("skerry-exports remove edge")
    within(10, fleet.edge, f"! {as_owner('timeout 5 cat /srv/skerry/inputs/one')}")
    fleet.files.check(f"skerry-exports add edge {fleet.edge.address}")
    within(WITHIN_S, fleet.edge, as_owner("timeout 5 cat /srv/skerry/inputs/one"))


@BY_GANESHA
def test_what_is_written_while_the_server_ends_is_written_when_it_is_back(fleet: Any) -> None:
    script = "exec >/srv/skerry/results/long; for i in $(seq 200); do echo $i; sync /srv/skerry/results/long; done"
    fleet.edge.check(f"systemd-run --unit=long --expand-environment=no {as_owner(script)}")
    within(WITHIN_S, fleet.edge, as_owner("grep -q 20 /srv/skerry/results/long"))
    fleet.files.check("systemctl kill --signal=KILL nfs-ganesha")
    begun = time.monotonic()
    within(60, fleet.edge, "! systemctl is-active --quiet long")
    print(f"all of it {time.monotonic() - begun:.0f} s after the server ended")
    assert fleet.files.check("cat /srv/skerry/results/long").split() == [str(number) for number in range(1, 201)]


@BY_THE_KERNEL
def test_after_a_power_cut_the_share_may_come_up_last(fleet: Any) -> None:
    fleet.edge.power_off()
    fleet.files.power_off()
    fleet.edge.start()
    fleet.edge.wait()
    time.sleep(15)
    assert fleet.edge.check("systemctl is-active skerry-share.service || true") == "activating"
    fleet.files.start()
    fleet.files.wait()
    begun = time.monotonic()
    while not fleet.files.answers(2049):
        time.sleep(0.2)
        assert time.monotonic() - begun < WITHIN_S
    taken = within(WITHIN_S, fleet.edge, MOUNTED)
    print(f"mounted {taken:.0f} s after the file server answered")
    assert fleet.edge.check(as_owner("cat /srv/skerry/inputs/one")) == "secret"
    # It lets something new be opened as soon as the grace for what was open before is over.
    taken = within(WITHIN_S, fleet.edge, as_owner('timeout 20 sh -c "echo x > /srv/skerry/results/after"'))
    print(f"written {taken:.0f} s after that")


@BY_THE_KERNEL
def test_a_node_switched_off_and_on_mounts_it_by_itself(fleet: Any) -> None:
    fleet.edge.power_off()
    fleet.edge.start()
    fleet.edge.wait()
    taken = within(WITHIN_S, fleet.edge, MOUNTED)
    print(f"mounted {taken:.0f} s after it let anybody in")

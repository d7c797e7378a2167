"""Copies on a machine: stored by the command and the timer, encrypted, kept, and brought back where they were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import testinfra
from support.converge import Converge

FILES = {
    "/var/lib/skerry/ssh/id_ed25519",
    "/srv/skerry/.share-id",
    "/srv/skerry/apps/one",
    "/srv/skerry/results/one",
    "/var/lib/skerry-backup/copy/database.sqlite",
}


@pytest.fixture
def root(host: Any) -> Iterator[Any]:
    """A machine of the scenario, on which all is done as root."""
    with host.sudo():
        yield host


def run(host: Any, *words: str, fails: bool = False) -> str:
    done = host.run(f"/usr/local/sbin/skerry-backup {' '.join(words)}")
    assert (done.rc != 0) is fails, done.stdout + done.stderr
    return str(done.stdout + done.stderr)


def restic(host: Any, words: str) -> str:
    settings = "set -a; . /etc/skerry-backup/environment; set +a; RESTIC_PASSWORD_FILE=/etc/skerry-backup/password"
    return str(host.check_output(f"sh -c '{settings} restic {words}'"))


def test_a_copy_has_the_platforms_files_and_no_key_for_secrets(root: Any) -> None:
    answer = json.loads(run(root, "run"))
    assert answer["warnings"] == []
    files = {line for line in restic(root, "ls latest").splitlines() if not root.file(line).is_directory}
    assert files >= FILES
    assert not any(name.endswith(("secrets.key", "skerry.sqlite")) for name in files)
    # Nothing readable lies in the repository, and nothing of the copy beside it.
    assert root.run("grep -rq id_ed25519 /mnt/copies").rc == 1
    assert not root.file("/var/lib/skerry-backup/copy").exists
    assert root.file("/etc/skerry-backup/password").mode == 0o600


def test_the_timer_does_the_same_and_old_copies_go(root: Any) -> None:
    assert root.service("skerry-backup.timer").is_enabled
    for _ in range(4):
        root.check_output("systemctl start skerry-backup.service")
    assert len(json.loads(restic(root, "snapshots --json"))) == 3
    run(root, "verify")


def test_what_is_gone_comes_back_to_its_place_as_the_platforms(root: Any) -> None:
    run(root, "run")
    root.check_output("rm -rf /var/lib/skerry/ssh /srv/skerry/apps/one")
    root.check_output("sh -c 'echo newer > /srv/skerry/apps/two; mv /var/lib/skerry/secrets.key /root/'")
    # On another machine the platform's user may have another number.
    root.check_output("usermod -u 4711 skerry")
    root.check_output("chown -R skerry /var/lib/skerry /srv/skerry")
    run(root, "fetch", "latest", "database")
    run(root, "fetch", "latest", "files")
    for name in FILES:
        assert root.file(name).exists, name
        assert root.file(name).uid == 4711, name
    assert root.file("/srv/skerry/apps/two").content_string == "newer\n"
    assert not root.file("/var/lib/skerry/secrets.key").exists
    assert root.file("/var/lib").user == "root"


def test_a_run_that_was_killed_leaves_nothing_that_stops_the_next(root: Any) -> None:
    root.run("timeout -s KILL 0.3 /usr/local/sbin/skerry-backup run")
    run(root, "run")
    assert run(root, "look") == ""


def test_a_disk_that_is_away_gets_no_second_repository(root: Any) -> None:
    root.check_output("mv /mnt/copies/skerry /mnt/copies/away")
    assert "there is no repository at /mnt/copies/skerry" in run(root, "run", fails=True)
    assert "is gone. Mount its disk" in run(root, "begin", fails=True)
    assert not root.file("/mnt/copies/skerry/config").exists
    root.check_output("rm -rf /mnt/copies/skerry && mv /mnt/copies/away /mnt/copies/skerry")
    root.check_output("sh -c 'cp /etc/skerry-backup/password /root/ && echo another > /etc/skerry-backup/password'")
    assert "cannot be used" in run(root, "look", fails=True)
    root.check_output("cp /root/password /etc/skerry-backup/password")
    run(root, "look")


def test_check_mode_tells_what_was_changed_by_hand_and_shows_no_secret(root: Any) -> None:
    root.check_output("sh -c 'echo >> /etc/skerry-backup/environment; echo >> /usr/local/sbin/skerry-backup'")
    told = Converge()("--check", "--diff")
    assert told.changed == ["Write restic's settings", "Write the command"]
    assert "the-password-of-the-copies" not in told.output
    Converge()()
    assert Converge()().changed == []


def test_a_bucket_takes_copies_and_gives_them_back(root: Any) -> None:
    keeper = testinfra.get_host("ansible://backup-13", ansible_inventory=root.backend.ansible_inventory)
    address = keeper.ansible.get_variables()["ansible_host"]
    given = {
        "backup_repository": f"s3:http://{address}:5000/{{{{ inventory_hostname }}}}",
        "backup_environment": {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a $ecret key's"},
    }
    Converge()("-e", json.dumps(given))
    try:
        run(root, "run")
        root.check_output("rm -rf /srv/skerry/apps/one")
        run(root, "fetch", "latest", "files")
        assert root.file("/srv/skerry/apps/one").exists
        run(root, "verify")
        assert len(json.loads(restic(root, "snapshots --json"))) == 1
    finally:
        Converge()()


def test_what_cannot_work_is_refused() -> None:
    refuse = Converge().refused
    assert "of your own" in refuse("-e", "backup_password=replace-with-another-one")
    assert "needs backup_ssh_key" in refuse("-e", "backup_repository=sftp:copies@192.0.2.7:/srv")
    assert "without a password in it" in refuse("-e", "backup_repository=rest:https://ada:secret@192.0.2.7/")

"""What an administrator gets: every fault in one go, before any machine is reached, and no secret among the words."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def converge(*options: str) -> subprocess.CompletedProcess[str]:
    playbook = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "converge.yml"
    command = ["ansible-playbook", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"], str(playbook), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_no_machine_is_reached() -> None:
    done = converge("--extra-vars=ansible_host=192.0.2.1", "--extra-vars=ansible_ssh_timeout=1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_faults_are_told_at_once_and_no_secret() -> None:
    done = converge(
        "--extra-vars=rabbitmq_admin_password=hush",
        "--extra-vars=webfront_database_url=",
        "--extra-vars={webfront_secure_cookies: true}",
        "--extra-vars=webfront_admin_password=replace-with-another",
    )
    told = done.stdout + done.stderr
    assert done.returncode != 0, told
    for words in ("at least 16 characters", "SQLite file", "still the example's"):
        assert words in told
    assert "hush" not in told
    assert "replace-with-another" not in told

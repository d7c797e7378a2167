"""What an administrator asks of the next run: it shows what differs, mends that, and refuses what cannot work.

On one machine: a run takes its time, and does the same on both.
"""

from __future__ import annotations

import json
from typing import Any

from support.converge import Converge

testinfra_hosts = ["ansible://kibana-13"]
LIMIT = "--limit=kibana-13"
CONFIGURATION = "Write Kibana's settings"


def test_a_planted_difference_is_shown_without_a_secret_and_mended(host: Any) -> None:
    with host.sudo():
        keys = host.check_output("cat /etc/kibana/keys.env")
        host.run_expect([0], "sed -i 's/^telemetry.optIn: false/telemetry.optIn: true/' /etc/kibana/kibana.yml")
        host.run_expect([0], "sed -i s/TOKEN=.*/TOKEN=planted/ /etc/kibana/elastic.env")
    told = Converge()("--check", "--diff", LIMIT)
    assert told.changed == ["Write how Kibana signs in to Elasticsearch", CONFIGURATION]
    assert "+telemetry.optIn: false" in told.output
    assert "planted" not in told.output
    assert Converge()(LIMIT).changed == told.changed
    assert Converge()("--check", LIMIT).changed == []
    with host.sudo():
        assert host.check_output("cat /etc/kibana/keys.env") == keys


def test_the_whole_role_can_say_what_it_would_do(host: Any) -> None:
    """Where Kibana is not installed: nothing is fetched, and nothing asked of a Kibana that is not there."""
    told = Converge()("--check", '--extra-vars={"scenario_parts": ["main"]}', LIMIT)
    assert "Write the package repository" in told.changed
    with host.sudo():
        host.run_expect([1], "test -e /etc/apt/sources.list.d/elastic.sources")


def test_a_kibana_that_is_anothers_is_left_alone() -> None:
    given = {"scenario_parts": ["main"], "kibana_install_method": "running", "kibana_import": False}
    given["kibana_url"] = "https://id.kb.example.cloud.es.io"
    assert Converge()(f"--extra-vars={json.dumps(given)}", LIMIT).changed == []


def test_a_container_without_docker_is_refused_in_words() -> None:
    """The other refusals need no machine: tests/unit/ansible/test_kibana_role.py."""
    given = {"kibana_install_method": "container", "kibana_version": "9.1.4"}
    assert "has no /usr/bin/docker" in Converge().refused("--check", f"--extra-vars={json.dumps(given)}", LIMIT)

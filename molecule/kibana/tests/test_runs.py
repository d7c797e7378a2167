"""What an administrator asks of the next run: it shows what differs, mends that, and refuses what cannot work.

On one machine: a run takes its time, and does the same on both.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
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
        host.run_expect([1], "test -e /etc/apt/sources.list.d/elastic-kibana.sources")


def test_a_kibana_that_is_anothers_is_left_alone() -> None:
    given = {"scenario_parts": ["main"], "kibana_install_method": "running", "kibana_import": False}
    given["kibana_url"] = "https://id.kb.example.cloud.es.io"
    assert Converge()(f"--extra-vars={json.dumps(given)}", LIMIT).changed == []


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no Elasticsearch": ({"kibana_elastic_url": ""}, "Set kibana_elastic_url"),
    "Elasticsearch without a scheme": ({"kibana_elastic_url": "10.0.0.7:9200"}, "Set kibana_elastic_url"),
    "two ways to sign in": ({"kibana_elastic_password": "another"}, "one of kibana_elastic_token and"),
    "the superuser": ({"kibana_elastic_user": "elastic"}, "may not be elastic"),
    "beyond the machine without TLS": ({"kibana_tls": False, "kibana_address": "0.0.0.0"}, "Leave kibana_tls on"),
    "a certificate without its key": ({"kibana_tls_certificate": "-----BEGIN"}, "kibana_tls_key, or neither"),
    "a slash at the path's end": ({"kibana_base_path": "/kibana/"}, "without a slash at its end"),
    "an address without the path": (
        {"kibana_base_path": "/kibana", "kibana_public_url": "https://skerry.example"},
        "with that path at its end",
    ),
    "a short key": ({"kibana_encryption_key": "short"}, "at least 32 characters"),
    "an archive of no version": ({"kibana_install_method": "archive"}, "set kibana_version"),
    "a version of before": ({"kibana_version": "8.18.2", "kibana_major": 8}, "8.19 or 9"),
    "a version of the other major": ({"kibana_version": "8.19.3"}, "of kibana_major"),
    "nobody's Kibana": ({"kibana_install_method": "running"}, "with running kibana_url"),
    "a container without Docker": (
        {"kibana_install_method": "container", "kibana_version": "9.1.4"},
        "has no /usr/bin/docker",
    ),
    "nobody who imports": ({"kibana_admin_password": ""}, "so that the dashboards can be imported"),
    "a space by its title": ({"kibana_space": "My space"}, "as Kibana has it in addresses"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_setting_that_cannot_work_is_refused_in_words(words: str) -> None:
    given, said = REFUSED[words]
    refusal = Converge().refused("--check", f"--extra-vars={json.dumps(given)}", LIMIT)
    assert said in " ".join(refusal.split())

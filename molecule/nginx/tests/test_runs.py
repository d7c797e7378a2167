"""What an administrator asks of the next run: it shows what differs, mends that, and never breaks what works.

On one machine: a run takes its time, and does the same on both.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.converge import Converge
from support.trust import trust, trust_in

testinfra_hosts = ["ansible://proxy-13"]
LIMIT = "--limit=proxy-13"
CONFIGURATION = "Write nginx's configuration"
CERTIFICATE = "Keep a certificate of the machine's own authority"
RELOAD = "Have nginx read its settings"


def pid(host: Any) -> str:
    """Of nginx's first process, which a reload leaves alone."""
    return str(host.check_output("cat /run/nginx.pid"))


def test_a_planted_difference_is_shown_and_mended_and_nginx_runs_on(host: Any, client: httpx.Client) -> None:
    before = pid(host)
    with host.sudo():
        host.run_expect([0], "sed -i 's/server_tokens off/server_tokens on/' /etc/nginx/nginx.conf")
    told = Converge()("--check", "--diff", LIMIT)
    assert told.changed == [CONFIGURATION, RELOAD]
    assert "+    server_tokens off;" in told.output
    assert "server_tokens on" in host.check_output("cat /etc/nginx/nginx.conf")
    assert Converge()(LIMIT).changed == [CONFIGURATION, RELOAD]
    assert client.get("/").status_code == 200
    assert pid(host) == before


def test_a_run_that_was_cut_off_before_the_reload_is_made_up_for(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "touch /etc/nginx/nginx.conf")
    assert Converge()("--check", LIMIT).changed == [RELOAD]


def test_a_broken_setting_leaves_what_works(host: Any, client: httpx.Client) -> None:
    before = host.check_output("sha256sum /etc/nginx/nginx.conf")
    assert "failed to validate" in Converge().refused("--extra-vars=nginx_sign_in_per_minute=0", LIMIT)
    assert host.check_output("sha256sum /etc/nginx/nginx.conf") == before
    assert client.get("/").status_code == 200
    with host.sudo():
        host.run_expect([0], "nginx -t -q")


def test_an_own_certificate_is_renewed_under_its_authority(host: Any, address: str) -> None:
    trusted = trust(host)
    # What is valid for 365 days has fewer than 370 left.
    due = '--extra-vars={"nginx_tls_days": 371, "nginx_tls_renew_days": 370}'
    assert Converge()("--check", due, LIMIT).changed == [CERTIFICATE, RELOAD]
    assert Converge()(due, LIMIT).changed == [CERTIFICATE, RELOAD]
    assert httpx.get(f"https://{address}/", verify=trusted).status_code == 200


def test_an_authority_is_rotated(host: Any, address: str) -> None:
    before = trust(host)
    assert Converge()("--extra-vars=nginx_tls_rotate=authority", LIMIT).changed == [CERTIFICATE, RELOAD]
    assert httpx.get(f"https://{address}/", verify=trust(host)).status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://{address}/", verify=before)


def test_a_given_certificate_is_used_and_one_with_another_key_refused(host: Any, address: str, tmp_path: Path) -> None:
    made = host.check_output(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout given.key -out given.crt -days 9"
        " -subj /CN=given -addext subjectAltName=IP:%s 2>/dev/null; cat given.crt",
        address,
    )
    key = host.check_output("cat given.key")
    another = host.check_output("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
    certificate, vault = tmp_path / "given.crt", tmp_path / "vault.json"
    certificate.write_text(made)
    vault.write_text(json.dumps({"nginx_tls_certificate": str(certificate), "nginx_tls_key": another}))
    assert another.splitlines()[1] not in Converge().refused(f"--extra-vars=@{vault}", LIMIT)
    assert httpx.get(f"https://{address}/", verify=trust(host)).status_code == 200

    vault.write_text(json.dumps({"nginx_tls_certificate": str(certificate), "nginx_tls_key": key}))
    assert key.splitlines()[1] not in Converge()("--diff", f"--extra-vars=@{vault}", LIMIT).output
    assert httpx.get(f"https://{address}/", verify=trust_in(made)).status_code == 200

"""What the role writes for Kibana: its settings, secrets and certificate, and the walls of its unit."""

from __future__ import annotations

import json
from typing import Any

import yaml

testinfra_hosts = ["ansible://kibana-13", "ansible://kibana-12"]

# What a process may do behind the unit's walls, as it finds out by trying.
PROBE = """
import json, mmap, os, pathlib, socket

def tried(work):
    try:
        work()
    except (OSError, PermissionError) as error:
        return type(error).__name__
    return "may"

found = {
    "names": sorted(name for name in os.environ if name.startswith("SKERRY_")),
    "secrets": tried(lambda: open("/etc/kibana/keys.env").read()),
    "settings": tried(lambda: open("/etc/kibana/kibana.yml").read()),
    "system": tried(lambda: open("/etc/planted", "w")),
    "home": tried(lambda: os.listdir("/root")),
    "code": tried(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)),
    "port": tried(lambda: socket.socket().bind(("127.0.0.1", 443))),
    "user": os.getuid(),
    "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapBnd")][0],
}
pathlib.Path("/var/lib/kibana/found.json").write_text(json.dumps(found))
"""
UNIT = """
[Service]
Type=oneshot
User=kibana
Group=kibana
ExecStart=/usr/bin/python3 /srv/probe.py
"""


def name_of(host: Any) -> str:
    return str(host.ansible.get_variables()["inventory_hostname"])


def settings(host: Any) -> dict[str, Any]:
    with host.sudo():
        found: dict[str, Any] = yaml.safe_load(host.file("/etc/kibana/kibana.yml").content_string)
    return found


def test_the_settings_are_those_of_the_inventory(host: Any) -> None:
    found = settings(host)
    assert found["elasticsearch.hosts"] == ["https://10.0.0.7:9200", "https://10.0.0.8:9200"]
    assert found["elasticsearch.ssl.verificationMode"] == "full"
    assert found["logging.appenders.default"] == {"type": "console", "layout": {"type": "json"}}
    assert found["server.ssl.enabled"] is True
    assert found["server.ssl.certificate"] == found["server.ssl.key"] == "/etc/kibana/tls/server.pem"
    if name_of(host) == "kibana-13":
        assert (found["server.host"], found["server.port"]) == ("127.0.0.1", 5601)
        assert found["elasticsearch.serviceAccountToken"] == "${SKERRY_ELASTIC_TOKEN}"
        assert not {"server.basePath", "server.publicBaseUrl", "elasticsearch.username"} & set(found)
        assert found["logging.root.level"] == "info"
    else:
        assert (found["server.host"], found["server.port"]) == ("0.0.0.0", 443)
        assert (found["server.basePath"], found["server.rewriteBasePath"]) == ("/kibana", True)
        assert found["server.publicBaseUrl"] == "https://skerry.example/kibana"
        assert found["elasticsearch.username"] == "kibana_system"
        assert found["elasticsearch.password"] == "${SKERRY_ELASTIC_PASSWORD}"
        assert found["elasticsearch.ssl.certificateAuthorities"] == ["/etc/kibana/elastic-ca.crt"]
        assert (found["server.shutdownTimeout"], found["logging.root.level"]) == ("20s", "warn")


def test_what_is_secret_root_alone_reads(host: Any) -> None:
    expected = {
        "/etc/kibana": ("root", "kibana", 0o750),
        "/etc/kibana/kibana.yml": ("root", "kibana", 0o640),
        "/etc/kibana/elastic.env": ("root", "root", 0o600),
        "/etc/kibana/keys.env": ("root", "root", 0o600),
        "/etc/kibana/tls/server.pem": ("root", "kibana", 0o640),
        "/etc/kibana/tls/ca.crt": ("root", "root", 0o644),
        "/var/lib/kibana": ("kibana", "kibana", 0o750),
    }
    with host.sudo():
        found = {path: host.file(path) for path in expected}
        assert {path: (one.user, one.group, one.mode) for path, one in found.items()} == expected
        secrets = [line.partition("=")[2] for path in ("elastic.env", "keys.env")
                   for line in host.file(f"/etc/kibana/{path}").content_string.splitlines() if "=" in line]  # fmt: skip
        text = host.file("/etc/kibana/kibana.yml").content_string
    assert len(secrets) == len(set(secrets)) == 4
    assert min(map(len, secrets)) >= 29
    assert not [secret for secret in secrets if secret in text]


def test_the_certificate_is_for_its_key_and_of_its_authority(host: Any) -> None:
    with host.sudo():
        host.run_expect([0], "openssl verify -CAfile /etc/kibana/tls/ca.crt /etc/kibana/tls/server.pem")
        text = host.check_output("openssl x509 -in /etc/kibana/tls/server.pem -noout -text")
        host.run_expect([0], "runuser -u kibana -- test -r /etc/kibana/tls/server.pem")
    if name_of(host) == "kibana-13":
        assert "DNS:kibana-13" in text
        assert "IP Address:127.0.0.1" in text
    else:
        assert "CN = given" in text or "CN=given" in text


def test_what_runs_behind_the_walls_has_the_secrets_and_little_else(host: Any) -> None:
    """The role's own unit, with another program in it than Kibana."""
    with host.sudo():
        host.run_expect([0], "mkdir -p /etc/systemd/system/probe.service.d")
        for path, content in (("/srv/probe.py", PROBE), ("/etc/systemd/system/probe.service", UNIT)):
            host.run_expect([0], "printf %%s %s > %s", content, path)
        # What is restarted whatever becomes of it is no probe.
        host.run_expect([0], "sed 's/^Restart=.*//' /etc/systemd/system/kibana.service.d/skerry.conf"
                             " > /etc/systemd/system/probe.service.d/skerry.conf")  # fmt: skip
        host.run_expect([0], "systemctl daemon-reload && systemctl start probe.service")
        found = json.loads(host.file("/var/lib/kibana/found.json").content_string)
        user = int(host.check_output("id -u kibana"))
        host.run_expect([0], "rm -r /etc/systemd/system/probe.service* /srv/probe.py /var/lib/kibana/found.json")
    own = name_of(host) == "kibana-13"
    assert found["names"] == sorted([
        "SKERRY_ELASTIC_TOKEN" if own else "SKERRY_ELASTIC_PASSWORD",
        "SKERRY_OBJECTS_KEY", "SKERRY_REPORTING_KEY", "SKERRY_SECURITY_KEY",
    ])  # fmt: skip
    assert found["secrets"] == found["home"] == "PermissionError"
    assert found["system"] == "OSError"  # read-only
    assert found["settings"] == found["code"] == "may"
    assert found["user"] == user
    assert found["port"] == ("PermissionError" if own else "may")
    assert int(found["capabilities"], 16) == (0 if own else 1 << 10)

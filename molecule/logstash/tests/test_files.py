"""What a Logstash that is there finds when the role has been: its pipeline, its environment, whom to trust.

That it runs by them, nothing here can show (roles/logstash/README.md).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.converge import Converge

PIPELINE = Path(__file__).resolve().parents[3] / "logstash/pipeline"
FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SECRETS = ("the-password-of-logstash", "the-key-of-logstash")
DIFFERENCES = [
    "Write the pipeline",
    "Remove files that are no part of the pipeline",
    "Make the store of the brokers' authorities",
    "Write what the pipeline takes from the environment",
    "Add the pipeline to those that are there",
]
# A client of Java's, as the plugin's own: it trusts what is in the store, and compares no name.
CLIENT = """
import java.io.*; import java.security.*; import javax.net.ssl.*;
public class Client {
  public static void main(String[] given) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = new FileInputStream(given[0])) { store.load(in, "no-secret-in-it".toCharArray()); }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLSv1.2");
    context.init(null, trust.getTrustManagers(), null);
    try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", 5671)) {
      socket.startHandshake();
      System.out.println("trusted");
    } catch (SSLHandshakeException refusal) { System.out.println(refusal.getMessage()); }
  }
}
"""


@pytest.fixture
def name(host: Any) -> str:
    return str(host.ansible.get_variables()["inventory_hostname"])


@pytest.fixture
def reads_queue(name: str) -> bool:
    return name == "logstash-13"


def environment(host: Any) -> dict[str, str]:
    with host.sudo():
        text = host.check_output("cat /etc/logstash/skerry.env")
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def test_the_pipeline_is_the_projects_own(host: Any, reads_queue: bool) -> None:
    wanted = {file.name: file.read_text() for file in PIPELINE.iterdir()}
    if not reads_queue:
        del wanted["10-input-broker.conf"]
    with host.sudo():
        there = host.check_output("ls /etc/logstash/skerry").splitlines()
        assert there == sorted(wanted)
        for file, text in wanted.items():
            assert host.check_output("cat %s", f"/etc/logstash/skerry/{file}") == text.strip()


def test_every_variable_of_the_pipeline_is_in_the_environment(host: Any) -> None:
    with host.sudo():
        asked = host.check_output("grep -rhoP '\\$\\{\\K[A-Z_0-9]+' /etc/logstash/skerry | sort -u").splitlines()
    assert len(asked) > 10
    assert set(asked) <= set(environment(host))


def test_the_environment_says_where_broker_and_elasticsearch_are(host: Any, reads_queue: bool) -> None:
    told = environment(host)
    memory_mb = int(host.check_output("awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo"))
    heap = min(4096, max(512, memory_mb // 4 // 128 * 128))
    assert told["LS_JAVA_OPTS"] == f"-Xms{heap}m -Xmx{heap}m"
    assert told["SKERRY_ELASTIC_API_KEY"] == "an-id:the-key-of-logstash"
    if reads_queue:
        assert [told[f"SKERRY_BROKER_{number}"] for number in (1, 2, 3)] == [
            "10.0.0.5:5671",
            "10.0.0.6:5671",
            "10.0.0.5:5671",
        ]
        assert {told[f"SKERRY_ELASTIC_{number}"] for number in (1, 2, 3)} == {"https://elastic.test:9200"}
        assert told["SKERRY_LOG_ZONE"] == "Etc/UTC"
    else:
        assert not [variable for variable in told if variable.startswith("SKERRY_BROKER")]
        assert {told[f"SKERRY_ELASTIC_{number}"] for number in (1, 2, 3)} == {"https://a.example.test:443"}
        assert told["SKERRY_ELASTIC_CA"] == "/etc/ssl/certs/ca-certificates.crt"
        assert told["SKERRY_LOG_ZONE"] == "Asia/Kolkata"
    assert host.file(told["SKERRY_ELASTIC_CA"]).exists


def test_only_root_reads_a_secret(host: Any) -> None:
    with host.sudo():
        holders = host.check_output("grep -rlE %s /etc/logstash /var/lib/logstash", "|".join(SECRETS)).splitlines()
        assert holders == ["/etc/logstash/skerry.env"]
        assert host.file("/etc/logstash/skerry.env").mode == 0o600
        assert host.file("/etc/logstash/skerry.env").user == "root"
    # The connection's own user is an ordinary one.
    readable = host.run("find /etc/logstash/skerry /var/lib/logstash -type f -readable 2>/dev/null").stdout
    assert readable == ""


def test_logstash_reads_its_pipeline_and_writes_its_state_alone(host: Any) -> None:
    with host.sudo("logstash"):
        host.run_expect([0], "cat /etc/logstash/skerry/90-output.conf")
        host.run_expect([0], "touch /var/lib/logstash/skerry/nginx-access")
        for path in ("/etc/logstash/skerry/90-output.conf", "/etc/logstash/pipelines.yml"):
            host.run_expect([1, 2], "test -w %s", path)


def test_its_pipeline_has_queues_on_disk_beside_the_one_that_was_there(host: Any, name: str) -> None:
    with host.sudo():
        *mine, ours = yaml.safe_load(host.check_output("cat /etc/logstash/pipelines.yml"))
    if name == "logstash-13":
        assert mine == [{"pipeline.id": "mine", "path.config": "/etc/logstash/mine.conf"}]
    assert ours == {
        "pipeline.id": "skerry",
        "path.config": "/etc/logstash/skerry/*.conf",
        "pipeline.ecs_compatibility": "v8",
        "queue.type": "persisted",
        "queue.max_bytes": "1024mb",
        "queue.checkpoint.writes": 1,
        "dead_letter_queue.enable": True,
        "dead_letter_queue.max_bytes": "256mb",
        "dead_letter_queue.storage_policy": "drop_older",
    }


@pytest.mark.parametrize(
    ("authority", "answer"), [("old", "trusted"), ("new", "trusted"), ("strange", "PKIX path building failed")]
)
def test_java_trusts_a_broker_of_the_given_authorities_alone(
    host: Any, reads_queue: bool, authority: str, answer: str
) -> None:
    if not reads_queue:
        with host.sudo():
            assert host.check_output("find /etc/logstash -name '*.p12'") == ""
        return
    with host.sudo():
        host.run_expect([0], "apt-get install --yes --no-install-recommends openjdk-21-jdk-headless openssl")
        folder = host.check_output("mktemp --directory")
        host.run_expect([0], f"cat > {folder}/Client.java <<'END'\n{CLIENT.replace('%', '%%')}\nEND")
        for part in ("crt", "key"):
            text = (FOLDER / f"{authority}-broker.{part}").read_text()
            host.run_expect([0], f"cat > {folder}/broker.{part} <<'END'\n{text}\nEND")
        store = environment(host)["SKERRY_BROKER_TRUST"]
        server = "openssl s_server -accept 5671 -cert broker.crt -key broker.key -naccept 1 -www"
        host.run_expect([0], f"cd {folder}; {server} >log 2>&1 & sleep 1")
        assert answer in host.check_output(f"java {folder}/Client.java {store}")


def test_what_was_changed_by_hand_is_told_and_then_undone(host: Any, name: str, reads_queue: bool) -> None:
    differences = [task for task in DIFFERENCES if reads_queue or "authorities" not in task]
    with host.sudo():
        host.run_expect([0], "sed -i 's/create/index/' /etc/logstash/skerry/90-output.conf")
        host.run_expect([0], "touch /etc/logstash/skerry/99-old.conf")
        host.run_expect([0], "rm -f /etc/logstash/skerry-broker-*.p12")
        host.run_expect([0], "sed -i 's/^SKERRY_LOG_ZONE=.*/SKERRY_LOG_ZONE=nowhere/' /etc/logstash/skerry.env")
        host.run_expect([0], "sed -i 's/queue.type: persisted/queue.type: memory/' /etc/logstash/pipelines.yml")
    told = Converge()("--check", "--diff", f"--limit={name}")
    assert told.changed == differences
    assert '-    action => "index"' in told.output
    assert not [secret for secret in SECRETS if secret in told.output]
    with host.sudo():
        assert host.file("/etc/logstash/skerry/99-old.conf").exists
    again = Converge()("-v", "--diff", f"--limit={name}")
    assert again.changed == differences
    assert not [secret for secret in SECRETS if secret in again.output]
    assert Converge()("--check", f"--limit={name}").changed == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ("logstash_broker_password=short", "at least 16 characters"),
        ("logstash_broker_ca=", "PEM in logstash_broker_ca"),
        ("logstash_elastic_url=http://elastic.test:9200", "https://HOST:PORT"),
        ("logstash_elastic_api_key=bm8gY29sb24=", "as ID:KEY or"),
        ('{"logstash_broker_password": "a-password with spaces"}', "SKERRY_BROKER_PASSWORD"),
        ('{"logstash_queue_mb": 1}', "logstash_queue_mb to 64 or more"),
        ("logstash_install_method=archive", "logstash_archive_sha256"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_changed(variables: str, words: str) -> None:
    said = " ".join(Converge().refused("--limit=logstash-13", f"--extra-vars={variables}").split())
    assert words in said
    assert "a-password with spaces" not in said


def test_in_check_mode_the_package_would_be_installed(name: str) -> None:
    """As far as that can be told without the repository, which is not in reach."""
    told = Converge()(
        "--check",
        f"--limit={name}",
        '--extra-vars={"logstash_install_method": "repository", "logstash_keytool": "/usr/bin/keytool",'
        ' "logstash_repository_key": "-----BEGIN PGP PUBLIC KEY BLOCK-----"}',
    )
    assert told.changed[:2] == ["Write the key of Elastic's package repository", "Write Elastic's package repository"]
    assert "Write Logstash's settings" in told.changed
    assert "Write the service" in told.changed

"""What a platform asks of its broker: it carries messages for its own user and for no one else, and keeps them; over
TLS, except on the machine itself."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any

import pika
import pytest
from support.trust import trust_in

PLATFORM = "skerry"
# For each request: the status, and the body. The management API listens on the machine itself alone.
ASK = """
import base64, sys, urllib.error, urllib.request
request = urllib.request.Request("http://127.0.0.1:15672/api/" + sys.argv[1])
request.add_header("Authorization", "Basic " + base64.b64encode(sys.stdin.read().encode()).decode())
try:
    answer = urllib.request.urlopen(request, timeout=10)
    print(answer.status, answer.read().decode())
except urllib.error.HTTPError as refusal:
    print(refusal.code)
"""


@pytest.fixture
def variables(host: Any) -> dict[str, Any]:
    found: dict[str, Any] = host.ansible.get_variables()
    return found


@pytest.fixture
def trust(host: Any) -> ssl.SSLContext:
    """As for a controller or a node, which are given the authority."""
    with host.sudo():
        return trust_in(host.check_output("cat /etc/rabbitmq/ca.crt"))


def connect(
    variables: dict[str, Any], trust: ssl.SSLContext, user: str, password: str, vhost: str = PLATFORM
) -> pika.BlockingConnection:
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host=variables["ansible_host"],
            port=5671,
            ssl_options=pika.SSLOptions(trust, variables["ansible_host"]),
            virtual_host=vhost,
            credentials=pika.PlainCredentials(user, password),
            socket_timeout=10,
        )
    )


def ask(host: Any, path: str, user: str, password: str) -> str:
    script = host.check_output("mktemp")
    host.run_expect([0], "cat > %s <<'END'\n" + ASK.replace("%", "%%") + "\nEND", script)
    return str(host.check_output("printf '%%s:%%s' %s %s | python3 %s %s", user, password, script, path))


def test_a_message_outlives_a_restart(host: Any, variables: dict[str, Any], trust: ssl.SSLContext) -> None:
    password = variables["rabbitmq_admin_password"]
    with connect(variables, trust, PLATFORM, password) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", "kept", b"hello", pika.BasicProperties(delivery_mode=2), mandatory=True)

    with host.sudo():
        host.run_expect([0], "systemctl restart rabbitmq-server.service")

    with connect(variables, trust, PLATFORM, password) as connection:
        channel = connection.channel()
        for method, _properties, body in channel.consume("kept", inactivity_timeout=20):
            assert body == b"hello"
            channel.basic_ack(method.delivery_tag)
            break
        channel.queue_delete("kept")


def test_the_guest_user_is_refused(host: Any, variables: dict[str, Any], trust: ssl.SSLContext) -> None:
    for vhost in ("/", PLATFORM):
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            connect(variables, trust, "guest", "guest", vhost)
    # RabbitMQ lets its guest in from the machine itself alone, so it is asked there as well.
    assert ask(host, "whoami", "guest", "guest") == "401"


def test_beyond_the_machine_there_is_nothing_without_tls(host: Any, variables: dict[str, Any]) -> None:
    for port in (5672, 15672, 15692):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((variables["ansible_host"], port), timeout=10).close()
    with socket.create_connection((variables["ansible_host"], 5671), timeout=10) as plain:
        plain.sendall(b"AMQP\x00\x00\x09\x01")
        assert b"AMQP" not in plain.recv(100)


def test_its_certificate_is_of_the_platforms_authority_alone(variables: dict[str, Any], trust: ssl.SSLContext) -> None:
    address = (variables["ansible_host"], 5671)
    for name in (variables["ansible_host"], variables["inventory_hostname"]):
        with trust.wrap_socket(socket.create_connection(address, 10), server_hostname=name) as shown:
            assert shown.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        trust.wrap_socket(socket.create_connection(address, 10), server_hostname="another.test")
    others = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self.signed"):
        others.wrap_socket(socket.create_connection(address, 10), server_hostname=address[0])


@pytest.mark.parametrize(("version", "works"), [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True)])
def test_old_tls_is_refused(variables: dict[str, Any], trust: ssl.SSLContext, version: str, works: bool) -> None:
    trust.minimum_version = trust.maximum_version = ssl.TLSVersion[version]
    trust.set_ciphers("DEFAULT:@SECLEVEL=0")
    for port in (5671, 15671):
        raw = socket.create_connection((variables["ansible_host"], port), 10)
        if works:
            trust.wrap_socket(raw, server_hostname=variables["ansible_host"]).close()
        else:
            with pytest.raises(OSError, match=r"(?i)protocol|version|alert"):
                trust.wrap_socket(raw, server_hostname=variables["ansible_host"])


def test_the_management_api_answers_the_platform(host: Any, variables: dict[str, Any], trust: ssl.SSLContext) -> None:
    password = variables["rabbitmq_admin_password"]
    assert ask(host, f"vhosts/{PLATFORM}", PLATFORM, password).startswith("200 ")
    # From elsewhere over TLS, as the controller asks.
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"https://{variables['ansible_host']}:15671/api/whoami", context=trust, timeout=10)


def test_the_operators_bounds_stand(host: Any, variables: dict[str, Any]) -> None:
    answer = ask(host, f"operator-policies/{PLATFORM}", PLATFORM, variables["rabbitmq_admin_password"])
    assert {policy["name"]: policy["definition"] for policy in json.loads(answer.removeprefix("200 "))} == {
        "skerry-orders": {"delivery-limit": 5, "max-length": 10000},
        "skerry-logs": {"max-length-bytes": 1024**3},
    }


def test_a_further_user_has_the_rights_that_are_named_and_no_other(
    variables: dict[str, Any], trust: ssl.SSLContext
) -> None:
    with connect(variables, trust, PLATFORM, variables["rabbitmq_admin_password"]) as connection:
        channel = connection.channel()
        channel.queue_declare("skerry.logs", durable=True)
        channel.queue_declare("jobs.other", durable=True)
        channel.basic_publish("", "skerry.logs", b"a record")
    [user] = variables["rabbitmq_users"]
    with connect(variables, trust, user["name"], user["password"]) as connection:
        # As Logstash does it: the queue is asked for, not made.
        channel = connection.channel()
        assert channel.queue_declare("skerry.logs", passive=True).method.message_count == 1
        for method, _properties, body in channel.consume("skerry.logs", inactivity_timeout=20):
            assert body == b"a record"
            channel.basic_ack(method.delivery_tag)
            break
        for refused in (
            lambda on: on.queue_declare("skerry.logs", durable=True),
            lambda on: on.queue_declare("mine"),
            lambda on: on.queue_purge("jobs.other"),
            lambda on: on.basic_get("jobs.other"),
            lambda on: on.queue_delete("skerry.logs"),
        ):
            with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
                refused(connection.channel())
        publishing = connection.channel()
        publishing.confirm_delivery()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
            publishing.basic_publish("", "skerry.logs", b"x")
    with connect(variables, trust, PLATFORM, variables["rabbitmq_admin_password"]) as connection:
        for queue in ("skerry.logs", "jobs.other"):
            connection.channel().queue_delete(queue)


def test_prometheus_is_told_on_the_machine_itself(host: Any) -> None:
    script = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:15692/metrics', timeout=10).read().decode())"
    )
    assert "rabbitmq_build_info" in host.check_output("python3 -c %s", script)


def test_the_authoritys_key_is_roots_alone(host: Any) -> None:
    with host.sudo():
        files = host.check_output("find /etc/skerry-broker-authority -type f -printf '%U %m %P\n'").splitlines()
        assert "0 600 ca.pem" in files
        assert host.file("/etc/skerry-broker-authority").mode == 0o700
        assert host.run("runuser -u rabbitmq -- cat /etc/skerry-broker-authority/ca.pem").rc != 0


def test_the_broker_comes_up_at_boot(host: Any) -> None:
    assert host.service("rabbitmq-server").is_enabled


def test_no_other_user_of_the_machine_reads_its_secrets(host: Any) -> None:
    # The connection's own user is an ordinary one.
    done = host.run("find /etc/rabbitmq /var/lib/rabbitmq /var/log/rabbitmq -type f -readable 2>/dev/null")
    assert done.stdout == ""

"""What a platform asks of its broker: it carries messages for its own user and for no one else, and keeps them."""

from __future__ import annotations

from typing import Any

import pika
import pytest

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


def connect(variables: dict[str, Any], user: str, password: str, vhost: str = PLATFORM) -> pika.BlockingConnection:
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host=variables["ansible_host"],
            virtual_host=vhost,
            credentials=pika.PlainCredentials(user, password),
            socket_timeout=10,
        )
    )


def ask(host: Any, path: str, user: str, password: str) -> str:
    script = host.check_output("mktemp")
    host.run_expect([0], "cat > %s <<'END'\n" + ASK.replace("%", "%%") + "\nEND", script)
    return str(host.check_output("printf '%%s:%%s' %s %s | python3 %s %s", user, password, script, path))


def test_a_message_outlives_a_restart(host: Any, variables: dict[str, Any]) -> None:
    password = variables["rabbitmq_admin_password"]
    with connect(variables, PLATFORM, password) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", "kept", b"hello", pika.BasicProperties(delivery_mode=2), mandatory=True)

    with host.sudo():
        host.run_expect([0], "systemctl restart rabbitmq-server.service")

    with connect(variables, PLATFORM, password) as connection:
        channel = connection.channel()
        for method, _properties, body in channel.consume("kept", inactivity_timeout=20):
            assert body == b"hello"
            channel.basic_ack(method.delivery_tag)
            break
        channel.queue_delete("kept")


def test_the_guest_user_is_refused(host: Any, variables: dict[str, Any]) -> None:
    for vhost in ("/", PLATFORM):
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            connect(variables, "guest", "guest", vhost)
    # RabbitMQ lets its guest in from the machine itself alone, so it is asked there as well.
    assert ask(host, "whoami", "guest", "guest") == "401"


def test_the_management_api_answers_the_platform_and_listens_nowhere_else(host: Any, variables: dict[str, Any]) -> None:
    answer = ask(host, f"vhosts/{PLATFORM}", PLATFORM, variables["rabbitmq_admin_password"])
    assert answer.startswith("200 ")
    with host.sudo():
        assert host.socket("tcp://127.0.0.1:15672").is_listening
        assert not host.socket("tcp://0.0.0.0:15672").is_listening
        assert not host.socket("tcp://:::15672").is_listening


def test_the_broker_comes_up_at_boot(host: Any) -> None:
    assert host.service("rabbitmq-server").is_enabled


def test_no_other_user_of_the_machine_reads_its_secrets(host: Any) -> None:
    # The connection's own user is an ordinary one.
    done = host.run("find /etc/rabbitmq /var/lib/rabbitmq /var/log/rabbitmq -type f -readable 2>/dev/null")
    assert done.stdout == ""

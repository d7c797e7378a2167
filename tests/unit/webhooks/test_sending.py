"""One try against a real receiver: it goes to the address that was judged, ends soon, and is told in words."""

from __future__ import annotations

import asyncio
import datetime
import http.server
import ipaddress
import ssl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.receiver import Answer, Received, Receiver, answering, closed_port, receiver

from webfront.webhooks.sending import Sender, Sent
from webfront.webhooks.targets import Resolve, read_target

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1")]


@pytest.fixture
def target() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def always(*found: str) -> Resolve:
    def resolve(host: str, port: int) -> Sequence[str]:
        return found

    return resolve


def post(sender: Sender, url: str, body: bytes = b"{}") -> Sent:
    with ThreadPoolExecutor(1) as resolver:
        return asyncio.run(sender.post(read_target(url), {"Skerry-Delivery": "D"}, body, resolver))


def test_it_is_sent_to_the_address_and_speaks_of_the_name(target: Receiver) -> None:
    sender = Sender(LOOPBACK, resolve=always("127.0.0.1"))
    assert post(sender, target.url("/hook?a=%20b&c", "ci.example.org"), b'{"x": 1}') == Sent(204)
    (one,) = target.received
    assert one.path == "/hook?a=%20b&c"
    assert one.body == b'{"x": 1}'
    assert one.headers["host"] == f"ci.example.org:{target.port}"
    assert one.headers["content-type"] == "application/json"
    assert one.delivery == "D"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_has_arrived(target: Receiver, status: int) -> None:
    target.answer = answering(status)
    assert post(Sender(LOOPBACK), target.url()) == Sent(status)


@pytest.mark.parametrize(
    ("status", "words"), [(400, "400 Bad Request."), (500, "500 Internal Server Error."), (777, "777.")]
)
def test_any_other_has_not(target: Receiver, status: int, words: str) -> None:
    target.answer = answering(status, body=b"the secrets of another service")
    assert post(Sender(LOOPBACK), target.url()) == Sent(status, f"It answered {words}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(target: Receiver, status: int) -> None:
    with receiver() as other:
        target.answer = answering(status, headers={"Location": other.url()})
        sent = post(Sender(LOOPBACK), target.url())
        assert sent.status == status
        assert "Redirects are not followed" in sent.error
        assert other.received == []


def test_without_leave_nothing_is_sent_to_this_machine(target: Receiver) -> None:
    assert "is a loopback address" in post(Sender(), target.url()).error
    assert "leads to 127.0.0.1" in post(Sender(resolve=always("127.0.0.1")), target.url(host="ci.example.org")).error
    assert target.received == []


def test_a_name_is_asked_for_once_and_a_second_answer_gains_nothing(target: Receiver) -> None:
    """DNS rebinding: allowed when it is judged, another address when it is asked for again."""
    asked = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.99"]

    only = [ipaddress.ip_network("127.0.0.1")]
    assert post(Sender(only, resolve=rebinding), target.url(host="ci.example.org")).arrived
    assert asked == ["ci.example.org"]
    assert (
        "127.0.0.99, which is a loopback"
        in post(Sender(only, resolve=rebinding), target.url(host="ci.example.org")).error
    )
    assert len(target.received) == 1


def test_no_proxy_is_asked_for(target: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert post(Sender(LOOPBACK), target.url()).arrived
        assert proxy.received == []


def test_no_cookie_is_kept(target: Receiver) -> None:
    target.answer = answering(200, headers={"Set-Cookie": "session=1"})
    sender = Sender(LOOPBACK)
    post(sender, target.url())
    post(sender, target.url())
    assert all("cookie" not in one.headers for one in target.received)


def test_another_address_of_the_name_is_tried_where_the_first_is_not_reached(target: Receiver) -> None:
    assert post(Sender(LOOPBACK, resolve=always("::1", "127.0.0.1")), target.url(host="ci.example.org")).arrived
    assert len(target.received) == 1


def test_a_target_that_is_not_there_is_told() -> None:
    sent = post(Sender(LOOPBACK), f"http://127.0.0.1:{closed_port()}/")
    assert sent == Sent(None, "It could not be reached: Connection refused.")


def hangs(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
    time.sleep(5)


def drips(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [hangs, drips])
def test_a_target_that_takes_its_time_is_left(target: Receiver, answer: Answer) -> None:
    target.answer = answer
    began = time.monotonic()
    assert post(Sender(LOOPBACK, deadline_s=0.5), target.url()) == Sent(None, "It did not answer within 0 s.")
    assert time.monotonic() - began < 2


def floods(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 100_000)


def never_ends(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x")
    time.sleep(10)


@pytest.mark.parametrize("answer", [floods, never_ends])
def test_what_has_arrived_stays_so_whatever_follows_in_the_answer(target: Receiver, answer: Answer) -> None:
    target.answer = answer
    began = time.monotonic()
    assert post(Sender(LOOPBACK), target.url()) == Sent(200)
    assert time.monotonic() - began < 5


def nonsense(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 mail.example ESMTP\r\n")
    handler.close_connection = True


def hangs_up(received: Received, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


@pytest.mark.parametrize("answer", [nonsense, hangs_up])
def test_an_answer_that_is_none_is_told(target: Receiver, answer: Answer) -> None:
    target.answer = answer
    sent = post(Sender(LOOPBACK), target.url())
    assert sent.status is None
    assert sent.error.startswith("It did not answer in HTTP: ")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for ci.example.org, of an authority of its own, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ci.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ci.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


def test_with_tls_the_certificate_must_be_for_the_name(certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    asked_for = []
    server.sni_callback = lambda connection, name, context: asked_for.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with receiver(tls=server) as target:
        sender = Sender(LOOPBACK, resolve=always("127.0.0.1"), certificates=trusting)
        assert post(sender, target.url(host="ci.example.org", scheme="https")).arrived
        assert post(sender, target.url(host="ci.example.org.", scheme="https")).arrived
        other = post(sender, target.url(host="other.example.org", scheme="https"))
        assert other.status is None
        assert "certificate" in other.error
        number = post(sender, target.url(host="127.0.0.1", scheme="https"))
        assert "certificate" in number.error
        usual = post(Sender(LOOPBACK, resolve=always("127.0.0.1")), target.url(host="ci.example.org", scheme="https"))
        assert "certificate" in usual.error
        assert len(target.received) == 2
    assert asked_for[:3] == ["ci.example.org", "ci.example.org", "other.example.org"]

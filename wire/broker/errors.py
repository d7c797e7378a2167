"""What can go wrong with the broker, and pika's own errors in words."""

from __future__ import annotations

import ssl
from typing import Final

import pika.exceptions

_WRONG_NAME: Final = {62, 64}
"""OpenSSL's numbers for a certificate of another host name or address."""
_WRONG_TIME: Final = {9, 10}
"""Its numbers for one that does not count yet, or no more."""


class BrokerError(Exception):
    """The base of these errors."""


class BrokerLost(BrokerError):
    """There is no connection, or it broke before the broker confirmed."""


class Unroutable(BrokerError):
    """A mandatory message whose routing key leads to no queue, or one the broker refused to take."""


class QueueLocked(BrokerError):
    """An exclusive queue that another connection holds."""


class QueueDiffers(BrokerError):
    """A queue that stands with other arguments, or on a host of the cluster that is away."""


def describe(error: object) -> str:
    """What happened, in words; pika's own text is often empty."""
    # pika wraps the cause of a failed connection several times over, each time under another name.
    while isinstance(error, BaseException):
        if isinstance(error, pika.exceptions.ProbableAuthenticationError):
            break
        inner = (getattr(error, "exceptions", None) or [getattr(error, "exception", None)])[-1]
        inner = inner or (error.args[0] if error.args and isinstance(error, pika.exceptions.AMQPError) else None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    if isinstance(error, pika.exceptions.ProbableAuthenticationError):
        return "it refused the user or password"
    if isinstance(error, ssl.SSLCertVerificationError):
        return describe_certificate(error)
    if isinstance(error, ssl.SSLError):
        return _describe_tls(error)
    return str(getattr(error, "reply_text", "") or error) or type(error).__name__


def describe_certificate(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a server's certificate, and what to change."""
    reason = error.verify_message.rstrip(".")
    if error.verify_code in _WRONG_NAME:
        return (
            f"its certificate is for another host ({reason}): use a name that is in it, or have that name put into it"
        )
    if error.verify_code in _WRONG_TIME:
        return f"its certificate does not count now ({reason}): check the clocks of both machines, or renew it"
    return (
        f"its certificate is of an authority that SKERRY_BROKER_CA_FILE does not hold ({reason}): "
        "put the authority's certificate into that file"
    )


def _describe_tls(error: ssl.SSLError) -> str:
    if error.reason == "WRONG_VERSION_NUMBER":
        return "it does not speak TLS at this port: use its port for amqps, which is 5671 as a rule, or amqp:// instead"
    return f"TLS with it failed: {error.reason or error}"

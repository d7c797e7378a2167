"""What can go wrong with the broker, and pika's own errors in words."""

from __future__ import annotations

import pika.exceptions


class BrokerError(Exception):
    """The base of these errors."""


class BrokerLost(BrokerError):
    """There is no connection, or it broke before the broker confirmed."""


class Unroutable(BrokerError):
    """A mandatory message whose routing key leads to no queue, or one the broker refused to take."""


class QueueLocked(BrokerError):
    """An exclusive queue that another connection holds."""


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
    return str(getattr(error, "reply_text", "") or error) or type(error).__name__

"""The control plane's error tree. `webfront.application` maps it to HTTP once, by `status` and `code`.

The message of each error is for the person who caused it: what is wrong and what to change.
"""

from __future__ import annotations


class SkerryError(Exception):
    """The base of every error the control plane raises on purpose."""

    status = 500
    code = "internal"

    def __init__(self, message: str, *, detail: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class InvalidInput(SkerryError):
    """The request carries something that cannot be used."""

    status = 400
    code = "invalid_input"


class NotSignedIn(SkerryError):
    status = 401
    code = "not_signed_in"


class Forbidden(SkerryError):
    status = 403
    code = "forbidden"


class NotFound(SkerryError):
    status = 404
    code = "not_found"


class NotSetUp(NotFound):
    """A part that this platform does without; the words say how it gets one."""

    code = "not_set_up"


class Gone(SkerryError):
    """It was there, and was deleted: the words say when, and why."""

    status = 410
    code = "gone"


class Conflict(SkerryError):
    """The request does not fit the present state of the thing it names."""

    status = 409
    code = "conflict"


class KeyReused(SkerryError):
    """An idempotency key that another request came with.

    422, as the draft of the header has it, and no conflict: to wait and send it again will never help. `detail` names
    the `job` which that request became.
    """

    status = 422
    code = "key_reused"


class TooLarge(SkerryError):
    status = 413
    code = "too_large"


class TooSlow(SkerryError):
    """The body of the request did not come in the time that there is for it."""

    status = 408
    code = "too_slow"


class Throttled(SkerryError):
    """Too many tries; `retry_after_s` says when the next one is looked at."""

    status = 429
    code = "throttled"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(SkerryError):
    """A part that this needs does not answer now: the broker, the database, the plays process."""

    status = 503
    code = "unavailable"


class BrokerUnavailable(Unavailable):
    code = "broker_unavailable"


class ElasticUnavailable(Unavailable):
    code = "elastic_unavailable"

"""The signature of a delivery: HMAC-SHA-256 over its time and its body, under the webhook's key.

    Skerry-Timestamp: 1803161588
    Skerry-Signature: v1=<hex of HMAC-SHA-256(key, "1803161588." + body)>

The time is part of what is signed, so that a receiver can refuse what somebody has kept and sends once more.
docs/webhooks.md shows how a receiver checks it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

DELIVERY: Final = "Skerry-Delivery"
TIMESTAMP: Final = "Skerry-Timestamp"
SIGNATURE: Final = "Skerry-Signature"


def new_key() -> str:
    """A key, 256 random bits. The prefix lets a secret scanner recognise one that got where it should not be."""
    return f"skerry_hook_{secrets.token_urlsafe(32)}"


def signed_headers(key: str, delivery: str, body: bytes, now: float) -> dict[str, str]:
    """The headers of one try of a delivery."""
    timestamp = str(int(now))
    digest = hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {DELIVERY: delivery, TIMESTAMP: timestamp, SIGNATURE: f"v1={digest}"}

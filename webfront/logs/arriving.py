"""What comes out of `skerry.logs`: messages, and the records in each, one a line."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import NamedTuple

from webfront.logs.aside import KEPT_BYTES
from webfront.logs.records import LONGEST, Poison, name_of
from wire.broker import Delivery
from wire.logs import lines_of


@dataclasses.dataclass(slots=True, eq=False)
class Item:
    """One record on its way."""

    body: bytes
    in_doubt: bool
    """It may be there already."""
    name: str = ""
    poison: str = ""
    """Why it can never be written."""
    put_off: str = ""
    """Why it was not written now."""
    settled: bool = False
    """It is there, or set aside."""


class Message(NamedTuple):
    """One message that waits."""

    delivery: Delivery
    in_doubt: bool
    too_long: Item | None = None
    """What is kept of it to be set aside; the delivery holds nothing then."""

    @classmethod
    def of(cls, delivery: Delivery, in_doubt: bool) -> Message:
        """The message of a delivery; one that is too long is not held."""
        body = delivery.body
        if len(body) <= LONGEST:
            return cls(delivery, in_doubt)
        reason = f"its message has {len(body)} bytes, more than {LONGEST}"
        kept = Item(body[:KEPT_BYTES], False, hashlib.sha256(body).hexdigest()[:32], reason)
        return cls(dataclasses.replace(delivery, body=b""), in_doubt, kept)

    def records(self) -> list[Item]:
        if self.too_long is not None:
            return [self.too_long]
        return [_read(line, self.in_doubt) for line in lines_of(self.delivery.body)]


def _read(line: bytes, in_doubt: bool) -> Item:
    item = Item(line, in_doubt)
    try:
        item.name = name_of(line)
    except Poison as reason:
        item.poison = str(reason)
    return item

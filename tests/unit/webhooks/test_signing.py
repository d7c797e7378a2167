"""The signature, checked by the receiver that docs/webhooks.md shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from webfront.webhooks.signing import new_key, signed_headers

PAGE = (Path(__file__).resolve().parents[3] / "docs/webhooks.md").read_text(encoding="utf-8")
BODY = b'{"id": "x", "kind": "job.end"}'


@pytest.fixture
def verify() -> Any:
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names["verify"]


def test_the_documented_receiver_takes_what_is_signed(verify: Any) -> None:
    key = new_key()
    headers = signed_headers(key, "D", BODY, 5000.9)
    assert headers["Skerry-Delivery"] == "D"
    assert headers["Skerry-Timestamp"] == "5000"
    assert verify(key, headers, BODY, now=5100)


def test_and_nothing_else(verify: Any) -> None:
    key = new_key()
    headers = signed_headers(key, "D", BODY, 5000)
    assert not verify(new_key(), headers, BODY, now=5000)
    assert not verify(key, headers, BODY + b" ", now=5000)
    assert not verify(key, headers, BODY, now=5000 + 3600), "kept by somebody and sent once more"
    assert not verify(key, headers | {"Skerry-Timestamp": "5001"}, BODY, now=5000)
    assert not verify(key, headers | {"Skerry-Signature": "v1="}, BODY, now=5000)


def test_keys_differ_and_can_be_recognised() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"skerry_hook_[\w-]{43}", key) for key in keys)

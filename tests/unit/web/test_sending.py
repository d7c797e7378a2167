"""Results as they are sent: whole, or the part that is asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
from support.results import have_result

from webfront.web.sending import wanted_range

RESULT = b"0123456789"
TAG = f'"{hashlib.sha256(RESULT).hexdigest()}"'
ALL = (0, 10)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", ALL),
        ("bytes=0-", ALL),
        ("bytes=4-", (4, 10)),
        ("bytes=4-6", (4, 7)),
        ("Bytes= 4 - 6 ", (4, 7)),
        ("bytes=4-99", (4, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", ALL),
        ("bytes=6-4", ALL),
        ("bytes=0-1,4-5", ALL),
        ("lines=4-", ALL),
        ("bytes=-", ALL),
        ("bytes=10-", (10, 10)),
        ("bytes=-0", (10, 10)),
    ],
)
def test_a_range_is_understood(header: str, wanted: tuple[int, int]) -> None:
    assert wanted_range(header, 10) == wanted


@pytest.fixture
def address(ada: httpx.Client, tmp_path: Path) -> str:
    """Of a result of hers."""
    job = ada.post("/api/v1/jobs", json={"app": "noop"}).json()["job"]["id"]
    have_result(tmp_path / "share", job, "out.bin", RESULT)
    return f"/api/v1/jobs/{job}/outputs/out.bin"


@pytest.mark.parametrize("face", ["", "/api/v1"])
@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ({}, 200, RESULT),
        ({"Range": "bytes=4-"}, 206, RESULT[4:]),
        ({"Range": "bytes=4-", "If-Range": TAG}, 206, RESULT[4:]),
        ({"Range": "bytes=4-", "If-Range": '"another"'}, 200, RESULT),
        ({"Range": "bytes=4-", "If-Range": f"W/{TAG}"}, 200, RESULT),
        ({"Range": "bytes=4-", "If-Range": "Wed, 21 Oct 2026 07:28:00 GMT"}, 200, RESULT),
        ({"Range": "bytes=10-"}, 416, b""),
    ],
)
def test_a_result_is_sent_as_it_is_asked_for(
    face: str, asked: dict[str, str], status: int, part: bytes, ada: httpx.Client, address: str
) -> None:
    answer = ada.get(face + address.removeprefix("/api/v1"), headers=asked)
    assert (answer.status_code, answer.content) == (status, part)
    assert (answer.headers["ETag"], answer.headers["Accept-Ranges"]) == (TAG, "bytes")
    assert answer.headers["Content-Length"] == str(len(part))
    told = {200: None, 206: "bytes 4-9/10", 416: "bytes */10"}
    assert answer.headers.get("Content-Range") == told[status]
    assert "attachment" in answer.headers["Content-Disposition"]


def test_the_head_of_a_result_says_how_long_it_is(ada: httpx.Client, address: str) -> None:
    answer = ada.head(address, headers={"Range": "bytes=4-"})
    assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, "10", b"")

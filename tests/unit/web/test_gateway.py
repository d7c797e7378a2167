"""A request's head, as WSGI has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from webfront.web.gateway import environ_of


class Headers(list[tuple[str, str]]):
    """As granian hands them over: names in small letters, one that came twice twice, none whose value is no ASCII."""

    def items(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self if value.isascii()]

    def keys(self) -> list[str]:
        return [name for name, _ in self]


def environ(*headers: tuple[str, str], path: str = "/") -> dict[str, Any]:
    scope: Any = SimpleNamespace(
        server="[::1]:8460", client="127.0.0.1:999", method="GET", path=path, query_string="a=b", http_version="1.1",
        scheme="http", headers=Headers(headers),
    )  # fmt: skip
    return environ_of(scope)


def test_headers_and_addresses_have_their_places() -> None:
    found = environ(
        ("content-type", "a/b"),
        ("content-length", "3"),
        ("x-one", "1"),
        ("x-one", "2"),
        ("cookie", "a"),
        ("cookie", "b"),
    )
    assert (found["CONTENT_TYPE"], found["CONTENT_LENGTH"]) == ("a/b", "3")
    assert (found["HTTP_X_ONE"], found["HTTP_COOKIE"]) == ("1,2", "a;b")
    assert (found["REMOTE_ADDR"], found["SERVER_NAME"], found["SERVER_PORT"]) == ("127.0.0.1", "::1", "8460")
    assert found["QUERY_STRING"] == "a=b"
    assert environ(path="/ü")["PATH_INFO"].encode("latin-1").decode() == "/ü"


def test_a_name_with_an_underscore_passes_for_no_other() -> None:
    found = environ(("x-forwarded-for", "10.0.0.1"), ("x_forwarded_for", "6.6.6.6"), ("content_length", "9"))
    assert found["HTTP_X_FORWARDED_FOR"] == "10.0.0.1"
    assert "CONTENT_LENGTH" not in found


def test_a_value_that_is_no_ascii_is_empty_and_not_missing() -> None:
    found = environ(("idempotency-key", "ü"), ("x_odd", "ü"))
    assert found["HTTP_IDEMPOTENCY_KEY"] == ""
    assert "HTTP_X_ODD" not in found

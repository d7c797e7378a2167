"""What the module `skerry_mysql` makes of what it is given; tests/integration has it on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.ansible_module import run_module
from support.loading import load

skerry_mysql: Any = load("library/skerry_mysql.py")

ALL = "ALL PRIVILEGES"


def test_mysqls_hash_is_sha_crypt() -> None:
    """Made by `openssl passwd -5 -salt SALT PASSWORD`."""
    hashed = skerry_mysql.sha256_crypt
    assert hashed(b"Hello world!", b"saltstring", 5000) == "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
    assert hashed(b"x" * 40, b"abcdefghij123456", 5000) == "7LWME1EEFij9vbjs6iaBEIUtxshCTJ5P60it4w8xFV2"


def test_a_password_is_known_by_what_mysql_keeps_of_it() -> None:
    salt = bytes(range(1, 21))
    kept = b"$A$005$" + salt + skerry_mysql.sha256_crypt(b"correct horse", salt, 5000).encode()
    assert skerry_mysql.is_sha2_of("correct horse", kept)
    assert not skerry_mysql.is_sha2_of("another", kept)
    assert not skerry_mysql.is_sha2_of("correct horse", b"")


def test_a_password_is_known_by_what_mariadb_keeps_of_it() -> None:
    # SELECT PASSWORD('password')
    assert skerry_mysql.native_hash("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


def test_what_the_server_tells_of_grants_is_read() -> None:
    assert skerry_mysql.rights_of(
        [
            "GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*0123'",
            "GRANT SELECT (`a`, `b`), INSERT ON `d`.`t` TO `a`@`%`",
            r"GRANT ALL PRIVILEGES ON `on to\_it`.* TO `a`@`%` WITH GRANT OPTION",
            "GRANT EXECUTE ON PACKAGE BODY `d`.`p` TO `a`@`%`",
            "GRANT `r` TO `a`@`%`",
            "SET DEFAULT ROLE `r` FOR `a`@`%`",
        ]
    ) == {
        "`d`.`t`": {"SELECT (`a`, `b`)", "INSERT"},
        r"`on to\_it`.*": {ALL, "GRANT OPTION"},
        "PACKAGE BODY `d`.`p`": {"EXECUTE"},
        "roles": {"`r`"},
    }


def test_a_grant_that_is_not_understood_is_not_passed_over() -> None:
    with pytest.raises(skerry_mysql.ServerError, match="PROXY"):
        skerry_mysql.rights_of(["GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION"])


@pytest.mark.parametrize(
    ("held", "wanted", "statements"),
    [
        ({}, {"x": {"SELECT", "INSERT"}}, ["GRANT INSERT, SELECT ON x TO u"]),
        ({"x": {"SELECT"}}, {"x": {"SELECT"}}, []),
        ({"x": {"SELECT", "DROP"}}, {"x": {"SELECT"}}, ["REVOKE DROP ON x FROM u"]),
        # What is new comes before what is taken away.
        ({"a": {"SELECT"}}, {"b": {"SELECT"}}, ["GRANT SELECT ON b TO u", "REVOKE SELECT ON a FROM u"]),
        ({"x": {"SELECT"}}, {"x": {ALL}}, [f"GRANT {ALL} ON x TO u"]),
        ({"x": {ALL}}, {"x": {"SELECT"}}, [f"REVOKE {ALL} ON x FROM u", "GRANT SELECT ON x TO u"]),
        ({"x": {ALL, "GRANT OPTION"}}, {"x": {ALL}}, ["REVOKE GRANT OPTION ON x FROM u"]),
        ({"x": {ALL}}, {}, [f"REVOKE {ALL} ON x FROM u"]),
        ({"roles": {"`r`"}}, {}, ["REVOKE `r` FROM u"]),
    ],
)
def test_rights_are_changed_by_what_differs(
    held: dict[str, set[str]], wanted: dict[str, set[str]], statements: list[str]
) -> None:
    assert skerry_mysql.rights_changed("u", held, wanted) == statements


def test_the_name_of_a_database_is_no_pattern() -> None:
    assert skerry_mysql.level("own_100%") == r"`own\_100\%`.*"
    assert skerry_mysql.level("*") == "*.*"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"user": "ada", "password": "x"}, "hosts"),
        ({"user": "ada", "hosts": ["%"]}, "password"),
        ({"user": "", "hosts": ["%"], "password": "x"}, "anonymous"),
        ({"database": ""}, "name"),
        ({"database": "x", "collation": "a; DROP"}, "collation"),
        ({}, "one of the two"),
        ({"database": "x", "user": "y"}, "one of the two"),
    ],
)
def test_a_wrong_call_says_what_is_missing(given: dict[str, Any], told: str) -> None:
    result = run_module("skerry_mysql", **given)
    assert result["failed"]
    assert told in result["msg"]


def test_a_server_that_does_not_run_is_an_error_and_in_check_mode_a_warning(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"command": str(tmp_path / "mariadb"), "database": "skerry"}
    assert "does not answer" in run_module("skerry_mysql", **nothing)["msg"]
    told = run_module("skerry_mysql", check=True, **nothing)
    assert told["changed"] is False
    assert "is not known" in str(told["warnings"])

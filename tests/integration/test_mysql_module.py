"""The module `skerry_mysql` on a real MariaDB, through its own client and socket; the role's scenario has the rest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from support.ansible_module import run_module
from support.mariadb import PrivateMariadb

pytestmark = pytest.mark.stores("mariadb")

HERE = "127.0.0.1"
PASSWORD = r"a 'password' with \ and ;"
OTHER = "another, for a rotation"
ODD_NAME = "o'dd\\name"


class Module:
    """Calls of the module, and what the users it makes can do."""

    def __init__(self, server: PrivateMariadb) -> None:
        self._server = server
        self._command = shutil.which("mariadb")

    def __call__(self, *, check: bool = False, **given: Any) -> dict[str, Any]:
        """The result; a second call, after one that was no check, changes nothing, and none shows a password."""
        if given.get("user") and given.get("state") != "absent":
            given = {"hosts": [HERE], "password": PASSWORD, **given}
        where: dict[str, Any] = {"command": self._command, "socket": str(self._server.directory / "socket")}
        result = run_module("skerry_mysql", check=check, **where, **given)
        assert not result.get("failed"), result
        shown = str({name: result[name] for name in result if name != "invocation"})
        assert PASSWORD not in shown
        assert OTHER not in shown
        if not check:
            assert run_module("skerry_mysql", **where, **given)["changed"] is False
        return result

    def sign_in(self, user: str, password: str) -> pymysql.Connection[Any]:
        return pymysql.connect(host=HERE, port=self._server.port, user=user, password=password, autocommit=True)

    def as_root(self, *statements: str) -> None:
        socket = str(self._server.directory / "socket")
        with pymysql.connect(unix_socket=socket, user="root") as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def grants(self, user: str) -> list[str]:
        found = self._server.run(f"SHOW GRANTS FOR '{user}'@'{HERE}'")
        return [str(row[0]) for row in found if "GRANT USAGE" not in str(row[0])]


@pytest.fixture
def module(mariadb: PrivateMariadb) -> Iterator[Module]:
    yield Module(mariadb)
    for user in ("ada", ODD_NAME):
        run_module("skerry_mysql", socket=str(mariadb.directory / "socket"), user=user, state="absent")


def test_a_database_is_made_changed_and_dropped(module: Module, mariadb: PrivateMariadb) -> None:
    asked = "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = 'made'"
    assert module(check=True, database="made")["changed"]
    assert mariadb.run(asked) == ()
    assert module(database="made", collation="utf8mb4_bin")["changed"]
    told = module(database="made", collation="utf8mb4_nopad_bin")
    assert told["diff"]["before"] == {"made": {"collation": "utf8mb4_bin"}}
    assert mariadb.run(asked) == (("utf8mb4_nopad_bin",),)
    # Not said is not asked for.
    assert not module(database="made")["changed"]
    assert module(database="made", state="absent")["changed"]
    assert mariadb.run(asked) == ()


@pytest.mark.parametrize("user", ["ada", ODD_NAME])
def test_a_user_signs_in_with_the_password_that_was_given_last(module: Module, user: str) -> None:
    assert module(check=True, user=user)["changed"]
    assert module(user=user)["changed"]
    module.sign_in(user, PASSWORD).close()
    told = module(check=True, user=user, password=OTHER)
    assert told["changed"]
    assert told["diff"]["before"][f"{user}@{HERE}"]["password"] == "another"
    module.sign_in(user, PASSWORD).close()
    assert module(user=user, password=OTHER)["statements"] == 1
    module.sign_in(user, OTHER).close()
    with pytest.raises(pymysql.err.OperationalError):
        module.sign_in(user, PASSWORD)


def test_a_user_has_the_rights_that_are_listed_and_no_others(module: Module, mariadb: PrivateMariadb) -> None:
    mariadb.run("CREATE DATABASE test_rights", "CREATE TABLE test_rights.one (a INT, b INT)")
    try:
        module(user="ada", rights={"own_one": ["ALL"], "test_rights": ["select", "INSERT"]})
        assert module.grants("ada") == [
            rf"GRANT ALL PRIVILEGES ON `own\_one`.* TO `ada`@`{HERE}`",
            rf"GRANT SELECT, INSERT ON `test\_rights`.* TO `ada`@`{HERE}`",
        ]
        module.as_root(
            f"GRANT SELECT ON *.* TO ada@'{HERE}'",
            f"GRANT UPDATE (a, b), DELETE ON test_rights.one TO ada@'{HERE}' WITH GRANT OPTION",
            rf"REVOKE DROP ON `own\_one`.* FROM ada@'{HERE}'",
        )
        told = module(user="ada", rights={"own_one": ["ALL"], "test_rights": ["SELECT"]})
        assert told["diff"]["before"][f"ada@{HERE}"]["rights"]["*.*"] == ["SELECT"]
        assert module.grants("ada") == [
            rf"GRANT ALL PRIVILEGES ON `own\_one`.* TO `ada`@`{HERE}`",
            rf"GRANT SELECT ON `test\_rights`.* TO `ada`@`{HERE}`",
        ]
        module(user="ada", rights={"own_one": ["SELECT"]})
        assert module.grants("ada") == [rf"GRANT SELECT ON `own\_one`.* TO `ada`@`{HERE}`"]
        # Not said is not asked for; an empty list is.
        assert not module(user="ada")["changed"]
        module(user="ada", rights={})
        assert module.grants("ada") == []
    finally:
        mariadb.run("DROP DATABASE test_rights")


def test_a_role_is_a_right_too(module: Module, mariadb: PrivateMariadb) -> None:
    module(user="ada", rights={})
    module.as_root("CREATE ROLE everything", f"GRANT everything TO ada@'{HERE}'")
    try:
        assert module(user="ada", rights={})["statements"] == 1
        assert module.grants("ada") == []
    finally:
        mariadb.run("DROP ROLE everything")


def test_a_user_connects_from_the_hosts_that_are_listed_and_no_others(module: Module, mariadb: PrivateMariadb) -> None:
    module(user="ada", hosts=["10.0.0.4", HERE])
    module(user="ada", hosts=[HERE, "10.0.0.%"])
    assert mariadb.run("SELECT host FROM mysql.user WHERE user = 'ada' ORDER BY host") == (("10.0.0.%",), (HERE,))
    assert module(user="ada", state="absent")["statements"] == 2
    assert mariadb.run("SELECT host FROM mysql.user WHERE user = 'ada'") == ()


def test_one_that_is_the_systems_user_needs_no_password(module: Module, mariadb: PrivateMariadb) -> None:
    mariadb.run("CREATE USER ada@localhost IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket")
    shown = "SHOW CREATE USER ada@localhost"
    assert module(user="ada", hosts=["localhost"], authentication="socket")["statements"] == 1
    assert mariadb.run(shown) == (("CREATE USER `ada`@`localhost` IDENTIFIED VIA unix_socket",),)
    # And back: what is left of the other way would be a way in.
    module(user="ada", hosts=["localhost"])
    assert "unix_socket" not in str(mariadb.run(shown))


def test_nobody_goes_with_the_rights_that_are_everybodys(module: Module, mariadb: PrivateMariadb) -> None:
    mariadb.run(
        "CREATE USER ''@localhost",
        "INSERT INTO mysql.db (host, db, user, select_priv) VALUES ('%', 'test', '', 'Y')",
        "FLUSH PRIVILEGES",
    )
    assert module(user="", state="absent")["diff"]["before"] == {"@localhost": {}, "rights of every user": ["test"]}
    assert mariadb.run("SELECT 1 FROM mysql.user WHERE user = '' AND is_role = 'N'") == ()
    assert mariadb.run("SELECT 1 FROM mysql.db WHERE user = ''") == ()


def test_what_the_server_refuses_is_said_in_its_words(module: Module, mariadb: PrivateMariadb) -> None:
    result = run_module(
        "skerry_mysql", socket=str(mariadb.directory / "socket"), user="ada", hosts=[HERE], password=PASSWORD,
        rights={"own": ["FLY"]},
    )  # fmt: skip
    assert result["failed"]
    assert "FLY" in result["msg"]
    assert PASSWORD not in str(result)

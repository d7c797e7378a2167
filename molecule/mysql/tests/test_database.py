"""What a platform asks of its database: its own user works in its own database, nobody else gets in, and rows stay."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from support.converge import Converge

from webfront.accounts.users import create_user, find_user
from webfront.database.connection import bind_database
from webfront.database.schema import migrate_database

WITHIN_S = 60.0
PLATFORM = "skerry"
CONFIGURATION = "/etc/mysql/mariadb.conf.d/zz-skerry.cnf"
PASSWORDS = {
    "skerry": "the-password-of-the-platform",
    "reader": "the-password-of-the-reader",
    "stranger": "the-password-of-the-stranger",
}
# Access denied: of the user, of a database, of a table, of a column, of what needs a right everywhere.
DENIED = (1044, 1045, 1142, 1143, 1227)


class Database:
    """A machine of the scenario, and connections to its server from the machine that runs the tests."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.variables: dict[str, Any] = host.ansible.get_variables()
        self.name: str = self.variables["inventory_hostname"]
        self.address: str = self.variables["ansible_host"]
        self.has_tls: bool = self.variables.get("mysql_require_tls", False)
        self._folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])

    @property
    def certificate(self) -> Path:
        return self._folder / "certificate.pem"

    @contextlib.contextmanager
    def connected(self, user: str = PLATFORM, password: str | None = None, **more: Any) -> Iterator[Any]:
        """A cursor, and nothing left open behind it."""
        password = PASSWORDS.get(user, "") if password is None else password
        given = {"host": self.address, "user": user, "password": password, "autocommit": True, "connect_timeout": 10}
        with pymysql.connect(**{**given, **more}) as connection, connection.cursor() as cursor:
            yield cursor

    def rows(self, statement: str, **more: Any) -> list[tuple[Any, ...]]:
        with self.connected(**more) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def as_root(self, *statements: str) -> str:
        """What root is answered on the machine itself."""
        with self.host.sudo():
            done = self.host.run("mariadb --batch --skip-column-names --execute %s", "; ".join(statements))
        assert done.rc == 0, done.stderr
        return str(done.stdout).strip()

    def answers_again(self) -> None:
        until = time.monotonic() + WITHIN_S
        while True:
            try:
                self.rows("SELECT 1")
            except pymysql.MySQLError:
                assert time.monotonic() < until, "the database did not come back"
                time.sleep(0.5)
            else:
                return

    def converge(self, *options: str) -> Any:
        return Converge()(f"--limit={self.name}", *options)


@pytest.fixture
def database(host: Any) -> Database:
    return Database(host)


def test_the_platforms_own_code_keeps_its_rows_there(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORDS[PLATFORM])
    url = f"mysql://{PLATFORM}@{database.address}/{PLATFORM}"
    migrate_database(url, file)
    assert migrate_database(url, file) == []
    name = f"ada-{uuid.uuid4().hex[:8]}"
    with contextlib.closing(bind_database(url, file)):
        create_user(name, "correct horse")
        found = find_user(name)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE DATABASE mine",
        "CREATE TABLE other.mine (a INT)",
        "SELECT user, authentication_string FROM mysql.user",
        "SELECT * FROM mysql.global_priv",
        "CREATE USER mine IDENTIFIED BY 'x'",
        "GRANT SELECT ON skerry.* TO reader",
        "SET GLOBAL max_connections = 1",
        "SELECT 'x' INTO OUTFILE '/var/lib/mysql/mine'",
        "KILL 1",
        "SHUTDOWN",
    ],
)
def test_the_platforms_user_cannot(database: Database, statement: str) -> None:
    with pytest.raises(pymysql.MySQLError) as refusal:
        database.rows(statement)
    # No such thread: nothing is shown of those that are others'.
    assert refusal.value.args[0] in (*DENIED, 1094, 1095), refusal.value


def test_one_that_may_read_cannot_write(database: Database) -> None:
    with database.connected() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE skerry.read_alone (a INT)")
        cursor.execute("INSERT INTO skerry.read_alone VALUES (1)")
    assert database.rows("SELECT a FROM skerry.read_alone", user="reader") == [(1,)]
    for statement in ("INSERT INTO skerry.read_alone VALUES (2)", "DROP TABLE skerry.read_alone"):
        with pytest.raises(pymysql.MySQLError) as refusal:
            database.rows(statement, user="reader")
        assert refusal.value.args[0] in DENIED
    database.rows("DROP TABLE skerry.read_alone")


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("skerry", "another-password"),
        ("skerry", ""),
        ("", ""),
        ("root", ""),
        ("root", "the-password-of-the-platform"),
        ("mysql", ""),
        # From here its right password does not count either.
        ("stranger", PASSWORDS["stranger"]),
    ],
)
def test_over_the_network_it_lets_nobody_in_but_its_users(database: Database, user: str, password: str) -> None:
    with pytest.raises(pymysql.MySQLError) as refusal:
        database.rows("SELECT 1", user=user, password=password)
    assert refusal.value.args[0] in (1045, 1130, 1698), refusal.value


def test_on_the_machine_itself_only_root_is_root(database: Database) -> None:
    assert database.as_root("SELECT CURRENT_USER()") == "root@localhost"
    # The connection's own user is an ordinary one.
    for user in ("root", "mysql", "nobody"):
        assert database.host.run(f"mariadb --user={user} --execute 'SELECT 1'").rc != 0


def test_it_listens_where_it_is_told_to_and_nowhere_else(database: Database) -> None:
    with database.host.sudo():
        assert database.host.socket(f"tcp://{database.address}:3306").is_listening
        for address in ("0.0.0.0", "::", "127.0.0.1"):
            assert not database.host.socket(f"tcp://{address}:3306").is_listening


def test_a_client_cannot_send_a_file_of_its_machine(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("line")
    with database.connected(local_infile=True) as cursor:
        cursor.execute("CREATE OR REPLACE TABLE skerry.sent (line TEXT)")
        with pytest.raises(pymysql.MySQLError):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{tmp_path}/file' INTO TABLE skerry.sent")
        cursor.execute("SELECT COUNT(*) FROM skerry.sent")
        assert cursor.fetchone() == (0,)
        cursor.execute("DROP TABLE skerry.sent")


def test_connections_are_as_secret_as_was_asked_for(database: Database) -> None:
    if not database.has_tls:
        assert database.rows("SELECT 1", ssl_disabled=True) == [(1,)]
        return
    # With the right password, by which it lets in below.
    with pytest.raises(pymysql.MySQLError):
        database.rows("SELECT 1", ssl_disabled=True)
    checked = {"ssl_ca": str(database.certificate), "ssl_verify_cert": True, "ssl_verify_identity": True}
    ((_, cipher),) = database.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'", **checked)
    assert cipher


def test_it_is_tuned_as_its_readme_says(database: Database) -> None:
    memory_mb = int(database.host.check_output("awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo"))
    shown = dict(
        line.split("\t")
        for line in database.as_root(
            "SHOW GLOBAL VARIABLES WHERE variable_name IN ('innodb_buffer_pool_size', 'max_connections', "
            "'innodb_flush_log_at_trx_commit', 'character_set_server', 'collation_server', 'log_bin', 'tx_isolation', "
            "'skip_name_resolve')"
        ).splitlines()
    )
    assert shown == {
        "innodb_buffer_pool_size": str(max(128, memory_mb * 2 // 100 // 128 * 128) * 1024 * 1024),
        "max_connections": "200",
        "innodb_flush_log_at_trx_commit": "1",
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_nopad_bin",
        "log_bin": "ON" if database.variables.get("mysql_binlog") else "OFF",
        "tx_isolation": "READ-COMMITTED",
        "skip_name_resolve": "ON",
    }


def test_rows_outlive_a_restart_and_a_kill(database: Database) -> None:
    with database.connected() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE skerry.kept (a INT)")
        cursor.execute("INSERT INTO skerry.kept VALUES (1)")
    with database.host.sudo():
        database.host.run_expect([0], "systemctl restart mariadb.service")
    database.answers_again()
    database.rows("INSERT INTO skerry.kept VALUES (2)")
    with database.host.sudo():
        pid = database.host.check_output("systemctl show --property MainPID --value mariadb.service")
        database.host.run_expect([0], "kill -KILL %s", pid)
    database.answers_again()
    assert database.rows("SELECT a FROM skerry.kept ORDER BY a") == [(1,), (2,)]
    database.rows("DROP TABLE skerry.kept")
    assert database.host.service("mariadb").is_enabled


def test_no_other_user_of_the_machine_reads_its_data_and_keys(database: Database) -> None:
    done = database.host.run("find /var/lib/mysql /var/log/mysql /etc/mysql/*.pem -type f -readable 2>/dev/null")
    assert done.stdout == ""
    with database.host.sudo():
        log = database.host.check_output("cat /var/log/mysql/error.log")
        logs = log + database.host.check_output("journalctl --no-pager")
    assert "ready for connections" in log
    assert [password for password in PASSWORDS.values() if password in logs] == []


def test_what_was_changed_by_hand_is_told_and_then_undone(database: Database) -> None:
    differences = [
        "Write the server's configuration",
        Converge.RESTART,
        "Let root in on the machine itself alone",
        "Remove the anonymous user",
        "Remove the database that is everybody's",
        "Keep the users",
    ]
    at = f"`{database.address.rsplit('.', 2)[0]}.%.%`"
    database.as_root(
        "CREATE USER root@'%' IDENTIFIED BY 'in-by-the-network'",
        "GRANT ALL ON *.* TO root@'%'",
        "CREATE USER ''@localhost",
        "CREATE DATABASE test",
        f"REVOKE ALTER ON skerry.* FROM skerry@{at}",
        f"GRANT SELECT ON mysql.* TO reader@{at}",
    )
    with database.host.sudo():
        database.host.run_expect([0], "sed -i 's/^max-connections.*/max-connections = 7/' %s", CONFIGURATION)

    told = database.converge("--check", "--diff")
    assert told.changed == differences
    assert "-max-connections = 7" in told.output
    assert "+max-connections = 200" in told.output
    assert "`mysql`.*" in told.output
    assert database.rows("SELECT COUNT(*) > 0 FROM mysql.user", user="reader") == [(1,)]

    assert database.converge().changed == differences
    with pytest.raises(pymysql.MySQLError):
        database.rows("SELECT 1 FROM mysql.user", user="reader")
    with pytest.raises(pymysql.MySQLError):
        database.rows("SELECT 1", user="root", password="in-by-the-network")
    assert database.rows("SELECT @@max_connections") == [(200,)]


def test_another_password_is_set_and_nothing_else(database: Database) -> None:
    new = "the-next-password-of-the-platform"
    # So much is said that a password would show, were one said. Nothing is left over from the test before.
    told = database.converge("-v", "--diff", f"--extra-vars=platform_password={new}")
    assert told.changed == ["Keep the users"]
    assert new not in told.output
    assert [password for password in PASSWORDS.values() if password in told.output] == []
    assert database.rows("SELECT 1", password=new) == [(1,)]
    with pytest.raises(pymysql.MySQLError):
        database.rows("SELECT 1")
    assert database.converge().changed == ["Keep the users"]
    assert database.rows("SELECT 1") == [(1,)]

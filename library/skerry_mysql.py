#!/usr/bin/python
"""Ansible module: a database, or a user with the hosts and rights it has, in MariaDB or MySQL."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Final

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: skerry_mysql
short_description: Keep a database or a user of MariaDB or MySQL
description:
  - Runs on the machine of the server, as root, through the server's own client and its Unix socket. Nothing else has to
    be installed, and no password is asked for.
  - A user is described as a whole. Its accounts for other hosts are removed, and rights that are not named are taken
    away. A run that was cut off is completed by the next one.
options:
  database:
    description: The database to keep. Either this or O(user) is given.
    type: str
  collation:
    description: How the database's new tables compare text. Where it is not given, that is left as it is.
    type: str
    default: ""
  user:
    description: The user to keep. Empty is the anonymous user, which can only be removed.
    type: str
  hosts:
    description:
      - Where the user connects from, and from nowhere else. Addresses, where the server resolves no names; C(%) stands
        for any characters. Required for a user that is to be there.
    type: list
    elements: str
    default: []
  authentication:
    description:
      - Whether the user proves itself by a password, or on the machine itself by being the system's user of that name.
    type: str
    choices: [password, socket]
    default: password
  password:
    description: The user's password. Set when it is another than the server knows. Required with a user that has one.
    type: str
  rights:
    description:
      - For each database the rights that the user has there, such as C(SELECT) or C(ALL); C(*) is every database. A
        database's name is no pattern. Where it is not given, rights are left as they are.
    type: dict
  state:
    description: Whether it is to be there. A database that is to be absent is dropped with all that is in it.
    type: str
    choices: [present, absent]
    default: present
  command:
    description: The server's client program.
    type: path
    default: /usr/bin/mariadb
  socket:
    description: The server's Unix socket.
    type: path
    default: /run/mysqld/mysqld.sock
attributes:
  check_mode:
    description:
      - Asks the server what would change, and changes nothing. Where the server does not run, a warning says that it is
        not known.
    support: full
  diff_mode:
    description: Shows hosts, rights, and whether the password is the one that is given; never the password.
    support: full
author: Skerry
"""

EXAMPLES = r"""
- name: Keep the platform's database
  skerry_mysql:
    database: skerry

- name: Keep the platform's user
  skerry_mysql:
    user: skerry
    hosts: [10.0.0.4]
    password: "{{ vault_mysql_webfront_password }}"
    rights:
      skerry: [ALL]

- name: Remove the anonymous user
  skerry_mysql:
    user: ""
    state: absent
"""

RETURN = r"""
statements:
  description: How many statements were run, or would be.
  returned: success
  type: int
  sample: 2
"""

# What text needs in a statement depends on the session's mode, so that is set first.
_SESSION: Final = "SET SESSION sql_mode = '';\n"
_CANNOT_CONNECT: Final = re.compile(r"^ERROR 200[23] ", re.MULTILINE)
_NAME: Final = r"`(?:[^`]|``)*`"
_LEVEL: Final = rf"(?:[A-Z]+(?: BODY)? )?(?:{_NAME}|\*)\.(?:{_NAME}|\*)"
_GRANT: Final = re.compile(rf"GRANT (?P<rights>.+?) ON (?P<level>{_LEVEL}) TO {_NAME}@{_NAME}(?P<rest>.*)", re.DOTALL)
_ROLE: Final = re.compile(rf"GRANT (?P<role>{_NAME}(?:@{_NAME})?) TO ")
_RIGHT: Final = re.compile(r"[^,(]+(?:\([^)]*\))?")
_ALL: Final = "ALL PRIVILEGES"
_GRANT_OPTION: Final = "GRANT OPTION"
_ROLES: Final = "roles"

Rights = dict[str, set[str]]
"""For each level, as the server writes it (`` `skerry`.* ``), the rights there."""


class ServerError(Exception):
    """The server could not be asked, or refused; the message is its own."""


class NoServerError(ServerError):
    """Nothing answers."""


def text(value: str) -> str:
    """As a literal of SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def name(value: str) -> str:
    """As a name of SQL."""
    return "`" + value.replace("`", "``") + "`"


def level(database: str) -> str:
    """Where a right holds. In a grant `_` and `%` are wildcards, so they are escaped."""
    if database == "*":
        return "*.*"
    escaped = re.sub("[_%]", r"\\\g<0>", database)
    return f"{name(escaped)}.*"


def native_hash(password: str) -> str:
    """What the plugin mysql_native_password keeps of a password."""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()  # noqa: S324 - its format


def sha256_crypt(password: bytes, salt: bytes, rounds: int) -> str:
    """The 43 characters of SHA-crypt with SHA-256 (https://www.akkadia.org/drepper/SHA-crypt.txt)."""

    def digest(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    def stretched(block: bytes, length: int) -> bytes:
        return (block * (length // len(block) + 1))[:length]

    inner = digest(password + salt + password)
    first = password + salt + stretched(inner, len(password))
    bits = len(password)
    while bits:
        first += inner if bits & 1 else password
        bits >>= 1
    state = digest(first)
    from_password = stretched(digest(password * len(password)), len(password))
    from_salt = stretched(digest(salt * (16 + state[0])), len(salt))
    for turn in range(rounds):
        mixed = from_password if turn & 1 else state
        mixed += from_salt if turn % 3 else b""
        mixed += from_password if turn % 7 else b""
        state = digest(mixed + (state if turn & 1 else from_password))
    triples = [(i * 21 % 30, (i * 21 + 10) % 30, (i * 21 + 20) % 30) for i in range(10)]
    numbers = [(state[a] << 16 | state[b] << 8 | state[c], 4) for a, b, c in triples] + [
        (state[31] << 8 | state[30], 3)
    ]
    digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join(digits[number >> 6 * place & 63] for number, places in numbers for place in range(places))


def is_sha2_of(password: str, kept: bytes) -> bool:
    """Whether the plugin caching_sha2_password keeps this of the password: `$A$005$`, 20 bytes of salt, the hash."""
    found = re.fullmatch(rb"\$A\$([0-9A-F]{3})\$(.{20})(.{43})", kept, re.DOTALL)
    if found is None:
        return False
    rounds = int(found[1], 16) * 1000
    return sha256_crypt(password.encode(), found[2], rounds).encode() == found[3]


def rights_of(grants: list[str]) -> Rights:
    """What `SHOW GRANTS` tells, without what it says of passwords; that a user may connect is no right here."""
    held: Rights = {}
    for line in grants:
        if found := _GRANT.match(line):
            rights = {one.strip() for one in _RIGHT.findall(found["rights"])}
            if "WITH GRANT OPTION" in found["rest"]:
                rights.add(_GRANT_OPTION)
            held.setdefault(found["level"], set()).update(rights - {"USAGE"})
        elif found := _ROLE.match(line):
            held.setdefault(_ROLES, set()).add(found["role"])
        elif not line.startswith("SET DEFAULT ROLE "):
            raise ServerError(f"the server tells of a grant that is not understood: {line}")
    return {where: rights for where, rights in held.items() if rights}


def wanted_rights(given: dict[str, Any]) -> Rights:
    """The same, of what the module is given."""
    wanted: Rights = {}
    for database, names in given.items():
        rights = {str(one).strip().upper() for one in ([names] if isinstance(names, str) else names)}
        wanted[level(database)] = {_ALL if one == "ALL" else one for one in rights} - {"USAGE"}
    return {where: rights for where, rights in wanted.items() if rights}


def rights_changed(account: str, held: Rights, wanted: Rights) -> list[str]:
    """The statements that make one of the other. What is new is given first, so that work under way is not refused."""
    given, taken = [], []
    for where in sorted(held.keys() | wanted.keys()):
        has, shall_have = held.get(where, set()), wanted.get(where, set())
        if where == _ROLES:
            taken += [f"REVOKE {role} FROM {account}" for role in sorted(has)]
            continue
        more, less = shall_have - has, has - shall_have
        if _ALL in more:
            less &= {_GRANT_OPTION}  # the others become part of all
        elif _ALL in less:
            # To take all away takes these too.
            more = shall_have
            given.append(f"REVOKE {_ALL} ON {where} FROM {account}")
            less -= {_ALL}
        if more:
            option = " WITH GRANT OPTION" if _GRANT_OPTION in more else ""
            rights = ", ".join(sorted(more - {_GRANT_OPTION})) or "USAGE"
            given.append(f"GRANT {rights} ON {where} TO {account}{option}")
        if less:
            taken.append(f"REVOKE {', '.join(sorted(less))} ON {where} FROM {account}")
    return given + taken


@dataclass
class Plan:
    """What is to be done, and both sides of the difference."""

    statements: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """What the server knows of a user from one host."""

    plugins: tuple[str, ...]
    """By which of these it may prove itself."""
    kept: bytes
    """What the server keeps of the password."""


class Server:
    """The server, asked through its client program. Statements go by standard input, which no other user sees."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self.is_mariadb = "mariadb" in self.ask("SELECT VERSION()")[0].lower()

    def ask(self, *statements: str) -> list[str]:
        """The lines that the statements answer."""
        given = self._module.params
        call = [given["command"], "--no-defaults", "--protocol=socket", f"--socket={given['socket']}", "--user=root",
                "--batch", "--raw", "--skip-column-names", "--default-character-set=utf8mb4"]  # fmt: skip
        script = _SESSION + "".join(f"{one};\n" for one in statements)
        try:
            status, output, error = self._module.run_command(
                call, data=script, binary_data=True, expand_user_and_vars=False, handle_exceptions=False
            )
        except OSError as problem:
            raise NoServerError(f"{given['command']} could not be run: {problem}") from None
        if status != 0:
            raise (NoServerError if _CANNOT_CONNECT.search(error) else ServerError)((error or output).strip())
        return [line for line in output.split("\n") if line]

    def collation(self, database: str) -> str | None:
        """The database's; None where there is no such database."""
        of_all = "SELECT default_collation_name FROM information_schema.schemata"
        return next(iter(self.ask(f"{of_all} WHERE schema_name = {text(database)}")), None)

    def accounts(self, user: str) -> dict[str, Account]:
        """The user's, by host."""
        if self.is_mariadb:
            columns = (
                "COALESCE(JSON_VALUE(priv, '$.plugin'), ''), "
                "HEX(COALESCE(JSON_VALUE(priv, '$.authentication_string'), '')), "
                "COALESCE(JSON_EXTRACT(priv, '$.auth_or[*].plugin'), '') FROM mysql.global_priv "
            )
        else:
            columns = "plugin, HEX(authentication_string), '' FROM mysql.user "
        found = {}
        for line in self.ask(f"SELECT HEX(host), {columns} WHERE user = {text(user)} ORDER BY host"):
            host, plugin, kept, others = line.split("\t")
            plugins = {plugin or "mysql_native_password", *re.findall(r"\w+", others)}
            found[bytes.fromhex(host).decode()] = Account(tuple(sorted(plugins)), bytes.fromhex(kept))
        return found

    def rights(self, user: str, host: str) -> Rights:
        return rights_of(self.ask(f"SHOW GRANTS FOR {text(user)}@{text(host)}"))

    def proof(self, given: dict[str, Any]) -> str:
        """How a user is to prove itself, in SQL. MariaDB is given the hash, so that no log of it has the password."""
        if given["authentication"] == "socket":
            return "IDENTIFIED VIA unix_socket" if self.is_mariadb else "IDENTIFIED WITH auth_socket"
        if self.is_mariadb:
            return f"IDENTIFIED VIA mysql_native_password USING {text(native_hash(given['password']))}"
        return f"IDENTIFIED WITH caching_sha2_password BY {text(given['password'])}"

    def is_proven(self, account: Account, given: dict[str, Any]) -> bool:
        """Whether the account is proven in the way that is wanted, and in no other."""
        if given["authentication"] == "socket":
            return account.plugins == ("unix_socket" if self.is_mariadb else "auth_socket",)
        if self.is_mariadb:
            hashed = native_hash(given["password"]).encode()
            return account.plugins == ("mysql_native_password",) and account.kept.upper() == hashed
        return account.plugins == ("caching_sha2_password",) and is_sha2_of(given["password"], account.kept)


def plan_database(server: Server, given: dict[str, Any]) -> Plan:
    database, collation = given["database"], given["collation"]
    before = server.collation(database)
    if given["state"] == "absent":
        if before is None:
            return Plan()
        return Plan([f"DROP DATABASE {name(database)}"], {database: {"collation": before}}, {})
    if before is None:
        how = f" COLLATE {collation}" if collation else ""
        return Plan([f"CREATE DATABASE {name(database)}{how}"], {}, {database: {"collation": collation or "default"}})
    if collation in ("", before):
        return Plan()
    statement = f"ALTER DATABASE {name(database)} COLLATE {collation}"
    return Plan([statement], {database: {"collation": before}}, {database: {"collation": collation}})


def plan_absent_user(server: Server, given: dict[str, Any]) -> Plan:
    user = given["user"]
    hosts = [host for host in server.accounts(user) if not given["hosts"] or host in given["hosts"]]
    plan = Plan([f"DROP USER {text(user)}@{text(host)}" for host in hosts], {f"{user}@{one}": {} for one in hosts})
    # Rights of nobody are everybody's, and stay when the anonymous user goes.
    if user == "" and (left := server.ask("SELECT HEX(db) FROM mysql.db WHERE user = ''")):
        plan.statements += ["DELETE FROM mysql.db WHERE user = ''", "FLUSH PRIVILEGES"]
        plan.before["rights of every user"] = sorted(bytes.fromhex(one).decode() for one in left)
    return plan


def plan_user(server: Server, given: dict[str, Any]) -> Plan:
    user, plan = given["user"], Plan()
    found, wanted = server.accounts(user), [host.lower() for host in given["hosts"]]
    rights = None if given["rights"] is None else wanted_rights(given["rights"])
    for host in wanted:
        account, shown = f"{text(user)}@{text(host)}", f"{user}@{host}"
        known = found.get(host)
        proven = known is not None and server.is_proven(known, given)
        if not proven:
            plan.statements.append(f"{'ALTER' if known else 'CREATE'} USER {account} {server.proof(given)}")
        held = server.rights(user, host) if known and rights is not None else {}
        if rights is not None:
            plan.statements += rights_changed(account, held, rights)
        if known:
            plan.before[shown] = told(given, proven, held)
        plan.after[shown] = told(given, True, rights or {})
    for host in sorted(found.keys() - set(wanted)):
        plan.statements.append(f"DROP USER {text(user)}@{text(host)}")
        plan.before[f"{user}@{host}"] = {}
    return plan


def told(given: dict[str, Any], proven: bool, rights: Rights) -> dict[str, Any]:
    """An account for a person's eyes."""
    what = "password" if given["authentication"] == "password" else "authentication"
    return {
        what: "as it is to be" if proven else "another",
        "rights": {where: sorted(rights[where]) for where in sorted(rights)},
    }


def plan(server: Server, given: dict[str, Any]) -> Plan:
    if given["database"] is not None:
        return plan_database(server, given)
    return plan_absent_user(server, given) if given["state"] == "absent" else plan_user(server, given)


def check_arguments(module: AnsibleModule) -> None:
    given = module.params
    if (given["database"] is None) == (given["user"] is None):
        module.fail_json(msg="database, user: give one of the two")
    if given["database"] == "":
        module.fail_json(msg="database: a name is needed")
    if re.fullmatch(r"[a-z0-9_]*", given["collation"]) is None:
        module.fail_json(msg=f"collation: {given['collation']!r} is none")
    if given["user"] is None or given["state"] == "absent":
        return
    if not given["user"]:
        module.fail_json(msg="user: the anonymous user can only be removed (state: absent)")
    if not given["hosts"]:
        module.fail_json(msg="hosts: say where the user connects from")
    if given["authentication"] == "password" and not given["password"]:
        module.fail_json(msg="password: a user that proves itself by a password needs one")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str"},
            "collation": {"type": "str", "default": ""},
            "user": {"type": "str"},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "authentication": {"type": "str", "choices": ["password", "socket"], "default": "password"},
            "password": {"type": "str", "no_log": True},
            "rights": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "command": {"type": "path", "default": "/usr/bin/mariadb"},
            "socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
        },
        supports_check_mode=True,
    )
    check_arguments(module)
    try:
        server = Server(module)
        wanted = plan(server, module.params)
        if wanted.statements and not module.check_mode:
            server.ask(*wanted.statements)
    except NoServerError as error:
        if module.check_mode:
            module.warn(f"What would change in the database is not known, as its server does not answer: {error}")
            module.exit_json(changed=False, statements=0)
        module.fail_json(msg=f"The database's server does not answer: {error}")
    except ServerError as error:
        what = module.params["database"] or module.params["user"] or "the anonymous user"
        module.fail_json(msg=f"{what} could not be brought to its state: {error}")
    diff = {"before": wanted.before, "after": wanted.after} if wanted.statements else {"before": {}, "after": {}}
    module.exit_json(changed=bool(wanted.statements), statements=len(wanted.statements), diff=diff)


if __name__ == "__main__":
    main()

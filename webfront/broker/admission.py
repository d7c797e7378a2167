"""A node's admission to the broker: its own user, rights and queues, and the end of them.

Everything goes through the management API, each step looks first: a second admission changes nothing and says so. If it
dies between two steps, running it again completes it; a node with half of it can do less, never more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final

from webfront.broker.management import Management
from webfront.broker.topology import EXCHANGES, Exchange, Queue, node_queues
from webfront.errors import InvalidInput
from wire import topology

_SALT_BYTES: Final = 4
_HASHING: Final = "rabbit_password_hashing_sha256"
_SHORTEST_PASSWORD: Final = 16

_CONNECTIONS: Final = 8
"""An agent has one; the rest are its connections of before a break that the broker has not yet found dead."""

_WRITABLE: Final = (topology.EVENTS, topology.HEARTBEATS, topology.LOGS)


def admit(api: Management, node: str, password: str) -> bool:
    """Let the node in: user, permissions, queues, bindings. True when anything had to change.

    Raises `InvalidInput`, `Conflict` (a queue stands with other arguments) or `BrokerUnavailable`.
    """
    check_name(node)
    if len(password) < _SHORTEST_PASSWORD or not password.isprintable():
        raise InvalidInput(
            f"The node's broker password must be at least {_SHORTEST_PASSWORD} printable characters: it is made by a "
            "program and typed by nobody."
        )
    changed = _queues(api, node)
    # The user last: as soon as it can sign in, its queues are there.
    changed.append(_user(api, topology.node_user(node), password))
    changed += _rights(api, node)
    return any(changed)


def renew(api: Management, node: str, known_hash: str = "") -> bool | None:
    """Declare anew what belongs to an admitted node, and leave its password, which nobody but the node has.

    A broker that does not know the node's user any more takes it back by the hash of its password, where that is given.
    True when anything had to change, None where the broker does not know the user and there is no hash. Raises as
    `admit` does.
    """
    check_name(node)
    user = topology.node_user(node)
    is_known = api.get("users", user) is not None
    if not is_known and not known_hash:
        return None
    changed = _queues(api, node)
    changed.append(_ensure(is_known, lambda: _put_user(api, user, known_hash)))
    changed += _rights(api, node)
    return any(changed)


def password_hashes(api: Management) -> dict[str, str]:
    """The hash of each admitted node's password, by node: what `renew` takes. Of long random passwords, and salted."""
    found = {}
    for entry in api.get("users") or ():
        node = topology.node_of_user(entry.get("name"))
        if node is not None and entry.get("hashing_algorithm") == _HASHING:
            found[node] = str(entry.get("password_hash", ""))
    return found


def admitted(api: Management) -> set[str]:
    """The nodes that have all of theirs at the broker, asked in three calls for all of them together."""
    users = {entry.get("name") for entry in api.get("users") or ()}
    rights = {entry.get("user"): entry for entry in api.get("vhosts", api.vhost, "permissions") or ()}
    bound = {
        (entry.get("source"), entry.get("destination"), entry.get("routing_key"))
        for entry in api.get("bindings", api.vhost) or ()
        if entry.get("destination_type") == "queue"
    }

    def is_whole(node: str) -> bool:
        had = rights.get(topology.node_user(node), {})
        return all(had.get(right) == pattern for right, pattern in permissions(node).items()) and all(
            (queue.exchange, queue.name, queue.routing_key) in bound
            for queue in node_queues(node, cluster=api.is_cluster)
        )

    nodes = {node for user in users if (node := topology.node_of_user(user)) is not None}
    return {node for node in nodes if is_whole(node)}


def dismiss(api: Management, node: str) -> bool:
    """Shut the node out: its user, open connections, and queues with what they hold. True when anything was there."""
    check_name(node)
    user = topology.node_user(node)
    # The user first, so that it cannot come back while the rest goes.
    changed = [api.delete("users", user)]
    _disconnect(api, user)
    changed += [api.delete("queues", api.vhost, name) for name in _queue_names(node)]
    return any(changed)


def _disconnect(api: Management, user: str) -> None:
    """Close what the user has open.

    By its name: the API's list of connections is seconds old, and of one that is already gone a 500 would come back.
    """
    api.delete("connections", "username", user)


def check_name(node: str) -> None:
    """Raise `InvalidInput` unless this can be a node's name: it becomes part of names and patterns at the broker."""
    if not topology.NODE_NAME.fullmatch(node):
        raise InvalidInput(f"{node!r} cannot be a node's name: it has {topology.NODE_NAME_RULE}.")


def hash_password(password: str, salt: bytes | None = None) -> str:
    """RabbitMQ's `rabbit_password_hashing_sha256`: base64 of a salt of 4 bytes and SHA-256 over salt and password.

    Hashed here, so that the clear one is in no request to the broker that something on the way could log.
    """
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def permissions(node: str) -> dict[str, str]:
    """What the node's user may do, as RabbitMQ's patterns: write to three exchanges, read its own queues, no more."""
    return {
        "configure": "^$",
        "write": _any_of(_WRITABLE),
        "read": _any_of(_queue_names(node)),
    }


def _queue_names(node: str) -> list[str]:
    return [queue.name for queue in node_queues(node, cluster=False)]


def _queues(api: Management, node: str) -> list[bool]:
    changed = [_exchange(api, exchange) for exchange in EXCHANGES]
    return changed + [_queue(api, queue) for queue in node_queues(node, cluster=api.is_cluster)]


def _rights(api: Management, node: str) -> list[bool]:
    user = topology.node_user(node)
    return [_permissions(api, user, node), _limit(api, user)]


def _any_of(names: tuple[str, ...] | list[str]) -> str:
    # re.escape also escapes hyphens, which PCRE accepts; the names hold letters, digits, dots and hyphens only.
    return "^(" + "|".join(name.replace(".", r"\.") for name in names) + ")$"


def _ensure(present: bool, make: Callable[[], None]) -> bool:
    if not present:
        make()
    return not present


def _exchange(api: Management, exchange: Exchange) -> bool:
    path = ("exchanges", api.vhost, exchange.name)
    body = {"type": exchange.kind, "durable": True, "auto_delete": False, "internal": False, "arguments": {}}
    return _ensure(api.get(*path) is not None, lambda: api.put(*path, body=body))


def _queue(api: Management, queue: Queue) -> bool:
    path = ("queues", api.vhost, queue.name)
    found = api.get(*path)
    # Put even if it is there with other arguments: the broker then names the difference.
    same = found is not None and found.get("arguments") == queue.arguments and found.get("durable") is True
    if found is not None and not same and queue.replaceable:
        api.delete(*path)
    body: dict[str, Any] = {"durable": True, "auto_delete": False, "arguments": queue.arguments}
    changed = _ensure(same, lambda: api.put(*path, body=body))
    binding = ("bindings", api.vhost, "e", queue.exchange, "q", queue.name)
    bound = any(entry.get("routing_key") == queue.routing_key for entry in api.get(*binding) or ())
    wanted = {"routing_key": queue.routing_key, "arguments": {}}
    return _ensure(bound, lambda: api.post(*binding, body=wanted)) or changed


def _user(api: Management, user: str, password: str) -> bool:
    found = api.get("users", user)
    same = (
        found is not None
        and found.get("hashing_algorithm") == _HASHING
        and not found.get("tags")
        and _is_hash_of(found.get("password_hash", ""), password)
    )
    if same:
        return False
    _put_user(api, user, hash_password(password))
    if found is not None:
        # The broker asks for a password once a connection: who signed in with another one is not let stay.
        _disconnect(api, user)
    return True


def _put_user(api: Management, user: str, password_hash: str) -> None:
    api.put("users", user, body={"password_hash": password_hash, "hashing_algorithm": _HASHING, "tags": ""})


def _is_hash_of(found: str, password: str) -> bool:
    try:
        salt = base64.b64decode(found, validate=True)[:_SALT_BYTES]
    except ValueError:
        return False
    return hmac.compare_digest(found, hash_password(password, salt))


def _permissions(api: Management, user: str, node: str) -> bool:
    path = ("permissions", api.vhost, user)
    wanted = permissions(node)
    found = api.get(*path) or {}
    same = all(found.get(right) == pattern for right, pattern in wanted.items())
    # Elsewhere it has none: a user of RabbitMQ can use only the virtual hosts it has permissions in.
    return _ensure(same, lambda: api.put(*path, body=dict(wanted)))


def _limit(api: Management, user: str) -> bool:
    found = api.get("user-limits", user) or []
    limits = found[0].get("value", {}) if isinstance(found, list) and found else {}
    return _ensure(
        limits.get("max-connections") == _CONNECTIONS,
        lambda: api.put("user-limits", user, "max-connections", body={"value": _CONNECTIONS}),
    )

"""Idempotency keys: a request for a job that comes again with its key is the job that it became the first time.

A key is one user's, for submitting jobs; another user's equal key is another key. Its row is written in the transaction
of the job's row (`webfront.jobs.intake`), and the unique index on user and key decides between two that come at once:
there is never a key without a job, nor a second job for a key, whatever dies. The row holds a digest of what was asked
for, by which a key that comes with another request is refused. Jobs that come without a key cost nothing here.

A key holds for a day, and no longer than its job is there. From then on it is free, whether the chore has removed its
row or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

import msgspec

from webfront.activity.slices import remove_in_slices
from webfront.activity.term import Term
from webfront.database.connection import despite_deadlocks, transaction
from webfront.database.rows import change, rows, shared, unless_there
from webfront.errors import InvalidInput, KeyReused
from webfront.jobs.inputs import InputFile, clean_file_name

KEEP_S: Final = 24 * 3600.0
LONGEST: Final = 255

_FIND: Final = (
    "SELECT k.request, k.job, k.at, j.id AS found FROM submission_key k LEFT JOIN job j ON j.id = k.job "
    "WHERE k.user_id = ? AND k.`key` = ?"
)
# By user and key, as it is found: who locked the row first and then its key would wait for who does it the other way.
_GIVE_UP: Final = "DELETE FROM submission_key WHERE user_id = ? AND `key` = ? AND job = ?"
_TAKE: Final = "INSERT INTO submission_key (user_id, `key`, request, job, at) VALUES (?, ?, ?, ?, ?)"
# Ids grow with time: what is old comes first, and once the oldest ones are to be kept, so are the others.
_OLDEST: Final = "SELECT id, at FROM submission_key ORDER BY id LIMIT ?"
_DELETE: Final = "DELETE FROM submission_key WHERE id IN (?*)"


class Key(NamedTuple):
    """A key, and what it stands for."""

    user_id: int
    text: str
    request: str
    """A digest of what is asked for, equal for requests that ask for the same. A release that changes what goes into it
    refuses repetitions of what was accepted on the day before."""


class _Row(NamedTuple):
    request: str
    job: str
    at: float
    found: str | None
    """The job's id again, where the job is there."""


class _OldKey(NamedTuple):
    id: int
    at: float


def key_of(
    user_id: int,
    text: str,
    *,
    app: str,
    version: str | None,
    parameters: Mapping[str, str],
    priority: int,
    given: InputFile | None,
) -> Key:
    """The key of a request for this. Reads the input once. InvalidInput when the text cannot be a key."""
    if not 0 < len(text) <= LONGEST:
        raise InvalidInput(f"This idempotency key has {len(text)} characters; it must have 1 to {LONGEST}.")
    if not text.isascii() or not text.isprintable():
        raise InvalidInput("An idempotency key is printable ASCII: letters, digits, signs and spaces. Use a UUID.")
    file = None if given is None else (clean_file_name(given.name), given.sha256())
    asked = (app, version or None, sorted(parameters.items()), priority, file)
    return Key(user_id, text, hashlib.sha256(msgspec.json.encode(asked)).hexdigest())


def job_of(key: Key, now: float) -> str | None:
    """The id of the job that the key's first request became; None while the key is free. KeyReused.

    A row that no longer holds is removed. On MySQL this waits for a transaction that is just taking the key: if that
    hangs, here it holds up nobody else.
    """
    for row in despite_deadlocks(lambda: rows(_Row, shared(_FIND), key.user_id, key.text)):
        if row.found is None or row.at <= now - KEEP_S:
            despite_deadlocks(partial(_give_up, key, row.job))
        elif row.request != key.request:
            raise KeyReused(
                f"This idempotency key came before with another request, which became the job {row.job}. "
                "Use a new key for each request that is not a repetition.",
                detail={"job": row.job},
            )
        else:
            return row.job
    return None


def _give_up(key: Key, job_id: str) -> None:
    with transaction():
        change(_GIVE_UP, key.user_id, key.text, job_id)


def take(key: Key, job_id: str, at: float) -> bool:
    """Write the key's row within the transaction of its job's. False: it is another job's.

    On MySQL this too waits for a transaction that is just taking the key. Who takes several takes them in their order,
    so that two do not wait for each other.
    """
    return change(unless_there(_TAKE), key.user_id, key.text, key.request, job_id, at) == 1


def forget_old_keys(term: Term) -> str:
    """The chore: remove the keys that no longer hold."""
    limit = term.now() - KEEP_S

    def find(most: int) -> list[int]:
        return [one.id for one in rows(_OldKey, _OLDEST, most) if one.at <= limit]

    removed = remove_in_slices(term, find, lambda ids: change(_DELETE, ids))
    return f"removed {removed} old idempotency keys" if removed else ""

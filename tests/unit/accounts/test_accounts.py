"""Signing in: what holds, for how long, and what is refused."""

from __future__ import annotations

import pytest

from webfront.accounts.service import SESSION_IDLE_S, SESSION_LONGEST_S, TOKEN_S, AccountService
from webfront.accounts.throttle import TRIES_PER_CLIENT, TRIES_PER_USER, WINDOW_S
from webfront.accounts.users import create_user
from webfront.database.models import ApiToken, Session, User
from webfront.errors import Conflict, InvalidInput, NotSignedIn, Throttled

PASSWORD = "correct horse"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(database: object, clock: Clock) -> AccountService:
    create_user("ada", PASSWORD, is_admin=True)
    return AccountService(clock)


def test_only_hashes_are_kept(accounts: AccountService) -> None:
    session = accounts.sign_in("ada", PASSWORD, client="10.0.0.1")
    token = accounts.issue_token("ada", PASSWORD, client="10.0.0.1")
    kept = [*Session.select().tuples(), *ApiToken.select().tuples(), *User.select().tuples()]
    assert not [secret for secret in (session.token, token.token, PASSWORD) if secret in str(kept)]
    assert session.token not in repr(session)
    assert token.token not in repr(token)


def test_wrong_name_and_wrong_password_answer_alike(accounts: AccountService) -> None:
    answers = []
    for name in ("ada", "nobody"):
        with pytest.raises(NotSignedIn) as caught:
            accounts.sign_in(name, "wrong horse", client="10.0.0.1")
        answers.append(caught.value.message)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_a_name_is_throttled_whether_it_exists_or_not(accounts: AccountService, clock: Clock, name: str) -> None:
    for number in range(TRIES_PER_USER):
        with pytest.raises(NotSignedIn):
            accounts.sign_in(name, "wrong horse", client=f"10.0.0.{number}")
    with pytest.raises(Throttled) as caught:
        accounts.sign_in(name, PASSWORD, client="10.0.1.1")
    clock.now += caught.value.retry_after_s + 1
    if name == "ada":
        assert accounts.sign_in(name, PASSWORD, client="10.0.1.1").account.name == "ada"
    assert caught.value.retry_after_s <= WINDOW_S


def test_an_address_is_throttled_across_names(accounts: AccountService) -> None:
    for number in range(TRIES_PER_CLIENT):
        with pytest.raises(NotSignedIn):
            accounts.issue_token(f"user{number}", "wrong horse", client="10.0.0.1")
    with pytest.raises(Throttled):
        accounts.sign_in("ada", PASSWORD, client="10.0.0.1")
    assert accounts.sign_in("ada", PASSWORD, client="10.0.0.2")


def test_signing_in_rightly_is_never_throttled(accounts: AccountService) -> None:
    for _ in range(TRIES_PER_USER + 2):
        accounts.sign_in("ada", PASSWORD, client="10.0.0.1")


def test_a_session_slides_up_to_its_bound(accounts: AccountService, clock: Clock) -> None:
    begun = clock.now
    token = accounts.sign_in("ada", PASSWORD, client="10.0.0.1").token
    while clock.now + SESSION_IDLE_S / 2 < begun + SESSION_LONGEST_S:
        clock.now += SESSION_IDLE_S / 2
        assert accounts.session(token) is not None
    clock.now = begun + SESSION_LONGEST_S + 1
    assert accounts.session(token) is None


def test_an_idle_session_ends_and_a_signed_out_one_at_once(accounts: AccountService, clock: Clock) -> None:
    idle = accounts.sign_in("ada", PASSWORD, client="10.0.0.1").token
    left = accounts.sign_in("ada", PASSWORD, client="10.0.0.1").token
    accounts.sign_out(left)
    assert accounts.session(left) is None
    clock.now += SESSION_IDLE_S + 1
    assert accounts.session(idle) is None


def test_a_token_holds_until_it_expires_or_is_given_back(accounts: AccountService, clock: Clock) -> None:
    first = accounts.issue_token("ada", PASSWORD, client="10.0.0.1").token
    second = accounts.issue_token("ada", PASSWORD, client="10.0.0.1").token
    account = accounts.bearer(first)
    assert account is not None
    assert (account.name, account.is_admin) == ("ada", True)
    accounts.revoke_token(first)
    assert accounts.bearer(first) is None
    clock.now += TOKEN_S + 1
    assert accounts.bearer(second) is None


def test_users_have_decent_names_and_passwords(accounts: AccountService) -> None:
    with pytest.raises(Conflict):
        create_user("ada", PASSWORD)
    with pytest.raises(InvalidInput):
        create_user("Ada Lovelace", PASSWORD)
    with pytest.raises(InvalidInput):
        create_user("bob", "short")

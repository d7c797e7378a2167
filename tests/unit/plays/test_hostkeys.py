"""Which host keys a play goes on with."""

from __future__ import annotations

import base64

import pytest

from webfront.plays.hostkeys import check, fingerprint, only_keys
from webfront.plays.outcome import PlayFailed


def key(kind: str, content: bytes) -> str:
    return f"{kind} {base64.b64encode(content * 16).decode()}"


ED, ED2, RSA, RSA2 = key("ssh-ed25519", b"a"), key("ssh-ed25519", b"b"), key("ssh-rsa", b"c"), key("ssh-rsa", b"d")
SHOWN = f"{ED}\n{RSA}"


def test_nothing_pinned_takes_what_is_shown() -> None:
    assert check("", SHOWN, "alpha") == SHOWN


@pytest.mark.parametrize(
    ("pinned", "kept"),
    [
        (ED, ED),
        (SHOWN, SHOWN),
        (f"10.0.0.7 {ED} a comment", ED),
        (f"[10.0.0.7]:2222,alpha {RSA}", RSA),
        (fingerprint(RSA), RSA),
        (f"256 {fingerprint(ED)} root@alpha (ED25519)", ED),
        # A key of a type that the machine no longer offers does not speak against the one that it does.
        (f"{ED}\necdsa-sha2-nistp256 {RSA.split()[1]}", ED),
    ],
)
def test_what_is_pinned_and_shown_is_kept(pinned: str, kept: str) -> None:
    assert check(pinned, SHOWN, "alpha") == kept


@pytest.mark.parametrize("pinned", [ED2, RSA2, f"{ED}\n{RSA2}", fingerprint(ED2), "ssh-dss " + ED.split()[1]])
def test_another_key_than_the_pinned_one_is_refused(pinned: str) -> None:
    with pytest.raises(PlayFailed, match="does not show the host key") as caught:
        check(pinned, SHOWN, "alpha")
    assert fingerprint(ED) in caught.value.failure.message


@pytest.mark.parametrize("pinned", ["nonsense", "ssh-ed25519", "ssh-ed25519 !!!"])
def test_a_pin_that_cannot_be_read_is_refused(pinned: str) -> None:
    with pytest.raises(PlayFailed, match="cannot be read"):
        check(pinned, SHOWN, "alpha")


def test_only_keys_leaves_out_fingerprints() -> None:
    assert only_keys(f"{fingerprint(ED)}\n\n{RSA}\n") == RSA

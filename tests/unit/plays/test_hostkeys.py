"""Which host keys a play goes on with."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from webfront.plays.hostkeys import as_listed, check, fingerprint, only_keys
from webfront.plays.outcome import PlayFailed


def key(kind: str, content: bytes) -> str:
    return f"{kind} {base64.b64encode(content * 16).decode()}"


ED, ED2, RSA, RSA2 = key("ssh-ed25519", b"a"), key("ssh-ed25519", b"b"), key("ssh-rsa", b"c"), key("ssh-rsa", b"d")
SHOWN = f"{ED}\n{RSA}"


def test_they_are_listed_as_ssh_keygen_lists_them(tmp_path: Path) -> None:
    keys, listed = [], []
    for kind in ("ed25519", "ecdsa", "rsa"):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(tmp_path / kind)], check=True)
        public = (tmp_path / f"{kind}.pub").read_text()
        keys.append(" ".join(public.split()[:2]))
        command = ["ssh-keygen", "-lf", str(tmp_path / f"{kind}.pub")]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        listed.append(f"{told[1]} {told[-1]}")
    assert as_listed("\n".join(keys)) == listed
    assert as_listed(f"host {keys[0]} comment\n\nSHA256:abc=\nnonsense") == [listed[0], "SHA256:abc", "nonsense"]


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

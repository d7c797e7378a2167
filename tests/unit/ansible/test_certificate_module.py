"""The module `skerry_certificate` with the real openssl: what it makes verifies, and is made anew when it should be."""

from __future__ import annotations

import ssl
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.ansible_module import run_module

NAMES = ["skerry.test", "*.edge.test", "192.0.2.7", "2001:db8::7"]


class Kept:
    """A folder with an authority and a certificate."""

    def __init__(self, folder: Path) -> None:
        self.own, self.ca = folder / "tls/own.pem", folder / "tls/ca.pem"
        self.published = folder / "ca.crt"
        self._given = {"folder": str(folder / "tls"), "authority": str(self.published), "names": NAMES}

    def __call__(self, *, check: bool = False, **more: Any) -> dict[str, str]:
        """What was made anew, or would be; told truthfully."""
        before = self.content()
        result = run_module("skerry_certificate", check=check, **(self._given | more))
        assert "failed" not in result, result
        assert result["changed"] == bool(result["reasons"])
        assert "PRIVATE KEY" not in str(result)
        assert (self.content() == before) == (check or not result["changed"])
        reasons: dict[str, str] = result["reasons"]
        return reasons

    def content(self) -> list[str]:
        return [path.read_text() if path.exists() else "" for path in (self.own, self.ca, self.published)]

    def verifies(self, name: str, purpose: str = "sslserver") -> bool:
        kind = "-verify_ip" if name[0].isdigit() else "-verify_hostname"
        command = [
            "openssl",
            "verify",
            "-CAfile",
            str(self.published),
            "-purpose",
            purpose,
            kind,
            name,
            str(self.own),
        ]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    assert set(made(check=True)) == {"authority", "certificate", "published"}
    assert not made.own.exists()
    assert set(made()) == {"authority", "certificate", "published"}
    return made


def test_what_it_makes_verifies_for_its_names_and_stays(kept: Kept) -> None:
    for name in ("skerry.test", "a.edge.test", "192.0.2.7", "2001:db8::7"):
        assert kept.verifies(name), name
    assert not kept.verifies("another.test")
    assert kept(check=True) == kept() == {}
    # A server can load it, key and certificate from one file.
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(kept.own)


def test_keys_are_for_their_owner_alone_and_nothing_is_left_over(kept: Kept) -> None:
    assert [stat.S_IMODE(path.stat().st_mode) for path in (kept.own, kept.ca, kept.published)] == [0o600, 0o600, 0o644]
    assert stat.S_IMODE(kept.own.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in kept.own.parent.iterdir()) == ["ca.pem", "own.pem"]
    assert "PRIVATE KEY" not in kept.published.read_text()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"renew_days": 366}, "it ends in less than 366 days"),
        ({"names": ["skerry.test"]}, "its names are others"),
        ({"usages": ["server", "client"]}, "it is for something else"),
        ({"rotate": "certificate"}, "asked for"),
    ],
)
def test_a_certificate_is_made_anew_under_the_same_authority(kept: Kept, more: dict[str, Any], why: str) -> None:
    authority = kept.published.read_text()
    assert kept(check=True, **more) == kept(**more) == {"certificate": why}
    assert kept.published.read_text() == authority
    assert kept.verifies("skerry.test")


def test_it_is_for_what_is_asked_for_and_nothing_else(kept: Kept) -> None:
    assert not kept.verifies("skerry.test", "sslclient")
    both: dict[str, Any] = {"usages": ["server", "client"]}
    assert kept(**both) == {"certificate": "it is for something else"}
    assert kept(**both) == {}
    assert kept.verifies("skerry.test", "sslclient")
    assert kept.verifies("skerry.test")


def test_an_authority_that_ends_too_soon_is_renewed_with_its_key(kept: Kept) -> None:
    before = kept.published.read_text()
    more: dict[str, Any] = {"days": 3700}
    assert set(kept(check=True, **more)) == set(kept(**more)) == {"authority", "published"}
    # Who trusts the one before still trusts what it has signed.
    kept.published.write_text(before)
    assert kept.verifies("skerry.test")


def test_a_rotated_authority_signs_anew(kept: Kept) -> None:
    before = kept.published.read_text()
    everything = {"authority", "certificate", "published"}
    assert set(kept(check=True, rotate="authority")) == set(kept(rotate="authority")) == everything
    assert kept.verifies("skerry.test")
    kept.published.write_text(before)
    assert not kept.verifies("skerry.test")


def test_an_authority_is_rotated_without_a_moment_of_distrust(kept: Kept) -> None:
    """In three steps. Each may be taken twice, as after a kill; one that does not fit yet does nothing."""
    old = kept.published.read_text()
    assert kept(rotate="adopt") == kept(rotate="retire") == {}
    assert set(kept(check=True, rotate="introduce")) == set(kept(rotate="introduce")) == {"rotation", "published"}
    both = kept.published.read_text()
    assert old in both
    assert both.count("BEGIN CERTIFICATE") == 2
    assert kept(rotate="introduce") == kept() == {}
    # What was signed before counts for those who trust both and for those who trust the old one.
    assert kept.verifies("skerry.test")

    assert set(kept(check=True, rotate="adopt")) == set(kept(rotate="adopt")) == {"rotation", "certificate"}
    assert kept(rotate="adopt") == kept(rotate="introduce") == kept() == {}
    assert kept.published.read_text() == both
    assert kept.verifies("skerry.test")

    assert set(kept(check=True, rotate="retire")) == set(kept(rotate="retire")) == {"rotation", "published"}
    assert kept(rotate="retire") == kept() == {}
    assert kept.published.read_text() == both.replace(old, "")
    assert kept.verifies("skerry.test")
    kept.published.write_text(old)
    assert not kept.verifies("skerry.test")


def test_a_step_that_was_cut_off_is_made_up_for(kept: Kept) -> None:
    """Killed between its two files: the next authority signs, and the one before is still trusted."""
    old = kept.published.read_text()
    kept(rotate="introduce")
    kept.ca.with_name("previous.crt").write_text(old)
    assert set(kept(rotate="adopt")) == {"rotation", "certificate"}
    assert old in kept.published.read_text()


def test_one_authority_signs_for_several(kept: Kept, tmp_path: Path) -> None:
    issued = tmp_path / "tls/issued/two.pem"
    kept.own = issued
    assert set(kept(certificate=str(issued), names=["two.test"])) == {"certificate"}
    assert kept.verifies("two.test")
    assert not kept.verifies("skerry.test")


@pytest.mark.parametrize("broken", ["own", "ca", "published"])
def test_what_was_spoilt_is_mended(kept: Kept, broken: str) -> None:
    path: Path = getattr(kept, broken)
    path.write_text("")
    assert kept(check=True)
    assert kept()
    assert kept() == {}
    assert kept.verifies("skerry.test")


def test_what_openssl_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run_module("skerry_certificate", folder=str(tmp_path / "file"), authority=str(tmp_path / "a"), names=["x"])
    assert "could not be made" in result["msg"]

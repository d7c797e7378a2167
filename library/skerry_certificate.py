#!/usr/bin/python
"""Ansible module: a server's certificate from a certificate authority of its own, both made and renewed in place.

Whatever line it dies on, what a server reads is whole: each file is written beside its place and renamed, and a key
stands in one file with the certificate it belongs to.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: skerry_certificate
short_description: Keep a certificate from an own certificate authority
description:
  - Makes a certificate authority, once, and a certificate signed by it for a server. Both are kept on the machine and
    neither key leaves it.
  - A run renews the certificate when it has less than O(renew_days) left, when its names are not O(names) any more, or
    when it does not belong to the authority. The authority's certificate is renewed, with the same key, before it could
    end before a certificate it has signed.
  - Uses C(openssl).
options:
  folder:
    description:
      - Where the authority and the certificate are, readable by root alone. C(ca.pem) holds the authority's key and
        certificate, C(own.pem) the server's. While the authority is rotated, C(next.pem) holds the next one, or
        C(previous.crt) the certificate of the one before.
    type: path
    required: true
  authority:
    description: Where the certificates of those authorities are put that clients are to trust, readable by all.
    type: path
    required: true
  names:
    description: Host names and IP addresses the certificate is for. The first is its common name too.
    type: list
    elements: str
    required: true
  days:
    description: For how many days a certificate is valid.
    type: int
    default: 365
  renew_days:
    description: A certificate with fewer days left than this is renewed.
    type: int
    default: 30
  certificate:
    description:
      - Where the certificate and its key are, when not in C(own.pem). One authority can sign for several servers.
    type: path
  usages:
    description:
      - What the certificate is for. Members of a cluster that know each other by certificates are servers and clients.
    type: list
    elements: str
    choices: [server, client]
    default: [server]
  authority_name:
    description: How the authority's common name begins.
    type: str
    default: Skerry front door
  rotate:
    description:
      - C(certificate) makes a new key and certificate in any case, C(authority) a new authority as well, which clients
        then have to be given anew. Each run with it does so again.
      - The other three make another authority without a moment in which a client trusts no server. After C(introduce)
        there is a next authority, which signs nothing yet and is published beside the one of before. When every client
        has both, C(adopt) has the next one sign. When every server has its certificate from it, C(retire) publishes it
        alone. Each does nothing where it was done; C(introduce) nothing either while the one before is not retired.
    type: str
    choices: [none, certificate, authority, introduce, adopt, retire]
    default: none
attributes:
  check_mode:
    description: Says what would be made anew, and makes nothing.
    support: full
  diff_mode:
    description: Says why in words. No key is shown.
    support: full
author: Skerry
"""

EXAMPLES = r"""
- name: Keep the certificate
  skerry_certificate:
    folder: /etc/nginx/skerry/tls
    authority: /etc/nginx/skerry/ca.crt
    names: [skerry.example.org, 10.0.0.4]

- name: Make a new key and certificate, as the old key may be known to others
  skerry_certificate:
    folder: /etc/nginx/skerry/tls
    authority: /etc/nginx/skerry/ca.crt
    names: [skerry.example.org, 10.0.0.4]
    rotate: certificate
"""

RETURN = r"""
reasons:
  description: What was made anew, or would be, and why; without one nothing was.
  returned: always
  type: dict
  sample: {certificate: it ends in less than 30 days}
"""

_USAGES = {
    "server": ("serverAuth", "TLS Web Server Authentication"),
    "client": ("clientAuth", "TLS Web Client Authentication"),
}
"""Each as openssl is told it, and as it tells it."""
_AUTHORITY_DAYS = 3650
_DAY_S = 86400


class CertificateError(Exception):
    """openssl failed; the message is its own."""


class Wish(NamedTuple):
    """Why the authority is to be made anew."""

    why: str
    new_key: bool = True
    """Without one, its certificate is renewed, and what it has signed stays valid."""


class Certificates:
    """The files in one folder, and what is wrong with them."""

    def __init__(self, module: AnsibleModule) -> None:
        given = module.params
        self._module = module
        self._folder = folder = Path(given["folder"])
        self._names: list[str] = given["names"]
        self._usages = [_USAGES[usage] for usage in given["usages"]]
        self._days: int = given["days"]
        self._authority_name: str = given["authority_name"]
        self._ca = folder / "ca.pem"
        self._next = folder / "next.pem"
        self._previous = folder / "previous.crt"
        self._own = Path(given["certificate"] or folder / "own.pem")

    def authority_wants(self, rotate: str) -> Wish | None:
        """Why the authority is to be made anew, or renewed; None where it is well."""
        if rotate == "authority":
            return Wish("asked for")
        if not self._ca.exists():
            return Wish("there is none")
        if not self._belongs(self._ca):
            return Wish("its key and certificate do not belong together")
        if not self._lasts(self._ca, self._days):
            return Wish(f"it ends within the {self._days} days of a certificate it signs", new_key=False)
        return None

    def turn_wants(self, rotate: str) -> str:
        """What a step from one authority to the next would do; empty where it is done, or not due."""
        if not self._ca.exists():
            return ""
        if rotate == "introduce" and not self._next.exists() and not self._previous.exists():
            return "a next one is made"
        if rotate == "adopt" and self._next.exists():
            return "the next one signs"
        if rotate == "retire" and self._previous.exists():
            return "the one before is trusted no more"
        return ""

    def turn(self, rotate: str) -> None:
        """Take that step. Each ends with one rename or removal: killed before, it is taken again from its start."""
        if rotate == "introduce":
            self.make_authority(self._next, with_new_key=True)
        elif rotate == "adopt":
            # While both are there, the one before may be the one that still signs: it is trusted once or twice.
            _place(self._previous, self._certificate_of(self._ca), 0o644)
            self._next.replace(self._ca)
            _sync(self._folder)
        elif rotate == "retire":
            self._previous.unlink()
            _sync(self._folder)

    def certificate_wants(self, rotate: str, renew_days: int) -> str:
        """Why the certificate is to be made anew; empty where it is well."""
        if rotate == "certificate":
            return "asked for"
        if not self._own.exists():
            return "there is none"
        if not self._belongs(self._own):
            return "its key and certificate do not belong together"
        if not self._lasts(self._own, renew_days):
            return f"it ends in less than {renew_days} days"
        if self.names_in(self._own) != {_canonical(name) for name in self._names}:
            return "its names are others"
        if self._usages_in(self._own) != {told for _, told in self._usages}:
            return "it is for something else"
        if self._run("verify", "-CAfile", str(self._ca), str(self._own), fails=True)[0] != 0:
            return "another authority signed it"
        return ""

    def names_in(self, path: Path) -> set[str]:
        """The names and addresses a certificate is for."""
        text = self._run("x509", "-in", str(path), "-noout", "-ext", "subjectAltName", fails=True)[1]
        return {_canonical(found) for found in re.findall(r"(?:DNS|IP Address):([^,\s]+)", text)}

    def _usages_in(self, path: Path) -> set[str]:
        lines = self._run("x509", "-in", str(path), "-noout", "-ext", "extendedKeyUsage", fails=True)[1].splitlines()
        return {usage.strip() for line in lines[1:] for usage in line.split(",")}

    def make_authority(self, place: Path | None = None, *, with_new_key: bool) -> None:
        """The authority: its key, and a certificate that it signs itself."""
        with self._workshop() as work:
            key = work / "ca.key"
            if with_new_key:
                self._make_key(key)
            else:
                self._run("pkey", "-in", str(self._ca), "-out", str(key))
            (work / "settings").write_text(
                "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=rights\n[name]\nO=Skerry\n"
                f"CN={self._authority_name} {_common_name(self._names)}\n"
                "[rights]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
                "subjectKeyIdentifier=hash\n"
            )
            self._run(
                "req", "-x509", "-new", "-sha256", "-key", str(key), "-config", str(work / "settings"),
                "-days", str(_AUTHORITY_DAYS), "-set_serial", _serial(), "-out", str(work / "ca.crt"),
            )  # fmt: skip
            _place(place or self._ca, key.read_text() + (work / "ca.crt").read_text(), 0o600)

    def make_certificate(self) -> None:
        """A new key, and its certificate."""
        with self._workshop() as work:
            key, request, made = work / "own.key", work / "own.csr", work / "own.crt"
            self._make_key(key)
            (work / "settings").write_text(
                "[req]\nprompt=no\ndistinguished_name=name\n[name]\nO=Skerry\n"
                f"CN={_common_name(self._names)}\n"
                "[rights]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                f"extendedKeyUsage={','.join(asked for asked, _ in self._usages)}\n"
                "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                f"subjectAltName={','.join(_alternative(name) for name in self._names)}\n"
            )
            self._run("req", "-new", "-key", str(key), "-config", str(work / "settings"), "-out", str(request))
            self._run(
                "x509", "-req", "-sha256", "-in", str(request), "-CA", str(self._ca), "-CAkey", str(self._ca),
                "-days", str(self._days), "-set_serial", _serial(),
                "-extfile", str(work / "settings"), "-extensions", "rights", "-out", str(made),
            )  # fmt: skip
            self._own.parent.mkdir(mode=0o700, exist_ok=True)
            _place(self._own, key.read_text() + made.read_text(), 0o600)

    def trusted_text(self) -> str:
        """The certificates of the authorities that clients are to trust: the one that signs, and while it is rotated
        the next one or the one before."""
        found = [self._certificate_of(self._ca)]
        found += [self._certificate_of(path) for path in (self._next, self._previous) if path.exists()]
        return "".join(sorted(set(found)))

    def _certificate_of(self, path: Path) -> str:
        return self._run("x509", "-in", str(path))[1]

    def _make_key(self, path: Path) -> None:
        self._run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))

    def _belongs(self, path: Path) -> bool:
        of_key = self._run("pkey", "-in", str(path), "-pubout", fails=True)
        of_certificate = self._run("x509", "-in", str(path), "-noout", "-pubkey", fails=True)
        return of_key[0] == of_certificate[0] == 0 and of_key[1] == of_certificate[1]

    def _lasts(self, path: Path, days: int) -> bool:
        return self._run("x509", "-in", str(path), "-noout", "-checkend", str(days * _DAY_S), fails=True)[0] == 0

    @contextlib.contextmanager
    def _workshop(self) -> Iterator[Path]:
        """A folder for what is being made, which none but root can enter, and which a run that is killed may leave."""
        for left in self._folder.glob(".making-*"):
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=".making-", dir=self._folder))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _run(self, *arguments: str, fails: bool = False) -> tuple[int, str]:
        status, output, error = self._module.run_command(["openssl", *arguments], environ_update={"LC_ALL": "C"})
        if status != 0 and not fails:
            raise CertificateError(f"openssl {arguments[0]}: {error.strip()}")
        return status, output


def _place(path: Path, content: str, mode: int) -> None:
    """Write a file whole: on the disk before it has its name."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    with new.open("w", encoding="ascii") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _sync(folder: Path) -> None:
    """A rename or removal in it is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _canonical(name: str) -> str:
    return ipaddress.ip_address(name).compressed if _is_address(name) else name.lower()


def _alternative(name: str) -> str:
    return f"IP:{name}" if _is_address(name) else f"DNS:{name}"


def _common_name(names: list[str]) -> str:
    """At most 64 characters, as X.509 has it; clients go by the alternative names."""
    return next((name for name in names if len(name) <= 40), "server")


def _serial() -> str:
    return f"0x{secrets.randbits(127) | 1 << 126:032x}"


def keep(
    certificates: Certificates, authority: Path, *, rotate: str, renew_days: int, has_openssl: bool, check: bool
) -> dict[str, str]:
    """What was made anew, or would be, with the reasons."""
    if check and not has_openssl:  # a machine that has nothing yet
        return dict.fromkeys(("authority", "certificate", "published"), "there is none")
    reasons = {}
    wish = certificates.authority_wants(rotate)
    if wish is not None:
        reasons["authority"] = wish.why
        if not check:
            certificates.make_authority(with_new_key=wish.new_key)
    turned = certificates.turn_wants(rotate)
    if turned:
        reasons["rotation"] = turned
        if not check:
            certificates.turn(rotate)
    if why := certificates.certificate_wants(rotate, renew_days):
        reasons["certificate"] = why
    elif (wish is not None and wish.new_key) or (turned and rotate == "adopt"):
        reasons["certificate"] = "another authority signed it"
    if "certificate" in reasons and not check:
        certificates.make_certificate()
    if check and (wish is not None or (turned and rotate != "adopt")):
        reasons["published"] = "the authority is another"
    elif not authority.exists() or authority.read_text(encoding="ascii") != certificates.trusted_text():
        reasons["published"] = "the authority is another" if authority.exists() else "there is none"
        if not check:
            _place(authority, certificates.trusted_text(), 0o644)
    return reasons


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "authority": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "days": {"type": "int", "default": 365},
            "renew_days": {"type": "int", "default": 30},
            "certificate": {"type": "path"},
            "usages": {"type": "list", "elements": "str", "choices": [*_USAGES], "default": ["server"]},
            "authority_name": {"type": "str", "default": "Skerry front door"},
            "rotate": {
                "type": "str",
                "choices": ["none", "certificate", "authority", "introduce", "adopt", "retire"],
                "default": "none",
            },
        },
        supports_check_mode=True,
    )
    given = module.params
    if not given["names"]:
        module.fail_json(msg="A certificate needs at least one name.")
    folder, authority = Path(given["folder"]), Path(given["authority"])
    os.umask(0o077)
    try:
        if not module.check_mode:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reasons = keep(
            Certificates(module),
            authority,
            rotate=given["rotate"],
            renew_days=given["renew_days"],
            has_openssl=module.get_bin_path("openssl") is not None,
            check=module.check_mode,
        )
    except (CertificateError, OSError) as error:
        module.fail_json(msg=f"The certificate in {folder} could not be made: {error}")
    said = "".join(f"{what}: {why}\n" for what, why in reasons.items())
    module.exit_json(changed=bool(reasons), reasons=reasons, diff={"before": "", "after": said})


if __name__ == "__main__":
    main()

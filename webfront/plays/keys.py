"""SSH key pairs: the platform's own, and the one a person gives for a machine's first play."""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from webfront.plays.outcome import Failure, PlayFailed

_TIMEOUT_S: Final = 15
_MAGIC: Final = b"openssh-key-v1\0"


def is_made(state_dir: Path) -> bool:
    """Whether the platform has its SSH key."""
    return _private_half(state_dir).exists()


def platform_key(state_dir: Path) -> Path:
    """The platform's private key, 0600 in the state directory, made on first use; its public half is `.pub`."""
    key = _private_half(state_dir)
    folder = key.parent
    if key.exists():
        return key
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made aside and moved, the private half last: whatever is cut off, a private key that stands has its public half.
    aside = Path(tempfile.mkdtemp(dir=folder))
    try:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "skerry", "-f", str(aside / key.name)]
        subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)
        (aside / f"{key.name}.pub").rename(public_half(key))
        (aside / key.name).rename(key)
    except FileNotFoundError:
        raise PlayFailed(
            Failure("`ssh-keygen` is not installed on the controller", "Install the package openssh-client there.")
        ) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise PlayFailed(
            Failure(f"The platform's SSH key could not be made in {folder}: {error}", "Is its disk full or read-only?")
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return key


def _private_half(state_dir: Path) -> Path:
    return state_dir / "ssh/id_ed25519"


def public_half(private_key: Path) -> Path:
    """The file with the public key of a key pair."""
    return private_key.with_name(private_key.name + ".pub")


def line_to_paste(public_key: str) -> str:
    """One line for a shell that lets this key in for whoever runs it. Pasted twice it changes nothing more.

    In single quotes and without `!`, so that csh and fish read it as sh does. A file whose last line lacks its end gets
    it first.
    """
    script = (
        'umask 077; d="$HOME/.ssh"; f="$d/authorized_keys"; mkdir -p "$d"; touch "$f"; chmod 700 "$d"; chmod 600 "$f"; '
        f'k="{public_key}"; [ -z "$(tail -c1 "$f")" ] || echo >>"$f"; '
        'grep -qxF "$k" "$f" || echo "$k" >>"$f"'
    )
    return f"sh -c '{script}'"


def normalise(private_key: str) -> str:
    """A pasted key as ssh reads it: Unix line ends, no space around, one line end at the end."""
    return "\n".join(line.strip() for line in private_key.strip().splitlines()) + "\n"


def public_key_of(private_key: str) -> str:
    """The public half of a normalised private key. Raises `PlayFailed` when it is none that can be used."""
    if _has_passphrase(private_key):
        raise PlayFailed(
            Failure(
                "The private key that was given is protected by a passphrase, which cannot be asked for here",
                "Give a key without a passphrase (`ssh-keygen -t ed25519 -N ''` makes one), or a one-time password.",
            )
        )
    try:
        # Through a pipe: the key is in no file and in no argument.
        command = ["ssh-keygen", "-y", "-P", "", "-f", "/dev/stdin"]
        done = subprocess.run(command, input=private_key.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise PlayFailed(
            Failure("`ssh-keygen` does not work on the controller", "Install the package openssh-client there.")
        ) from error
    if done.returncode != 0:
        raise PlayFailed(
            Failure(
                "What was given as the private key is none that ssh can read",
                "Paste the whole file, from its line -----BEGIN to its line -----END; the private half, not `.pub`.",
            )
        )
    return done.stdout.decode(errors="replace").strip()


def _has_passphrase(private_key: str) -> bool:
    lines = private_key.splitlines()
    if any("ENCRYPTED" in line for line in lines[:3]):
        return True
    try:
        content = base64.b64decode("".join(line for line in lines if not line.startswith("-----")))
    except (binascii.Error, ValueError):
        return False
    # OpenSSH's own format: magic, then the cipher's name with its length before it.
    return content.startswith(_MAGIC) and content[len(_MAGIC) + 4 :][:4] != b"none"

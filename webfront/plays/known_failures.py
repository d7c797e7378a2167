"""The failures that people meet, recognised by what Ansible says about them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from webfront.plays.outcome import Failure, Target


def recognise(text: str, target: Target) -> Failure | None:
    """The words for the first known situation that this text tells of, or None."""
    return next((words(target) for pattern, words in _KNOWN if pattern.search(text)), None)


def _denied(target: Target) -> Failure:
    tried = {
        "platform_key": "the platform's own key",
        "private_key": "the private key that was given",
        "password": "the password that was given",
    }[target.signed_in_with]
    advice = {
        "platform_key": 'Add its public key on the machine (the page "Register a machine" has the line to paste), or '
        "give a private key or a one-time password: a successful registration adds the key.",
        "private_key": f"Check that the key's public half stands in the authorized_keys of {target.user} there, and "
        "that the user's name is right.",
        "password": "Check the user's name and the password, and that the machine's SSH server allows passwords "
        "(PasswordAuthentication; for root also PermitRootLogin). A private key works as well.",
    }[target.signed_in_with]
    return Failure(f"{target.where} does not let the user {target.user} in with {tried}", advice)


def _no_sudo(target: Target) -> Failure:
    who = target.user or "the platform's user"
    return Failure(
        f"The user {who} may not become root there without a password",
        "Give that user's password beside the key (it serves for sudo and is not kept), allow the user sudo without a "
        "password (later plays, such as removing the machine, have none), or use root.",
    )


def _pinned_key_differs(target: Target) -> Failure:
    return Failure(
        f"The machine at {target.node}'s address does not show the host key that was pinned for it",
        "Either it was reinstalled, or another machine answers in its place. Compare the fingerprint on the machine "
        "itself; if it is the right one, put it in as the node's host key (Change, on its page).",
    )


def _words(message: str, advice: str) -> Callable[[Target], Failure]:
    def words(target: Target) -> Failure:
        return Failure(message.format(t=target), advice.format(t=target))

    return words


_CHECK: Final = "Check that it is on, its address and port, and that no firewall is in the way; then run it again."

_KNOWN: Final[tuple[tuple[re.Pattern[str], Callable[[Target], Failure]], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"host key verification failed|remote host identification has changed", _pinned_key_differs),
        (
            r"permission denied \(|permission denied, please try again|too many authentication failures"
            r"|invalid/incorrect password|no more authentication methods",
            _denied,
        ),
        (
            r"could not resolve hostname",
            _words(
                "The name {t.address} does not resolve to an address",
                "Check the spelling, or give the machine's IP address.",
            ),
        ),
        (
            r"ssh: connect to host .*connection refused",
            _words("{t.where} refuses the connection: no SSH server listens there", _CHECK),
        ),
        (
            r"ssh: connect to host .*(timed out|no route|unreachable)|connection timed out during banner exchange",
            _words("{t.where} does not answer", _CHECK),
        ),
        (
            r"failed to connect to the host via ssh.*(closed by|reset by|broken pipe)",
            _words(
                "{t.where} closed the connection",
                "Look at the SSH server's log there (`journalctl -u ssh`), then run it again.",
            ),
        ),
        (
            r"incorrect (sudo|become) password|sorry, try again|incorrect password attempt",
            _words(
                "sudo refused the password of the user {t.user}",
                "Check the password; it must be the one sudo asks {t.user} for.",
            ),
        ),
        (
            r"missing (sudo|become) password|sudo: a (terminal|password) is required"
            r"|waiting for privilege escalation prompt",
            _no_sudo,
        ),
        (
            r"is not in the sudoers file|is not allowed to (execute|run sudo)",
            _words(
                "The user {t.user} has no right to use sudo there",
                "Add the user to the group sudo (usermod -aG sudo NAME, as root), or register with root.",
            ),
        ),
        (
            r"sudo: (command )?not found|no such file or directory: .?sudo",
            _words(
                "sudo is not installed there",
                "Install the package sudo on the machine, or register it with the user root.",
            ),
        ),
        (
            r"no python interpreters found|python[0-9.]*: (command )?not found|python[0-9.]*: no such file"
            r"|interpreter '[^']*' was not found|requires a minimum of python",
            _words(
                "There is no Python on the machine that Ansible can use",
                "Install Python 3.9 or later there (on Debian and Ubuntu: apt-get install python3), then run it again.",
            ),
        ),
        (
            r"no space left on device|not enough free (disk )?space|disk quota exceeded",
            _words(
                "The disk of {t.where} is full",
                "Free some space there (`df -h` shows which disk is full), then run it again.",
            ),
        ),
        (
            r"could not get lock|unable to (acquire|lock).*(dpkg|apt)|is held by process|dpkg frontend lock",
            _words(
                "Another program is installing packages there just now",
                "Wait until it is done, often an automatic update within "
                "the first minutes after a boot, and run it again.",
            ),
        ),
        (
            r"is not valid yet|certificate is not yet valid|certificate has expired|clock (skew|is off)",
            _words(
                "The machine's clock seems to be off: signatures or certificates appear not yet valid, or expired",
                "Set the clock (`timedatectl set-ntp true`, or `date -s`), then run it again.",
            ),
        ),
        (
            r"temporary failure resolving|failed to fetch|could not resolve host|name or service not known"
            r"|failed to establish a new connection|network is unreachable|failed to update apt cache",
            _words(
                "The machine cannot load packages: no network, or no name server",
                "Check on the machine that `apt-get update` works (network, DNS, proxy), then run it again.",
            ),
        ),
        (
            r"exec format error|unsupported architecture",
            _words(
                "The machine's architecture is not supported",
                "Nodes are x86_64 or aarch64 machines with Debian or Ubuntu.",
            ),
        ),
        (
            r"unmet dependencies|dpkg was interrupted|held broken packages",
            _words(
                "The machine's package system is in a state in which nothing can be installed",
                "Run `dpkg --configure -a` and `apt-get -f install` there, then run it again.",
            ),
        ),
    )
)
"""Patterns over what Ansible says, the more telling first. Each names a situation a person can put right."""

"""What clients trust: a machine's own certificate authority, and nothing else."""

from __future__ import annotations

import ssl
from typing import Any


def trust(host: Any) -> ssl.SSLContext:
    """For a client of this machine's front door (testinfra's host)."""
    return trust_in(host.check_output("cat /etc/nginx/skerry/ca.crt"))


def trust_in(certificate: str) -> ssl.SSLContext:
    """For a client that trusts this authority (PEM), and no other."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=certificate)
    return made

"""Apps as pages and the API show them."""

from __future__ import annotations

import msgspec

from webfront.apps.manifest import Manifest


class VersionView(msgspec.Struct, frozen=True):
    """One immutable version."""

    version: str
    """SHA-256 of the content, 64 hexadecimal characters."""
    uploaded_at: float
    size: int
    """Bytes of its files, unpacked."""
    manifest: Manifest

    @property
    def short(self) -> str:
        """The first 12 characters: what a page shows, and what `version` of a submission accepts as well."""
        return self.version[:12]


class AppView(msgspec.Struct, frozen=True):
    name: str
    owner: str
    created_at: float
    versions: tuple[VersionView, ...]
    """Newest first; never empty."""

    @property
    def latest(self) -> VersionView:
        return self.versions[0]


class Uploaded(msgspec.Struct, frozen=True):
    """What became of an upload."""

    app: str
    version: str
    created: bool
    """False when this content was there already as this app's version."""

"""What these settings are at a time, and changing them.

A row stands only where a setting differs from its default, so that a later release's default counts for whoever has
left it alone. Whoever goes by a setting asks for it each time: what was changed counts from the next time on, without a
restart. A value that this release cannot use (another release wrote it) counts as the default.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.changeable.table import SETTINGS, Changeable, find
from webfront.database.connection import transaction
from webfront.database.rows import change, rows
from webfront.errors import InvalidInput
from webfront.settings import Settings

_ALL: Final = "SELECT name, value FROM setting"
_ONE: Final = f"{_ALL} WHERE name = ?"
_REMOVE: Final = "DELETE FROM setting WHERE name = ?"
_WRITE: Final = "INSERT INTO setting (name, value) VALUES (?, ?)"


class _Row(NamedTuple):
    name: str
    value: str


class SettingView(msgspec.Struct, frozen=True):
    """A setting as it stands."""

    name: str
    value: int
    default: int
    least: int
    most: int
    words: str


class Values:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, setting: Changeable) -> int:
        """What it is now."""
        return self._value(setting, {one.name: one.value for one in rows(_Row, _ONE, setting.name)})

    def all(self) -> tuple[SettingView, ...]:
        """Each as it stands."""
        given = {one.name: one.value for one in rows(_Row, _ALL)}
        return tuple(
            SettingView(one.name, self._value(one, given), self.default(one), one.least, one.most, one.words)
            for one in SETTINGS
        )

    def set(self, name: str, text: str) -> bool:
        """Change one. False when that is what it was. NotFound, InvalidInput."""
        setting = find(name)
        return self._become(setting, setting.parse(text))

    def reset(self, name: str) -> bool:
        """Have one be its default again. False when it was. NotFound."""
        setting = find(name)
        return self._become(setting, self.default(setting))

    def default(self, setting: Changeable) -> int:
        """What it is as long as nobody has changed it."""
        return int(getattr(self._settings, setting.variable)) if setting.variable else setting.default

    def _become(self, setting: Changeable, wanted: int) -> bool:
        with transaction():
            before = self.get(setting)
            if before == wanted:
                return False
            change(_REMOVE, setting.name)
            if wanted != self.default(setting):
                change(_WRITE, setting.name, str(wanted))
            deeds.tell(Kind.SETTING_CHANGE, data={"setting": setting.name, "from": before, "to": wanted})
        return True

    def _value(self, setting: Changeable, given: dict[str, str]) -> int:
        if setting.name in given:
            try:
                return setting.parse(given[setting.name])
            except InvalidInput:
                pass
        return self.default(setting)

"""`skerry-admin settings list|set|reset`: what may be changed while the platform runs."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from webfront.admin.setup import Answer, open_platform
from webfront.changeable.table import find
from webfront.changeable.values import Values
from webfront.settings import Settings


def listing(settings: Settings, options: argparse.Namespace) -> Answer:
    """Every setting that may be changed while the platform runs, with its default and its bounds."""
    open_platform(settings)
    return {"changed": False, "settings": [msgspec.to_builtins(one) for one in Values(settings).all()]}


def put(settings: Settings, options: argparse.Namespace) -> Answer:
    """Change a setting. It counts from the next time that the platform goes by it, without a restart."""
    open_platform(settings)
    values, setting = Values(settings), find(options.name)
    wanted = setting.parse(options.value)
    changed = values.get(setting) != wanted if options.check else values.set(setting.name, options.value)
    return _answer(changed, setting.name, wanted)


def reset(settings: Settings, options: argparse.Namespace) -> Answer:
    """Have a setting be its default again."""
    open_platform(settings)
    values, setting = Values(settings), find(options.name)
    wanted = values.default(setting)
    changed = values.get(setting) != wanted if options.check else values.reset(setting.name)
    return _answer(changed, setting.name, wanted)


def _answer(changed: bool, name: str, value: Any) -> Answer:
    return {"changed": changed, "setting": name, "value": value}

"""msgspec's part in the shipped code, by the standard library alone: the records of `wire.messages` as JSON.

A machine without an agent has Python and nothing else, and msgspec is made for each processor and each Python. The file
is shipped under msgspec's name, and has of it what the shipped modules use: `Struct` with its keywords, `json.encode`,
`json.decode`, `json.Encoder`, `json.Decoder`, `Raw`, `MsgspecError`. A test holds it against msgspec itself.
"""

from __future__ import annotations

import enum
import json as _json
import sys
import types
import typing
from typing import Any

_MISSING: Any = object()


class MsgspecError(Exception):
    """What is read is not what was expected."""


class Raw(bytes):
    """JSON that is left as it is."""


class _Meta(type):
    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        frozen: bool = False,
        kw_only: bool = False,
        tag: str | None = None,
        tag_field: str | None = None,
    ) -> Any:
        cls: Any = super().__new__(mcs, name, bases, namespace)
        names = [own for own in namespace.get("__annotations__", ()) if not own.startswith("_")]
        cls._names = tuple(dict.fromkeys([*getattr(cls, "_names", ()), *names]))
        cls._is_frozen = frozen
        cls._tag = tag
        cls._tag_field = tag_field or getattr(cls, "_tag_field", None)
        cls._types = None
        return cls

    def hints(cls) -> dict[str, Any]:
        """The fields' types."""
        if cls._types is None:  # type: ignore[has-type]
            cls._types = typing.get_type_hints(cls)
        return cls._types


class Struct(metaclass=_Meta):
    """A record with the annotated fields."""

    _names: typing.ClassVar[tuple[str, ...]]
    _is_frozen: typing.ClassVar[bool]
    _tag: typing.ClassVar[str | None]
    _tag_field: typing.ClassVar[str | None]

    def __init__(self, *values: Any, **named: Any) -> None:
        given = dict(zip(self._names, values, strict=False))
        if len(values) > len(self._names) or set(given) & set(named) or not set(named) <= set(self._names):
            raise TypeError(f"{type(self).__name__} was given what it has no field for")
        given |= named
        for name in self._names:
            value = given.get(name, getattr(type(self), name, _MISSING))
            if value is _MISSING:
                raise TypeError(f"{type(self).__name__} needs {name}")
            object.__setattr__(self, name, dict(value) if type(value) is dict else value)

    def __setattr__(self, name: str, value: Any) -> None:
        if type(self)._is_frozen:
            raise AttributeError(f"{type(self).__name__} cannot be changed")
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, n) == getattr(other, n) for n in self._names)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self._names))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self._names)})"


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        kind = type(value)
        head = {kind._tag_field: kind._tag} if kind._tag_field and kind._tag else {}
        return {**head, **{name: _plain(getattr(value, name)) for name in value._names}}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _shaped(value: Any, wanted: Any) -> Any:
    """The value as the wanted type; MsgspecError where it is none."""
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _one_of(value, parts)
    if isinstance(wanted, type) and issubclass(wanted, Struct):
        return _record(value, wanted)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        try:
            return wanted(value)
        except ValueError as error:
            raise MsgspecError(str(error)) from error
    if origin in (tuple, list) and isinstance(value, list):
        return origin(_shaped(one, parts[0]) for one in value)
    if origin is dict and isinstance(value, dict):
        return {key: _shaped(one, parts[1]) for key, one in value.items()}
    if wanted is Raw:
        return Raw(_json.dumps(value).encode())
    if wanted is float and type(value) is int:
        return float(value)
    if wanted in (None, type(None)) and value is None:
        return None
    if isinstance(wanted, type) and type(value) is wanted:
        return value
    raise MsgspecError(f"expected {wanted}, got {type(value).__name__}")


def _one_of(value: Any, choices: tuple[Any, ...]) -> Any:
    records = [one for one in choices if isinstance(one, type) and issubclass(one, Struct)]
    if isinstance(value, dict) and len(records) > 1:
        for one in records:
            if value.get(one._tag_field) == one._tag:
                return _record(value, one)
        raise MsgspecError("a record of no known kind")
    problem: MsgspecError | None = None
    for one in choices:
        try:
            return _shaped(value, one)
        except MsgspecError as error:
            problem = error
    raise problem or MsgspecError("nothing is wanted here")


def _record(value: Any, wanted: Any) -> Any:
    if not isinstance(value, dict):
        raise MsgspecError(f"expected a {wanted.__name__}, got {type(value).__name__}")
    hints = wanted.hints()
    try:
        return wanted(**{name: _shaped(value[name], hints[name]) for name in wanted._names if name in value})
    except TypeError as error:
        raise MsgspecError(str(error)) from error


class Encoder:
    """As msgspec's for JSON."""

    def encode(self, value: Any) -> bytes:
        return _json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False).encode()


class Decoder:
    """As msgspec's for JSON."""

    def __init__(self, type: Any = Any) -> None:
        self._type = type

    def __class_getitem__(cls, item: Any) -> Any:
        return cls

    def decode(self, body: bytes) -> Any:
        try:
            value = _json.loads(body)
        except ValueError as error:
            raise MsgspecError(str(error)) from error
        return _shaped(value, self._type)


class _Json:
    Encoder = Encoder
    Decoder = Decoder

    @staticmethod
    def encode(value: Any) -> bytes:
        return Encoder().encode(value)

    @staticmethod
    def decode(body: bytes, type: Any = Any) -> Any:
        return Decoder(type).decode(body)


json = _Json
if __name__ == "msgspec":
    sys.modules["msgspec.json"] = json  # type: ignore[assignment]

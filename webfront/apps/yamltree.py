"""Reading a YAML document as a tree that still knows its lines, so that what is wrong can be pointed at.

Only what a manifest needs: mappings, lists and plain values. Anchors and deep nesting are refused, with which a few
bytes of YAML can grow without bound.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import yaml

from webfront.errors import InvalidInput

_DEEPEST: Final = 8
_TAG: Final = "tag:yaml.org,2002:"


def refuse(file_name: str, line: int, reason: str) -> InvalidInput:
    """The error for a place in the file; lines count from 1."""
    return InvalidInput(f"{file_name}, line {line}: {reason}", detail={"line": line, "reason": reason})


class Section:
    """A mapping of the document. Each `take_*` checks one key; the line is in every complaint."""

    def __init__(self, file_name: str, node: yaml.Node, path: str, known: Collection[str] | None) -> None:
        self._file = file_name
        self._path = path
        self._line = node.start_mark.line + 1
        self._values: dict[str, yaml.Node] = {}
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"{path or 'the manifest'} must be a mapping of names to values")
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if known is not None and name not in known:
                near = f"known here are {', '.join(sorted(known))}"
                raise self._error(key, f"{self._full(name)} is not known; {near}")
            if name in self._values:
                raise self._error(key, f"{self._full(name)} is given twice")
            self._values[name] = value

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def has(self, key: str) -> bool:
        """Whether it is given, and not empty (`key:` or `key: null`)."""
        node = self._values.get(key)
        return node is not None and node.tag != f"{_TAG}null"

    def error(self, key: str, reason: str) -> InvalidInput:
        """A complaint about this key's value, or about the section where the key is missing."""
        node = self._values.get(key)
        line = node.start_mark.line + 1 if node else self._line
        return refuse(self._file, line, f"{self._full(key)} {reason}")

    def text(self, key: str, pattern: re.Pattern[str], explain: str) -> str:
        return self._text(self._values[key], self._full(key), pattern, explain)

    def any_text(self, key: str, longest: int) -> str:
        """The value as text, be it a number or a word."""
        node = self._values[key]
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(key, "must be a single value")
        if len(node.value) > longest:
            raise self.error(key, f"is longer than {longest} characters")
        return str(node.value)

    def texts(self, key: str, pattern: re.Pattern[str], explain: str, *, most: int) -> tuple[str, ...]:
        node = self._values[key]
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(key, "must be a list, for example [a, b]")
        if len(node.value) > most:
            raise self.error(key, f"has more than {most} entries")
        found = tuple(self._text(item, self._full(key), pattern, explain) for item in node.value)
        if len(set(found)) != len(found):
            raise self.error(key, "names something twice")
        return found

    def whole(self, key: str, least: int, most: int) -> int:
        node = self._values[key]
        if node.tag != f"{_TAG}int" or not re.fullmatch(r"[+-]?[0-9]{1,12}", node.value):
            raise self.error(key, f"must be a whole number from {least} to {most}")
        return int(self._within(key, int(node.value), least, most))

    def number(self, key: str, least: float, most: float) -> float:
        node = self._values[key]
        if node.tag not in {f"{_TAG}int", f"{_TAG}float"}:
            raise self.error(key, f"must be a number from {least:g} to {most:g}")
        try:
            return self._within(key, float(node.value), least, most)
        except ValueError:  # YAML knows forms of numbers, such as 1:30, that nobody means here
            raise self.error(key, f"must be a number from {least:g} to {most:g}") from None

    def flag(self, key: str) -> bool:
        node = self._values[key]
        if node.tag != f"{_TAG}bool":
            raise self.error(key, "must be true or false")
        return str(node.value).lower() in {"true", "yes", "on"}

    def section(self, key: str, known: Collection[str] | None) -> Section:
        return Section(self._file, self._values[key], self._full(key), known)

    def is_section(self, key: str) -> bool:
        return isinstance(self._values[key], yaml.MappingNode)

    def _within(self, key: str, value: float, least: float, most: float) -> float:
        if not least <= value <= most:
            raise self.error(key, f"is {value:g}; it must be from {least:g} to {most:g}")
        return value

    def _text(self, node: yaml.Node, name: str, pattern: re.Pattern[str], explain: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == f"{_TAG}null":
            raise self._error(node, f"{name} must be text")
        if node.tag != f"{_TAG}str":
            raise self._error(node, f'{name} must be text; put it in quotes: "{node.value[:40]}"')
        if not pattern.fullmatch(node.value):
            raise self._error(node, f"{name} is {node.value[:60]!r}; {explain}")
        return str(node.value)

    def _full(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _error(self, node: yaml.Node, reason: str) -> InvalidInput:
        return refuse(self._file, node.start_mark.line + 1, reason)


def read_document(file_name: str, text: str, known: Collection[str]) -> Section:
    """The document's top mapping. InvalidInput with the line."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise refuse(file_name, line, "anchors and aliases (& and *) are not used in a manifest")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _DEEPEST:
                    raise refuse(file_name, line, "this is nested too deeply")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise refuse(file_name, mark.line + 1 if mark else 1, f"this is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise refuse(file_name, 1, f"this is not YAML: {error}") from error
    if node is None:
        raise refuse(file_name, 1, "the manifest is empty")
    return Section(file_name, node, "", known)

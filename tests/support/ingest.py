"""What each filter of Logstash is to Elasticsearch: plugins as processors, conditions as expressions of a script.

What is not known here, a plugin, a setting, a form of condition, is `Untranslatable`: nothing is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

Json = Any

COMMON: Final = {"id", "add_field", "remove_field", "tag_on_failure"}
_DATES: Final = {
    "ISO8601",
    "dd/MMM/yyyy:HH:mm:ss Z",
    "yyyy/MM/dd HH:mm:ss",
    "yyyy-MM-dd HH:mm:ss",
    "yyyy-MM-dd  H:mm:ss",
    "yyMMdd HH:mm:ss",
    "yyMMdd  H:mm:ss",
    "yyyy-MM-dd HH:mm:ss,SSS",
}
"""Forms that mean the same to Joda, which Logstash uses, and to java.time."""
_HELPERS: Final = """
def got(def at, List path) {
  for (def name : path) { if (!(at instanceof Map)) { return null; } at = at[name]; }
  return at;
}
void put(def at, List path, def value) {
  for (int i = 0; i < path.size() - 1; i++) {
    if (!(at[path[i]] instanceof Map)) { at[path[i]] = new HashMap(); }
    at = at[path[i]];
  }
  at[path[path.size() - 1]] = value;
}
def taken(def at, List path) {
  def value = got(at, path);
  def parent = got(at, path.subList(0, path.size() - 1));
  if (parent instanceof Map) { parent.remove(path[path.size() - 1]); }
  return value;
}
boolean holds(def value) { return value != null && value != false; }
void added(def at, List path, def value) {
  def old = got(at, path);
  if (old == null) { put(at, path, value); }
  else if (old instanceof List) { old.add(value); }
  else { put(at, path, [old, value]); }
}
"""


class Untranslatable(Exception):
    """Nobody has written yet what this means to the engine."""


# -- from the language's terms to the engine's -------------------------------------------------------------------------


def path(field: str) -> list[str]:
    """`[a][b]` or a bare `a`: each name of it, which may have dots in it."""
    names = re.findall(r"\[([^\]]+)\]", field) if field.startswith("[") else [field]
    if not names or (field.startswith("[") and "".join(f"[{name}]" for name in names) != field):
        raise Untranslatable(f"the field {field}")
    return names


def _dotted(field: str) -> str:
    """The same as processors other than scripts name it."""
    names = path(field)
    if any("." in name for name in names):
        raise Untranslatable(f"the field {field}, whose name has a dot, outside a script")
    return ".".join(names)


def java(value: object) -> str:
    """A literal of the engine's script language."""
    if isinstance(value, list):
        return "[" + ", ".join(map(java, value)) + "]"
    if isinstance(value, bool) or value is None:
        raise Untranslatable(f"the value {value}")
    if isinstance(value, (int, float)):
        return str(int(value)) if float(value).is_integer() else str(value)
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _filled(text: str) -> str:
    """A text with `%{field}` in it, as an expression. What is not there stays as it is written, as in Logstash."""
    parts = []
    for number, part in enumerate(re.split(r"%\{([^}]+)\}", text)):
        if number % 2 == 0:
            parts.append(java(part))
        else:
            got = f"got(ctx, {java(path(part))})"
            parts.append(f"({got} == null ? {java('%{' + part + '}')} : {got}.toString())")
    return " + ".join(parts)


def _operand(one: Json) -> str:
    if one["kind"] == "field":
        return f"got(ctx, {java(path(one['field']))})"
    return java(one[one["kind"]])


def condition(parts: Sequence[Json]) -> str:
    """All of a condition, as an expression. `and` binds closer than `or`, here as there."""
    joins = {"": "", " and ": " && ", " or ": " || "}
    return "".join(joins[part["join"]] + _asked(part) for part in parts)


def _asked(part: Json) -> str:
    kind = part["kind"]
    if kind == "group":
        return f"({condition(part['of'])})"
    if kind == "not":
        return f"!({condition(part['of'])})"
    if kind == "absent":
        return f"!holds(got(ctx, {java(path(part['field']))}))"
    if kind == "present":
        return f"holds({_operand(part['field'])})"
    left = _operand(part["left"])
    if kind == "match":
        no = {"=~": "", "!~": "!"}[part["operator"]]
        pattern = part["right"].replace("/", "\\/")
        return f"{no}({left} instanceof String && ((String) {left}) =~ /{pattern}/)"
    right = _operand(part["right"])
    if kind in ("in", "not in"):
        no = "!" if kind == "not in" else ""
        return f"{no}({right} instanceof List ? ((List) {right}).contains({left}) : {right} == {left})"
    if kind == "compare" and part["operator"] in ("==", "!="):
        return f"({left} {part['operator']} {right})"
    if kind == "compare":
        return f"({left} != null && {left} {part['operator']} {right})"
    raise Untranslatable(f"the condition {part}")


def _grok(pattern: str) -> str:
    """`%{NAME:[a][b]:int}` as the engine writes it."""
    return re.sub(
        r"%\{(\w+):(\[[^}]*\]|\w+)(:\w+)?\}",
        lambda found: f"%{{{found[1]}:{_dotted(found[2])}{found[3] or ''}}}",
        pattern,
    )


def _captures(pattern: str) -> list[str]:
    return re.findall(r"%\{\w+:(\[[^:}]*\])", pattern)


def entries(value: Json | None) -> list[tuple[Any, Any]]:
    return [] if value is None else [(key, given) for key, given in value["entries"]]


def _list(value: Json | None) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


# -- what each plugin is to the engine ---------------------------------------------------------------------------------


def script(*statements: str, **parameters: object) -> Json:
    return {"script": {"source": _HELPERS + "\n".join(statements), "params": parameters}}


def _grok_processors(given: Json) -> list[Json]:
    [(field, patterns)] = entries(given["match"])
    own = dict(entries(given.get("pattern_definitions")))
    processor = {
        "field": _dotted(field),
        "patterns": [_grok(one) for one in _list(patterns)],
        "pattern_definitions": {name: _grok(one) for name, one in own.items()},
    }
    found = {name for text in (*_list(patterns), *own.values()) for name in _captures(text)}
    # Logstash keeps no capture that is empty.
    forget = [
        f"if (got(ctx, {java(path(name))}) == '') {{ taken(ctx, {java(path(name))}); }}" for name in sorted(found)
    ]
    return [{"grok": processor}, script(*forget)]


def _date_processors(given: Json) -> list[Json]:
    field, *formats = given["match"]
    if unknown := set(formats) - _DATES:
        raise Untranslatable(f"the dates {unknown}")
    processor = {"field": _dotted(field), "formats": formats}
    for name in ("timezone", "locale"):
        if name in given:
            processor[name] = given[name]
    return [{"date": processor}]


def _json_processors(given: Json) -> list[Json]:
    return [{"json": {"field": _dotted(given["source"]), "add_to_root": True}}]


def _mutate_processors(given: Json) -> list[Json]:
    """In the order in which Logstash does them, whatever the order in the file."""
    made: list[Json] = []
    for old, new in entries(given.get("rename")):
        source, target = java(path(old)), java(path(new))
        made.append(script(f"def value = taken(ctx, {source}); if (value != null) {{ put(ctx, {target}, value); }}"))
    for field, text in entries(given.get("replace")):
        made.append(script(f"put(ctx, {java(path(field))}, {_filled(text)});"))
    changes = given.get("gsub", [])
    for field, pattern, replacement in zip(changes[::3], changes[1::3], changes[2::3], strict=True):
        processor = {"field": _dotted(field), "pattern": pattern, "replacement": replacement, "ignore_missing": True}
        made.append({"gsub": processor})
    for field in _list(given.get("lowercase")):
        made.append({"lowercase": {"field": _dotted(field), "ignore_missing": True}})
    for old, new in entries(given.get("copy")):
        source, target = java(path(old)), java(path(new))
        made.append(script(f"def value = got(ctx, {source}); if (value != null) {{ put(ctx, {target}, value); }}"))
    return made


def _fingerprint_processors(given: Json) -> list[Json]:
    if (given["method"], given["concatenate_sources"]) != ("SHA256", "true"):
        raise Untranslatable(f"the fingerprint {given}")
    processor = {
        "fields": [_dotted(field) for field in given["source"]],
        "target_field": _dotted(given["target"]),
        "method": "SHA-256",
        "ignore_missing": True,
    }
    return [{"fingerprint": processor}]


_RUBY_INIT: Final = re.compile(r"(@\w+) = Time\.now\.to_f \+ (\d+)")
_RUBY_CODE: Final = re.compile(r"event\.set\('([^']+)', '(\w+)'\) if event\.timestamp\.to_f < (@\w+)")


def _ruby_processors(given: Json) -> list[Json]:
    """The one thing that is asked of Ruby: to mark an event that is older than so many seconds after the start."""
    init, code = _RUBY_INIT.fullmatch(given["init"]), _RUBY_CODE.fullmatch(given["code"])
    if init is None or code is None or init[1] != code[3]:
        raise Untranslatable(f"the Ruby {given}")
    at = "ZonedDateTime.parse(ctx['@timestamp']).toInstant().toEpochMilli()"
    mark = f"put(ctx, {java(path(code[1]))}, {java(code[2])})"
    return [script(f"if ({at} < params.started + {init[2]}000L) {{ {mark}; }}", started="${STARTED_MS}")]


_PLUGINS: Final[dict[str, tuple[set[str], Callable[[Json], list[Json]]]]] = {
    "grok": ({"match", "pattern_definitions"}, _grok_processors),
    "date": ({"match", "timezone", "locale"}, _date_processors),
    "json": ({"source"}, _json_processors),
    "mutate": ({"rename", "replace", "gsub", "lowercase", "copy"}, _mutate_processors),
    "fingerprint": ({"method", "source", "concatenate_sources", "target"}, _fingerprint_processors),
    "ruby": ({"init", "code"}, _ruby_processors),
    "drop": (set(), lambda given: [{"drop": {}}]),
}
"""Each with the settings that are known of it beside the common ones."""


def processors(step: Json) -> list[Json]:
    name, given = step["plugin"], step["settings"]
    if name not in _PLUGINS:
        raise Untranslatable(f"the plugin {name}")
    known, make = _PLUGINS[name]
    if unknown := set(given) - known - COMMON:
        raise Untranslatable(f"{sorted(unknown)} of the plugin {name}")
    made = make(given)
    done = [f"added(ctx, {java(path(field))}, {_filled(text)});" for field, text in entries(given.get("add_field"))]
    done += [f"taken(ctx, {java(path(field))});" for field in _list(given.get("remove_field"))]
    if done:
        made.append(script(*done))
    if "tag_on_failure" in given:
        _tag_failure(made[0], given["tag_on_failure"])
    return made


def _tag_failure(processor: Json, tags: Sequence[str]) -> None:
    [(kind, settings)] = processor.items()
    processor[kind] = {**settings, "on_failure": [{"append": {"field": "tags", "value": list(tags)}}]}

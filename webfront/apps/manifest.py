"""The manifest of an app: `app.yml`, read and checked. What it refuses, it refuses with the line and the reason."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from webfront.apps.yamltree import Section, read_document, refuse
from wire.messages import AppRef, Cause, Resources

FILE_NAME: Final = "app.yml"
LARGEST: Final = 64 * 1024

NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
NAME_RULE: Final = "a name begins with a-z and has up to 64 of a-z, 0-9, hyphen, underscore"
PARAMETER: Final = re.compile(r"(?!(?:input|output)$)[a-z][a-z0-9_-]{0,63}")
PARAMETER_RULE: Final = f"{NAME_RULE}, and is neither input nor output"
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
_LABEL_RULE: Final = "up to 32 of a-z, 0-9, dot, hyphen, underscore"
_EXTENSION: Final = re.compile(r"\.[A-Za-z0-9]{1,16}(?:\.[A-Za-z0-9]{1,16})?")
_OUTPUT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_PATH: Final = re.compile(r"(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))(?!.*//)[A-Za-z0-9_.][A-Za-z0-9_./ -]{0,199}(?<!/)")
_PATH_RULE: Final = "it must be the path of a file inside the app"
_LONGEST_DEFAULT: Final = 4000

KINDS: Final = ("job",)
"""The kinds of work. What an ending leads to for each says `webfront.jobs.endings`."""
_KIND: Final = re.compile("|".join(KINDS))
_KIND_RULE: Final = f"the kinds are: {', '.join(KINDS)}"


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter the app declares, passed as `--NAME VALUE`. Without a default it is passed only when given."""

    default: str | None = None
    description: str = ""


class Inputs(msgspec.Struct, frozen=True):
    required: bool = False
    accept: tuple[str, ...] = ()
    """File name endings, with their dot, in lower case; empty accepts any."""


class Needs(msgspec.Struct, frozen=True):
    labels: tuple[str, ...] = ()
    arch: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True):
    """All an app says about itself. The defaults are those of a bare script."""

    name: str
    kind: str = KINDS[0]
    entrypoint: str = AppRef.__struct_defaults__[0]
    description: str = ""
    requirements: str | None = None
    inputs: Inputs = Inputs()
    outputs: tuple[str, ...] = ("predictions.csv",)
    parameters: dict[str, Parameter] | None = None
    """None: any parameter is passed on. A mapping: only these are accepted."""
    resources: Resources = Resources()
    needs: Needs = Needs()
    retries: dict[str, int] = {}
    """By cause, how many further attempts; what is not named goes by the platform's defaults."""


def read_manifest(data: bytes, *, default_name: str | None = None) -> Manifest:
    """Read `app.yml`. InvalidInput names the line and the reason; `detail` has both apart.

    Where the manifest gives no `name`, `default_name` is taken.
    """
    if len(data) > LARGEST:
        raise refuse(FILE_NAME, 1, f"the manifest is larger than {LARGEST // 1024} KiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise refuse(FILE_NAME, line, "the manifest is not UTF-8 text") from error
    top = read_document(FILE_NAME, text, Manifest.__struct_fields__)
    given: dict[str, Any] = {}
    if top.has("name"):
        given["name"] = top.text("name", NAME, NAME_RULE)
    elif default_name is not None:
        given["name"] = default_name
    else:
        raise top.error("name", "is missing")
    if top.has("kind"):
        given["kind"] = top.text("kind", _KIND, _KIND_RULE)
    if top.has("entrypoint"):
        given["entrypoint"] = top.text("entrypoint", _PATH, _PATH_RULE)
        if not given["entrypoint"].endswith(".py"):
            raise top.error("entrypoint", "must be a Python file, ending in .py")
    if top.has("description"):
        given["description"] = top.any_text("description", 1000)
    if top.has("requirements"):
        given["requirements"] = top.text("requirements", _PATH, _PATH_RULE)
    if top.has("outputs"):
        rule = "an output is a file name, without folders, of up to 100 of A-Z, a-z, 0-9, dot, hyphen, underscore"
        given["outputs"] = top.texts("outputs", _OUTPUT, rule, most=50)
    for key, read in (
        ("inputs", _inputs),
        ("parameters", _parameters),
        ("resources", _resources),
        ("needs", _needs),
        ("retries", _retries),
    ):
        if top.has(key):
            given[key] = read(top)
    return Manifest(**given)


def _inputs(top: Section) -> Inputs:
    section = top.section("inputs", Inputs.__struct_fields__)
    given: dict[str, Any] = {}
    if section.has("required"):
        given["required"] = section.flag("required")
    if section.has("accept"):
        endings = section.texts("accept", _EXTENSION, "an ending has a dot and letters, as .csv", most=50)
        given["accept"] = tuple(ending.lower() for ending in endings)
    return Inputs(**given)


def _parameters(top: Section) -> dict[str, Parameter]:
    section = top.section("parameters", None)
    found: dict[str, Parameter] = {}
    for name in section.names():
        if not PARAMETER.fullmatch(name):
            raise section.error(name, f"cannot be a parameter: {PARAMETER_RULE}")
        found[name] = Parameter()
        if not section.has(name):
            continue
        if not section.is_section(name):  # `threshold: 0.5` says the default shortly
            found[name] = Parameter(default=section.any_text(name, _LONGEST_DEFAULT))
            continue
        one = section.section(name, Parameter.__struct_fields__)
        found[name] = Parameter(
            default=one.any_text("default", _LONGEST_DEFAULT) if one.has("default") else None,
            description=one.any_text("description", 500) if one.has("description") else "",
        )
    if len(found) > 50:
        raise top.error("parameters", "has more than 50 entries")
    return found


def _resources(top: Section) -> Resources:
    section = top.section("resources", Resources.__struct_fields__)
    given: dict[str, Any] = {}
    for key, least, most in (
        ("memory_mb", 16, 1024 * 1024),
        ("cpus", 1, 256),
        ("disk_mb", 1, 1024 * 1024),
        ("processes", 1, 4096),
    ):
        if section.has(key):
            given[key] = section.whole(key, least, most)
    if section.has("timeout_s"):
        given["timeout_s"] = section.number("timeout_s", 1, 7 * 24 * 3600)
    if section.has("accelerator"):
        rule = f"an accelerator is a label of its nodes: {_LABEL_RULE}"
        given["accelerator"] = section.text("accelerator", _LABEL, rule)
    return Resources(**given)


def _needs(top: Section) -> Needs:
    section = top.section("needs", Needs.__struct_fields__)
    given = {key: section.texts(key, _LABEL, _LABEL_RULE, most=20) for key in section.names() if section.has(key)}
    return Needs(**given)


def _retries(top: Section) -> dict[str, int]:
    causes = [cause.value for cause in Cause if cause not in (Cause.OK, Cause.CANCELLED)]
    section = top.section("retries", causes)
    return {key: section.whole(key, 0, 20) for key in section.names() if section.has(key)}

"""Runs Logstash's filters without Logstash: a real grammar reads its files, and a real Elasticsearch does it.

Nothing here takes a line apart: patterns, dates and conditions are the files' own, and the engine carries them out
(`support.ingest`). Three things are not the engine's, since a processor sees one event alone: `split` and the codec
`multiline`, which make several events of one or one of several, and the look into the data stream, which is the very
search that the filter sends.

What this cannot show: that Logstash itself loads the files and its plugins, and how it behaves when it is started,
stopped or killed.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .elasticsearch import PrivateElasticsearch
from .ingest import COMMON, Json, Untranslatable, condition, entries, java, path, processors, script

PROJECT: Final = Path(__file__).resolve().parents[2]
PIPELINE: Final = PROJECT / "logstash" / "pipeline"
GRAMMAR: Final = PROJECT / "tests" / "logstash" / "grammar"
GO: Final = "/usr/bin/go"
"""Debian's, which `prepare packages logstash` brings."""
ARRIVED: Final = "2026-11-27T18:30:00.000Z"
"""When an event came to Logstash, which is its time until its line says another."""

Event = dict[str, Any]

_BRANCH: Final = "@branch"
"""Where an event keeps, while it is on its way, which arms of the file's conditions it takes."""


class Refused(Exception):
    """The engine does not take a pipeline, or cannot do to an event what it says."""


@functools.cache
def _reader(folder: Path) -> Path:
    """The program that reads the language, built."""
    program = folder / "grammar"
    subprocess.run([GO, "build", "-o", str(program), "."], cwd=GRAMMAR, check=True, capture_output=True, text=True)
    return program


def read(files: Iterable[Path], folder: Path) -> dict[str, Json]:
    """What the files say, by their names. ValueError with the place where one is not of the language."""
    done = subprocess.run([_reader(folder), *files], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip())
    return {Path(name).name: said for name, said in json.loads(done.stdout).items()}


def plugins(steps: Iterable[Json]) -> Iterator[Json]:
    """Every plugin among the steps, in all branches."""
    for step in steps:
        if step["kind"] == "plugin":
            yield step
        else:
            for arm in step["arms"]:
                yield from plugins(arm["then"])
            yield from plugins(step["else"])


def codec_events(lines: Sequence[str], settings: Json | None) -> list[str]:
    """Lines of a file as its input's codec hands them on: each, or those together that `multiline` joins."""
    if settings is None:
        return list(lines)
    known = {"pattern", "negate", "what", "auto_flush_interval", "max_lines"}
    given = settings["settings"]
    if (
        settings["plugin"] != "multiline"
        or set(given) - known
        or (given["negate"], given["what"])
        != (
            "true",
            "previous",
        )
    ):
        raise Untranslatable(f"the codec {settings}")
    begins = re.compile(given["pattern"])
    events: list[str] = []
    for line in lines:
        if events and not begins.search(line):
            events[-1] += f"\n{line}"
        else:
            events.append(line)
    return events


def file_events(inputs: Sequence[Json], dataset: str, lines: Sequence[str], **more: Any) -> list[Event]:
    """What the file input of that dataset makes of lines, as it and its codec are documented."""
    for one in inputs:
        added = dict(entries(one["settings"].get("add_field")))
        if one["plugin"] == "file" and added["[event][dataset]"] == dataset:
            file = {"path": one["settings"]["path"][0]}
            made = [
                {"message": text, "host": {"name": "here"}, "log": {"file": file}, "event": {"original": text}}
                for text in codec_events(lines, one["settings"].get("codec"))
            ]
            return [_arrived(copy.deepcopy(event), added, more) for event in made]
    raise Untranslatable(f"no input reads {dataset}")


def broker_event(inputs: Sequence[Json], body: str, *, again: bool = False, redelivered: bool = False) -> Event:
    """What the input of the broker makes of a message."""
    [one] = [one for one in inputs if one["plugin"] == "rabbitmq"]
    if (one["settings"]["codec"]["plugin"], one["settings"]["metadata_enabled"]) != ("plain", "basic"):
        raise Untranslatable(f"the input {one}")
    properties: Json = {"delivery-mode": 2, "exchange": "skerry.logs", "redeliver": redelivered}
    metadata = {"rabbitmq_headers": {"again": True} if again else {}, "rabbitmq_properties": properties}
    event = {"message": body, "event": {"original": body}, "@metadata": metadata}
    return _arrived(event, dict(entries(one["settings"]["add_field"])), {})


def _arrived(event: Event, added: Mapping[str, str], more: Mapping[str, Any]) -> Event:
    for field, value in added.items():
        put(event, path(field), value)
    return {**event, "@version": "1", "@timestamp": ARRIVED, **more}


def put(event: Event, names: Sequence[str], value: Any) -> None:
    """Set a field, with the objects around it."""
    *parents, last = names
    functools.reduce(lambda at, name: at.setdefault(name, {}), parents, event)[last] = value


@dataclasses.dataclass
class _Step:
    """Processors that are done in one go, or a `split` or a look between them."""

    kind: str
    processors: list[Json]
    settings: Json = None


class Filters:
    """The filters of some files, one after the other, on an engine. `environment` is what `${NAME}` stands for."""

    def __init__(
        self, engine: PrivateElasticsearch, files: Mapping[str, Json], environment: Mapping[str, str], started: float
    ) -> None:
        self._engine = engine
        self._environment = {**environment, "STARTED_MS": str(int(started * 1000))}
        self._branches = 0
        self._steps: list[_Step] = [_Step("processors", [])]
        for name in sorted(files):
            self._add(files[name]["filter"], "true")

    def run(self, *events: Event) -> list[Event]:
        """What becomes of the events; one that is dropped is not among them."""
        there = copy.deepcopy(list(events))
        for step in self._steps:
            if step.kind == "processors":
                there = self._simulated(step.processors, there)
            elif step.kind == "split":
                there = [made for event in there for made in _split(event, step.settings)]
            else:
                for event in there:
                    self._look(event, step.settings)
        for event in there:
            event.pop(_BRANCH, None)
        return there

    def _add(self, steps: Sequence[Json], where: str) -> None:
        for step in steps:
            if step["kind"] == "branch":
                self._branch(step, where)
            elif step["plugin"] in ("split", "elasticsearch"):
                self._mark(where)
                self._steps += [_Step(step["plugin"], [], step["settings"]), _Step("processors", [])]
            else:
                for processor in processors(step):
                    self._append(processor, where)

    def _branch(self, step: Json, where: str) -> None:
        """Which arm it is, is asked once, where the branch begins."""
        self._branches += 1
        mine = [_BRANCH, str(self._branches)]
        asked = "".join(
            f"if ({condition(arm['if'])}) {{ put(ctx, {java(mine)}, {number}); return; }}\n"
            for number, arm in enumerate(step["arms"], 1)
        )
        self._append(script(asked, f"put(ctx, {java(mine)}, 0);"), where)
        for number, steps in enumerate([step["else"], *(arm["then"] for arm in step["arms"])]):
            self._add(steps, f"ctx['{_BRANCH}'] != null && ctx['{_BRANCH}']['{mine[1]}'] == {number}")

    def _mark(self, where: str) -> None:
        """Whether what is not the engine's own is to be done to an event."""
        self._steps[-1].processors.append(script(f"put(ctx, {java([_BRANCH, 'now'])}, {where});"))

    def _append(self, processor: Json, where: str) -> None:
        [(kind, settings)] = processor.items()
        self._steps[-1].processors.append({kind: {**settings, "if": where}})

    def _simulated(self, processors: Sequence[Json], events: Sequence[Event]) -> list[Event]:
        if not processors or not events:
            return list(events)
        body = {"pipeline": {"processors": self._known(processors)}, "docs": [{"_source": event} for event in events]}
        status, answer = self._engine.request("POST", "/_ingest/pipeline/_simulate", body)
        if status != 200:
            raise Refused(answer)
        made = []
        for done in answer["docs"]:
            if done is None:
                continue
            if "error" in done:
                raise Refused(done["error"])
            made.append(done["doc"]["_source"])
        return made

    def _known(self, settings: Json) -> Json:
        """The same with the environment in it."""
        text = json.dumps(settings)
        for name in set(re.findall(r"\$\{(\w+)\}", text)):
            if name not in self._environment:
                raise Untranslatable(f"${{{name}}}, which no environment has")
            value = json.dumps(self._environment[name])[1:-1]
            text = (
                text.replace(f'"${{{name}}}"', value) if name == "STARTED_MS" else text.replace(f"${{{name}}}", value)
            )
        return json.loads(text)

    def _look(self, event: Event, settings: Json) -> None:
        """The search that the filter `elasticsearch` sends for this event, and what it takes of the answer."""
        if not event[_BRANCH]["now"]:
            return
        known = {"hosts", "api_key", "ssl_enabled", "ssl_certificate_authorities", "index", "query", "enable_sort"}
        known |= {"result_size", "docinfo_fields", "retry_on_failure"}
        if unknown := set(settings) - known - COMMON:
            raise Untranslatable(f"{sorted(unknown)} of the plugin elasticsearch")
        given = {**settings, **self._known({name: settings[name] for name in ("index", "query")})}
        query = re.sub(r"%\{([^}]+)\}", lambda found: str(_got(event, found[1])), given["query"])
        address = f"/{given['index']}/_search?size={int(given['result_size'])}"
        body = {"query": {"query_string": {"query": query}}}
        status, answer = self._engine.request("POST", address, body)
        if status != 200:
            raise Refused(answer)
        for hit in answer["hits"]["hits"][:1]:
            for source, target in entries(given["docinfo_fields"]):
                put(event, path(target), hit[source])


def _got(event: Event, field: str) -> Any:
    return functools.reduce(lambda at, name: at[name], path(field), event)


def _split(event: Event, settings: Json) -> list[Event]:
    """Each part of a field as an event of its own; empty parts are left out, and one part is the event itself."""
    if set(settings) - {"field", "terminator", "id"}:
        raise Untranslatable(f"the split {settings}")
    if not event[_BRANCH]["now"]:
        return [event]
    parts = event[settings["field"]].split(settings["terminator"])
    if len(parts) == 1:
        return [event]
    return [{**copy.deepcopy(event), settings["field"]: part} for part in parts if part]

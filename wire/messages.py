"""The messages between the controller and the nodes, and their encoding.

Each message is a frozen, typed object; `encode` makes the JSON bytes that travel and `decode` reads them back. Every
encoded message carries its version in `v`. An unknown field is ignored, so that an older reader understands a newer
writer's additions; an unknown version or kind is refused with `MessageError`. docs/compatibility.md says what may be
added within a version, and what raises it.

Who sent a message is never in its body: the broker checks AMQP's `user_id`, and the receiver takes the identity there.

Times are seconds since the epoch, as floats. Sizes are bytes unless the name says otherwise.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

VERSION: Final = 1


class MessageError(ValueError):
    """A message that cannot be read: not JSON, of an unknown version or kind, or with a field of a wrong type."""


class Cause(enum.StrEnum):
    """Why an attempt ended."""

    OK = "ok"
    APP_ERROR = "app_error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_LOST = "node_lost"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class Resources(msgspec.Struct, frozen=True):
    """What one attempt may use. The agent enforces each of these but the last."""

    memory_mb: int = 512
    cpus: int = 1
    timeout_s: float = 300.0
    disk_mb: int = 1024
    processes: int = 64
    accelerator: str = ""
    """What the node must have, by the label that tells it (`gpu`). The scheduler sees to it, the agent does not."""


class AppRef(msgspec.Struct, frozen=True):
    """The app version to run: where its files are on the share, and how to call it."""

    name: str
    version: str
    """SHA-256 of the content, hexadecimal; also the folder's name: `apps/<version>/` on the share."""
    entrypoint: str = "main.py"
    requirements: str | None = None
    """Path of the requirements file inside the app, or None."""
    outputs: tuple[str, ...] = ("predictions.csv",)


class Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """The base of everything `encode` takes."""

    v: int = VERSION


class Submitted(Message, frozen=True, tag="submitted", kw_only=True):
    """Web front -> scheduler: this job waits for a place. Only a hint for speed: the job's row is the truth."""

    job: str


class Order(Message, frozen=True, tag="order", kw_only=True):
    """Scheduler -> agent: run this attempt. `(job, attempt)` identifies it; a second copy changes nothing."""

    job: str
    attempt: int
    app: AppRef
    resources: Resources = Resources()
    input: str | None = None
    """Path of the input file relative to the share (`inputs/<job>/<file name>`), or None."""
    parameters: dict[str, str] = {}
    """Passed to the app as `--NAME VALUE`, in this order, after `--input` and `--output`."""
    log_mb: int = 16
    """How much of its log is kept, in MiB."""


class Claimed(msgspec.Struct, frozen=True, tag="claimed", tag_field="type"):
    """The agent holds the attempt in its journal; from now on heartbeats keep its lease."""

    job: str
    attempt: int
    at: float


class Preparing(msgspec.Struct, frozen=True, tag="preparing", tag_field="type"):
    """The stage the agent is at with the attempt, in words, where it takes long: before its start or after its process.

    An agent of 0.1.0 tells `what` alone, once.
    """

    job: str
    attempt: int
    at: float
    what: str
    """The stage ("building the environment")."""
    detail: str = ""
    """What of it is under way ("installing scipy")."""
    since: float | None = None
    """When the stage began."""
    until: float | None = None
    """When the agent gives up making it ready."""


class Started(msgspec.Struct, frozen=True, tag="started", tag_field="type"):
    """The app's process runs."""

    job: str
    attempt: int
    at: float


class LogLines(msgspec.Struct, frozen=True, tag="log", tag_field="type"):
    """Lines of the attempt's log. `first` is the number of the first one, counted from 1 in each attempt."""

    job: str
    attempt: int
    at: float
    first: int
    lines: tuple[str, ...]
    dropped: int = 0
    """So many lines after these will not come: the node has not kept them."""
    anew: bool = False
    """What was told before of the lines from `first` on counts no longer: a glimpse of a log that grew too long."""
    glimpse: bool = False
    """What is told later takes their place."""


class OutputFile(msgspec.Struct, frozen=True):
    """One file of the attempt's committed results, under `results/<job>/<attempt>/` on the share."""

    name: str
    size: int
    sha256: str


class Usage(msgspec.Struct, frozen=True):
    """What the attempt used: wall and processor seconds, and the highest memory seen, in MB (10^6 bytes)."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_mb: float = 0.0


class Finished(msgspec.Struct, frozen=True, tag="finished", tag_field="type"):
    """The attempt's end. The agent sends it after every log line and after the results stand on the share."""

    job: str
    attempt: int
    at: float
    cause: Cause
    message: str = ""
    """One sentence for a person: what ended it ("used 612 MB of the 512 MB it asked for")."""
    exit_code: int | None = None
    outputs: tuple[OutputFile, ...] = ()
    log_lines: int = 0
    """How many lines the log has, so that a gap can be told."""
    usage: Usage = Usage()
    refusal: str = ""
    """Of a `rejected` attempt: the kind of `Refusal`, where the node has made sure that the fault is its own."""
    node_fell: bool = False
    """Of a `node_lost` attempt: the machine went down while the app ran, and nobody had asked it to."""


Event = Claimed | Preparing | Started | LogLines | Finished


class Events(Message, frozen=True, tag="events", kw_only=True):
    """Agent -> scheduler: what happened since the last such message, in order."""

    events: tuple[Event, ...]


class Metrics(msgspec.Struct, frozen=True):
    """A node's load and size. A figure the node cannot tell is None (no sensor), never a guess."""

    cpu_count: int
    free_cpu_percent: float
    memory_gb: float
    free_memory_gb: float
    """GB are 10^9 bytes."""
    free_memory_percent: float
    free_disk_gb: float | None = None
    load_1m: float | None = None
    temperature_c: float | None = None
    temperature_warning_c: float | None = None
    temperature_critical_c: float | None = None
    """The sensor's own thresholds, where the machine states them."""
    events_per_second: float | None = None
    """The node's own benchmark, None until it has run."""
    measured_at: float | None = None
    """When these figures were taken, where that is not when they are sent: of a node without an agent, every minute."""
    events_measured_at: float | None = None
    """When it was measured, so that whoever asked for it can tell the new figure from the one before."""


class HeldAttempt(msgspec.Struct, frozen=True):
    """An attempt the agent has claimed and whose end it has not yet handed over to the broker."""

    job: str
    attempt: int


class Unable(msgspec.Struct, frozen=True):
    """What a node cannot do now, so that it would refuse every attempt."""

    kind: str
    """A `Refusal`."""
    words: str = ""
    """What the node found, for a person ("3 MB are free below /var/lib/skerry")."""
    since: float = 0.0


class Heartbeat(Message, frozen=True, tag="heartbeat", kw_only=True):
    """Agent -> scheduler, every few seconds: I live, this is my load, and these attempts are mine."""

    at: float
    metrics: Metrics
    held: tuple[HeldAttempt, ...] = ()
    slots: int = 1
    agent_version: str = ""
    arch: str = ""
    """As `platform.machine()` says it: `x86_64`, `aarch64`."""
    boot: str = ""
    """A fresh identifier for each start of the agent process."""
    back_in_s: float = 0.0
    """The agent ends now, what it runs goes on, and it is back within so many seconds; 0 while it does not end."""
    out_of_reach: bool = False
    """Of a node without an agent: its machine could not be measured, several times in a row. The figures are old."""
    unable: tuple[Unable, ...] = ()
    """Why it can take no attempt now; empty when it can, and of an agent of 0.1.0."""


class Cancel(Message, frozen=True, tag="cancel", kw_only=True):
    """Scheduler -> agent: end this attempt; its outcome is no longer wanted, or the user asked."""

    job: str
    attempt: int


class RunBenchmark(Message, frozen=True, tag="run_benchmark", kw_only=True):
    """Scheduler -> agent: measure yourself again, and report the figure in the next heartbeats."""


AnyMessage = Submitted | Order | Events | Heartbeat | Cancel | RunBenchmark

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that it cannot read: also for text that is not UTF-8, and for what nests too deeply."""

_LONGEST_VERSION: Final = 20

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)
_version_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(message: Message) -> bytes:
    """The JSON bytes of a message."""
    return _encoder.encode(message)


def decode(body: bytes) -> AnyMessage:
    """The message in these bytes. Raises `MessageError` with the reason."""
    try:
        message: AnyMessage = _decoder.decode(body)
    except UNREADABLE as error:
        raise MessageError(_explain(body, error)) from error
    if message.v != VERSION:
        raise MessageError(_explain(body, "its version is another"))
    return message


def _explain(body: bytes, error: object) -> str:
    try:
        version = bytes(_version_decoder.decode(body).get("v", msgspec.Raw(b"missing"))).decode()
    except UNREADABLE:
        return f"not a message: {error}"
    if version != str(VERSION):
        return f"message version {version[:_LONGEST_VERSION]} is not known here (this side speaks {VERSION})"
    return f"not a message of version {VERSION}: {error}"

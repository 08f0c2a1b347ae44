"""What a service says about itself in its app.py: the tables from which the chassis builds everything else."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from duly_chassis.clock import Clock
from duly_chassis.database import Connection, Database
from duly_chassis.doctor import Check
from duly_chassis.gauges import Asked
from duly_chassis.metrics import Metrics
from duly_chassis.settings import ServiceSettings
from duly_chassis.traces import Traces
from duly_chassis.wake import Wake
from duly_chassis.web import BODY_BYTES_MAX
from duly_chassis.work import Work
from duly_contracts.decode import Fact
from duly_contracts.event import Event
from duly_contracts.topics import Topic

W = TypeVar("W", bound=Work)

Handler = Callable[[Sequence[Fact[Any]], datetime, Any], Awaitable[None]]
"""What happens with facts not seen before: `(facts, now, tx)`. The chassis owns the transaction."""

Answer = Callable[[Connection, Mapping[str, str]], Awaitable[Any]]
"""What a GET under /v1 answers, from one reader's transaction and the query's parameters."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Facts of these types, all from one topic, go to this handler; one line of the route table."""

    topic: Topic
    types: tuple[type[Event], ...]
    handler: Handler


@dataclass(frozen=True, slots=True)
class When:
    """Rows whose moment has come are claimed by `claim` and worked by `act`, in one transaction."""

    name: str
    claim: Callable[[Any, datetime, int], Awaitable[Sequence[Any]]]
    act: Callable[[Sequence[Any], datetime, Any], Awaitable[None]]
    by_time: bool = False
    """Only time makes its rows due, never a fact: consumed batches do not wake it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a loop of a service's own may use."""

    database: Database
    clock: Clock
    metrics: Metrics
    wake: Wake
    """Set when this service's rows may have become due."""
    committed: Callable[[], None]
    """To be called after a commit that made rows due: every loop looks."""
    told: Callable[[], None]
    """To be called after a commit that wrote events and made nothing due: the relay alone has work then."""
    source: str
    """The `ce_source` of this service's events."""
    beat: Callable[[], None]
    """To be called in work that rightly takes long, so that it is not taken for a dead loop."""
    traces: Traces = field(default_factory=Traces)
    """Where spans go, after the commit of what they tell."""


class Troubled(Exception):
    """A round was done, but for something that people should know of; it is tried again at the loop's own pace."""


class Step(Protocol):
    """One round of a loop: do what is there, and say whether there may be more."""

    async def __call__(self) -> bool:
        """Do one round; returns True when another should follow at once."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A background loop of a service's own, such as messenger's sender; the supervisor runs and watches it."""

    name: str
    step: Callable[[Context], Step]
    interval_s: float
    """Longest pause between rounds when nothing wakes it (machine clock)."""
    close: Callable[[], Awaitable[None]] | None = None
    """Gives back what the loop holds, after its last round."""
    woken: bool = True
    """Whether commits and clock jumps wake it; a loop on the machine clock alone is not."""
    by_time: bool = False
    """As a `When` has it."""


@dataclass(frozen=True, slots=True)
class Act:
    """A POST under /v1: a person's order, worked in one worker's transaction."""

    path: str
    act: Callable[[Mapping[str, Any], datetime, Any], Awaitable[Any]]
    """`(order, now, tx)`, as handlers and timers have it."""
    body_bytes_max: int = BODY_BYTES_MAX
    """The largest order it takes."""
    counts: Callable[[Metrics, Any], None] | None = None
    """What to count of an answer, after its commit."""


@dataclass(frozen=True, slots=True)
class OwnBrakes:
    """Brakes of a service's own, beside those of its consumer: listed, held and released with the same words."""

    held: Callable[[Any], Awaitable[Sequence[Mapping[str, Any]]]]
    """`(tx)`: what holds now; each with `name`, `reason` and `since`."""
    hold: Callable[[Mapping[str, Any], datetime, Any], Awaitable[Any]]
    """`(order, now, tx)`: a person's order to hold, with `by` and `reason`; raises Refusal."""
    release: Callable[[str, str, str, datetime, Any], Awaitable[bool]]
    """`(name, by, reason, now, tx)`: False where nothing of this name holds."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A POST under /v1 that brings a whole file: read on a thread, then worked in one worker's transaction."""

    path: str
    read: Callable[[Mapping[str, str], bytes], Any]
    """`(query, content)`: no I/O, so that it may run on a thread beside the loop; raises Refusal."""
    act: Callable[[Any, datetime, Any], Awaitable[Any]]
    """`(what was read, now, tx)`, as an `Act` has it."""
    bytes_max: int


@dataclass(frozen=True, slots=True)
class Knock:
    """A request from outside, as it came; nothing of it is believed before it is verified."""

    target: str
    """Path and query, as they stood on the line: what some signatures cover."""
    words: Mapping[str, str]
    """What stands in the places of the hook's path."""
    headers: tuple[tuple[str, str], ...]
    """Names in small letters; a name may come twice."""
    body: bytes

    def header(self, name: str) -> str:
        """Return a header that must be there exactly once; raises Unproved."""
        found = [value for known, value in self.headers if known == name]
        if len(found) != 1:
            raise Unproved("header_doubled" if found else "header_missing")
        return found[0]


class Unproved(Exception):
    """A request is not by whom it says; the argument is a constant word for the metric, the caller learns nothing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider is answered once its request is kept."""

    content: bytes = b""
    content_type: bytes = b"text/plain"
    outcome: str = "new"
    """A word of our code for the metric, as new or repeated."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A POST of a provider, at the public address: verified on its raw bytes, then kept in one worker's transaction."""

    path: str
    """Its places are in braces, as /v1/x/{tenant}."""
    edge: str
    """What metrics and logs call it."""
    verify: Callable[[Knock], str]
    """Names the credential that signed; whatever it raises is a 401. No parsing before it, but what the proof needs."""
    read: Callable[[Knock, str], Any]
    """`(knock, credential)`: what the request says; raises Refusal; whatever else it raises is a 400."""
    act: Callable[[Any, datetime, Any], Awaitable[Reply]]
    """`(what was read, now, tx)`: 2xx is answered after its commit."""
    per_minute_max: int
    """Requests of one credential; more are answered 429 with Retry-After."""
    deadline_s: float
    """How long a database that is away is waited for (machine clock) before the answer is 503."""
    bytes_max: int = BODY_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Service(Generic[W]):
    """A whole service, as data."""

    name: str
    work: Callable[[Connection], W]
    listens: tuple[Listen, ...]
    emits: tuple[type[Event], ...]
    timers: tuple[When, ...] = ()
    loops: tuple[Loop, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    acts: tuple[Act, ...] = ()
    uploads: tuple[Upload, ...] = ()
    brakes: OwnBrakes | None = None
    hooks: tuple[Hook, ...] = ()
    """Served at an address of their own; its settings are then a PublicSettings."""
    prepare: Callable[[W], Awaitable[None]] | None = None
    """Done once at start, in a transaction of its own: for example, making the policy file a row."""
    purges: Mapping[str, str] = field(default_factory=dict)
    """Statement by name; each deletes at most $2 rows older than $1."""
    waits: tuple[str, ...] = ()
    """Tables with a `next_due_at`, with a condition where an index needs one: what a rehearsal asks for due rows."""
    gauges: tuple[Asked, ...] = ()
    """What a scrape asks its tables for, beside what every service has; `duly_oldest_due_seconds` where rows wait."""
    busy: str = "SELECT false"
    """A query that says whether something is between two states: claimed, or on its way to a provider."""
    migrations: str = ""
    """The package that holds its chain, where it is not <name>.migrations."""

    @property
    def chain(self) -> str:
        """The package that holds its migrations."""
        return self.migrations or f"{self.name}.migrations"

    @property
    def source(self) -> str:
        """The `ce_source` of this service's events."""
        return f"duly/{self.name}"

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics it listens to, each once."""
        return tuple(dict.fromkeys(listen.topic for listen in self.listens))


@dataclass(frozen=True, slots=True)
class Entry:
    """What a service's entry point offers: enough to migrate it, run it alone, or run it beside others."""

    name: str
    settings: type[ServiceSettings]
    build: Callable[[Any, Clock], Service[Any]]
    migrations: str
    """The package that holds its chain."""
    checks: Callable[[Any], Sequence[Check]] | None = None
    """What `duly doctor` asks beside database and broker, from its settings: its vendors, its secrets."""

"""What a campaign left behind, in the form the rules ask about it: the rig's logs, and what the services answer."""

import asyncio
import csv
import io
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from tests.faults.live.place import Place
from tests.faults.live.policy import Policy
from tests.faults.live.replica import Replica, Unanswered
from tests.faults.live.rig import Rig
from tests.faults.live.standing import lives, single, stalls
from tests.faults.live.truth import Key, Notice, Told, expected, fold
from tests.faults.logs import read
from tests.faults.plan import BODY_BEGAN, REFUSED_FOR_GOOD

SAMPLE = 60
"""So many accepted mails of each tenant are asked about as well, drawn by the seed."""
DELETING_S = 2.0
"""So long before it was noted may records have been deleted."""
TOKEN = re.compile(r"\b(?:CNRY|TRNG)([a-z]+)[0-9A-Za-z]+")
CANARY = re.compile(rb"cnry[a-z]+p?\d*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Accept:
    """One mail the server accepted."""

    key: Key
    begun: float  # when the first bytes of its body had reached the server
    tokens: tuple[str, ...]
    after: float | None = None  # where the server noted it: the first bytes arrived later than that
    secure: bool = False  # it came under TLS


@dataclass(frozen=True, slots=True)
class Story:
    """What the services tell about one notification."""

    reminders: dict[str, Any]
    messenger: dict[str, Any]
    foreign: tuple[str, ...] = ()  # tokens of another tenant in the answer

    def silence(self, step: str) -> list[str]:
        """Return the reasons given for not sending this step."""
        said = [
            one["reason"] for one in self.reminders.get("decisions", ()) if one["step"] == step and not one["requested"]
        ]
        return said + [one["reason"] for one in self._of(step) if one["state"] == "suppressed"]

    def states(self, step: str) -> list[str]:
        """Return the ledger's states of this step."""
        return [one["state"] for one in self._of(step)]

    def _of(self, step: str) -> list[dict[str, Any]]:
        return [one for one in self.messenger.get("messages", ()) if one["step"] == step]


@dataclass(slots=True)
class Evidence:
    """Everything the rules look at."""

    notices: dict[Key, Notice]
    accepts: list[Accept]
    stray: list[str] = field(default_factory=list)  # accepted mails that fit no recipient of ours
    parked: list[Key] = field(default_factory=list)
    stories: dict[Key, Story] = field(default_factory=dict)
    ledger: dict[str, Counter[str]] = field(default_factory=dict)  # by tenant, states
    stops: dict[str, float] = field(default_factory=dict)  # when messenger had surely committed each
    commits: dict[tuple[str, str], float] = field(default_factory=dict)  # of stops, by tenant and what they end
    cut: set[Key] = field(default_factory=set)  # cut after the body began
    refused: set[Key] = field(default_factory=set)  # refused for good
    delayed: set[Key] = field(default_factory=set)  # refused for now, or its answer cut or slow
    fault_times: list[tuple[float, float]] = field(default_factory=list)
    blows: Counter[str] = field(default_factory=Counter)
    lies: Counter[str] = field(default_factory=Counter)
    tls: bool = False  # the server demands it
    turned_away: set[Key] = field(default_factory=set)  # of which the ledger says that no TLS came of a connection
    leaks: list[str] = field(default_factory=list)
    stalls: list[str] = field(default_factory=list)
    unwell: list[str] = field(default_factory=list)
    told: int = 0
    held: dict[tuple[str, str], str] = field(default_factory=dict)  # what roster says of whom a held file names


async def gather(rig: Rig, tenants: Sequence[str], until: float) -> Evidence:
    """Read the logs, ask the services, and search what was said for canaries."""
    place = rig.place
    told = fold(read(place.note("raw")))
    policy = Policy.read(place.evidence / "policy.json")
    evidence = Evidence(expected(told, policy, until, acknowledged(place, "reminders"), deleted(place)), [])
    evidence.told = sum(1 for _ in read(place.note("raw")))
    read_mail(evidence, told, place)
    _read_faults(evidence, place)
    evidence.stops = acknowledged(place, "messenger")
    for entry in read(place.note("commits")):
        evidence.commits[entry["tenant"], entry["about"]] = entry["committed"]
    felt = [*read(place.note("lives"))]
    evidence.stalls = list(stalls(read(place.note("watch")), evidence.fault_times, lives(felt), alone=single(felt)))
    await _ask(evidence, rig, tenants)
    evidence.leaks = list(leaks(place.spoken))
    return evidence


def read_mail(evidence: Evidence, told: Told, place: Place) -> None:
    """Read what the mail server accepted, and what it did to whom."""
    whose = {known.mail: who for who, known in told.people.items() if known.mail}

    def key(to: str, headers: dict[str, str]) -> Key | None:
        return None if to not in whose else Key(*whose[to], headers["duly-about"], headers["duly-step"])

    for entry in read(place.note("accepts")):
        found = key(entry["to"][0], entry["headers"]) if len(entry["to"]) == 1 else None
        if found is None:
            evidence.stray.append(f"{entry['headers'].get('duly-about')} at {entry['at']:.3f}")
        else:
            evidence.accepts.append(
                Accept(found, entry["begun"] or entry["at"], tuple(entry["tokens"]), entry["after"], entry["secure"])
            )
    for entry in read(place.evidence / "accepts.jsonl.faults"):
        evidence.lies[f"{entry['deed']} {entry['where']}"] += 1
        found = key(entry["to"], entry["headers"]) if entry["headers"] and entry["to"] else None
        if found is None:
            continue
        evidence.delayed.add(found)
        if entry["code"] == REFUSED_FOR_GOOD:
            evidence.refused.add(found)
        elif entry["deed"] == "cut" and entry["where"] in BODY_BEGAN:
            evidence.cut.add(found)


def _read_faults(evidence: Evidence, place: Place) -> None:
    open_since: dict[tuple[str, str], float] = {}
    for entry in read(place.note("faults")):
        name = (entry["deed"], entry["target"])
        if entry.get("phase") == "begin":
            open_since[name] = entry["at"]
        elif entry.get("phase") == "end":
            evidence.fault_times.append((open_since.pop(name), entry["at"]))
        if entry.get("phase") != "end":
            evidence.blows[entry["deed"]] += 1
            evidence.blows[f"at {entry['target'].rpartition('-')[0] or entry['target']}"] += 1


def acknowledged(place: Place, service: str) -> dict[str, float]:
    """Find for each fact of the feeder's that was noted the first look at which a service had acknowledged it.

    A record that was deleted before counts for nothing: its service goes on behind it without having heard it.
    """
    looks = [look for look in read(place.note("watch")) if "done" in look]
    blows = _deletions(place)
    found: dict[str, float] = {}
    for ack in read(place.note("acks")):  # told again after a loss: the first time counts
        where = f"{ack['place'][0]}[{ack['place'][1]}]"
        seen = (
            look["at"]
            for look in looks
            if look["cluster"] == ack["cluster"] and look["done"][service].get(where, 0) > ack["offset"]
        )
        at = next(seen, None)
        gone = [one["at"] for one in blows.get((where, ack["cluster"]), ()) if ack["offset"] < one["before"]]
        if at is not None and not (gone and min(gone) - DELETING_S <= at):
            found.setdefault(ack["id"], at)
    return found


def deleted(place: Place) -> set[str]:
    """Find the facts of the feeder's whose record, as first told, was deleted from the log (C3)."""
    before = {where: max(one["before"] for one in blows) for where, blows in _deletions(place).items()}
    first = {ack["id"]: ack for ack in reversed([*read(place.note("acks"))])}
    return {
        event
        for event, ack in first.items()
        if ack["offset"] < before.get((f"{ack['place'][0]}[{ack['place'][1]}]", ack["cluster"]), 0)
    }


def _deletions(place: Place) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Read what was deleted from which log of which cluster: when, and before which offset."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for blow in read(place.note("faults")):
        if blow["deed"] == "deleted":
            found.setdefault((blow["target"], blow["cluster"]), []).append(blow)
    return found


def leaks(folders: Iterable[Path]) -> Iterable[str]:
    """Search every byte that was said for names and addresses."""
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            found = CANARY.search(path.read_bytes()) if path.is_file() else None
            if found is not None:
                yield f"{path.name}: {found[0].decode()} at byte {found.start()}"


async def _ask(evidence: Evidence, rig: Rig, tenants: Sequence[str]) -> None:
    """Ask for totals, for what is parked, and for the story of whatever was not simply sent."""
    messenger, reminders = rig.of("messenger")[-1], rig.of("reminders")[-1]
    for replica in rig.replicas:
        try:
            await replica.ask("/health/ready")
            (rig.place.logs / f"{replica.name}.metrics").write_text(await replica.ask("/metrics"), encoding="utf-8")
        except Unanswered as error:
            evidence.unwell.append(f"{replica.name}: {error}")
    for tenant in tenants:
        rows = (await messenger.json("/v1/summary", tenant=tenant))["messages"]
        evidence.ledger[tenant] = Counter()
        for row in rows:
            evidence.ledger[tenant][row["state"]] += row["number"]
        parked = (await messenger.json("/v1/parked", tenant=tenant))["parked"]
        evidence.parked += [Key(tenant, one["person_id"], one["about"], one["step"]) for one in parked]
    evidence.tls = bool(rig.needs.lies.tls)
    if evidence.tls:
        evidence.turned_away = await _turned_away(rig)
    if rig.of("roster"):
        await _ask_held(evidence, rig)
    accepted = {accept.key for accept in evidence.accepts}
    asked = [key for key in evidence.notices if key not in accepted]
    dice = random.Random(f"sample-{rig.needs.seed}")  # noqa: S311 - repeatable, not secret
    sent = sorted(accepted & evidence.notices.keys())
    asked += dice.sample(sent, min(len(sent), SAMPLE * len(tenants)))
    at_once = asyncio.Semaphore(4)

    async def one(key: Key) -> None:
        async with at_once:
            evidence.stories[key] = await tell(reminders, messenger, key)

    await asyncio.gather(*map(one, asked))


async def _turned_away(rig: Rig) -> set[Key]:
    """Read of the ledger's history whose connection failed before TLS; nobody else knows which mail it was for."""
    connection = await asyncpg.connect(rig.database_url)
    try:
        rows = await connection.fetch(
            """
            SELECT DISTINCT l.tenant_id, l.person_id, l.about, l.step
              FROM messenger.ledger_history AS h
              JOIN messenger.ledger AS l ON l.tenant_id = h.tenant_id AND l.outreach_id = h.outreach_id
             WHERE h.reason IN ('tls_failed', 'starttls_refused')
            """
        )
    finally:
        await connection.close()
    return {Key(*row) for row in rows}


async def _ask_held(evidence: Evidence, rig: Rig) -> None:
    """Ask roster about everybody whose work a held file would have ended, unless another file had."""
    raw = list(read(rig.place.note("raw")))
    people = fold(raw).people
    for line in raw:
        if line["topic"] != "roster" or not line["held"] or "csv" not in line:
            continue
        for row in csv.DictReader(io.StringIO(line["csv"])):
            who = (line["tenant"], row["person_id"])
            if not people[who].departed:
                answer = await rig.of("roster")[0].json("/v1/explain", tenant=who[0], person=who[1])
                evidence.held[who] = answer["record"]["status"] if answer["known"] else "unknown"


async def tell(reminders: Replica, messenger: Replica, key: Key) -> Story:
    """Ask both services about one notification, as `duly explain` does."""
    query = {"tenant": key.tenant, "person": key.person, "assignment": key.assignment}
    texts = [await replica.ask("/v1/explain", **query) for replica in (reminders, messenger)]
    foreign = {
        found[0] for text in texts for found in TOKEN.finditer(text) if found[1][: len(key.tenant)] != key.tenant
    }
    return Story(json.loads(texts[0]), json.loads(texts[1]), tuple(sorted(foreign)))

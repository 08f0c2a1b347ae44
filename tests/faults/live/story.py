"""What happens in a campaign, drawn from its seed.

People of several tenants with the same ids, what they must learn, what ends it, and when the feeder tells each of it.
Every name and address holds a canary (CNRY...), every title a token of its tenant and assignment (TRNG...).
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.live.policy import Policy

ZONES = ("UTC", "Asia/Tokyo", "America/Phoenix", "Africa/Lagos", "Asia/Kolkata", "Etc/UTC")  # none changes its clock
UTC_ZONES = ("UTC", "Etc/UTC")
PEOPLE_S = 3.0  # the records of people are told within this time, but for those who come late
TOPICS = {"people": "duly.people", "training": "duly.training", "outreach": "duly.outreach"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One event, and when the feeder tells it."""

    after_s: float
    type: str  # people.recorded.v1
    id: str
    subject: str
    data: dict[str, Any]

    @property
    def topic(self) -> str:
        """The topic it belongs to."""
        return TOPICS[self.type.partition(".")[0]]

    @property
    def key(self) -> str:
        """The partition key."""
        return f"{self.data['tenant_id']}/{self.data['person_id']}"

    def headers(self) -> list[tuple[str, str]]:
        """Write its envelope: CloudEvents 1.0 in binary mode."""
        return [
            ("ce_specversion", "1.0"),
            ("ce_id", self.id),
            ("ce_type", f"duly.{self.type}"),
            ("ce_source", "/campaign/feeder"),
            ("ce_time", self.data["occurred_at"]),
            ("ce_subject", self.subject),
            ("ce_tenantid", self.data["tenant_id"]),
            ("content-type", "application/json"),
        ]

    def line(self, chunk: int) -> dict[str, Any]:
        """Write it as a line of the raw log."""
        value = json.dumps(self.data)
        return {"chunk": chunk, "topic": self.topic, "key": self.key, "headers": self.headers(), "value": value}


@dataclass(frozen=True, slots=True)
class Cast:
    """How much happens, over how long."""

    tenants: tuple[str, ...] = ("acme", "bolt", "crux")
    people: int = 250  # of each tenant
    assignments: int = 700  # of each tenant
    feed_s: float = 90


def mail_of(tenant: str, person: str) -> str:
    """Return the address of a person, canary and all."""
    return f"cnry{tenant}{person}@{tenant}.example"


def story(seed: int, cast: Cast, policy: Policy, now: datetime, burst: datetime) -> list[Fact]:
    """Tell everything, in the order in which it is told."""
    facts: list[Fact] = []
    for tenant in cast.tenants:
        dice = random.Random(f"{seed}-{tenant}")  # noqa: S311 - repeatable, not secret
        teller = Teller(tenant, dice, cast, policy, now, burst)
        facts += teller.people()
        facts += [fact for number in range(cast.assignments) for fact in teller.assignment(number)]
    return sorted(facts, key=lambda fact: fact.after_s)


class Teller:
    """Draws one tenant's facts."""

    def __init__(
        self, tenant: str, dice: random.Random, cast: Cast, policy: Policy, now: datetime, burst: datetime
    ) -> None:
        self._tenant = tenant
        self._dice = dice
        self._cast = cast
        self._policy = policy
        self._now = now
        self._burst_s = (burst - now).total_seconds()
        self._burst = burst
        self._zones = {f"p{number:04}": dice.choice(ZONES) for number in range(cast.people)}
        self._in_utc = [person for person, zone in self._zones.items() if zone in UTC_ZONES]

    def people(self) -> Iterator[Fact]:
        """Tell who there is; one in thirty is told late, one in forty leaves under way."""
        for person in self._zones:
            late = self._dice.random() < 1 / 30
            told_s = self._dice.uniform(PEOPLE_S, self._cast.feed_s) if late else self._dice.uniform(0, PEOPLE_S)
            yield self._person(person, told_s, 1, "active")
            if self._dice.random() < 1 / 40:
                yield self._person(person, self._dice.uniform(told_s, self._cast.feed_s), 2, "departed")

    def assignment(self, number: int) -> Iterator[Fact]:
        """Tell one assignment and, for some, what ends it: before it, with it, or around its moment."""
        name, draw = f"a{number:05}", self._dice.random()
        ahead = 0.70 <= draw < 0.85 and self._burst_s > PEOPLE_S
        person = self._dice.choice(self._in_utc if ahead else list(self._zones))
        moment = self._burst if ahead else self._policy.last_before(self._now, self._zones[person])
        days = self._dice.choice(self._policy.offsets_days)
        early = timedelta(minutes=0 if ahead else self._dice.uniform(0, 20 * 60))
        due_at = moment - early + timedelta(days=days)
        given_at = due_at - timedelta(days=self._dice.choice((days + 2, 30)))
        told_s = self._dice.uniform(PEOPLE_S, max(PEOPLE_S, min(self._burst_s - 2, self._cast.feed_s) if ahead else 0))
        if not ahead:
            told_s = self._dice.uniform(PEOPLE_S, self._cast.feed_s)
        facts = {"assignment_id": name, "training_id": f"t{number % 40}", "due_at": instant(due_at)}
        facts["training_title"] = f"Safety TRNG{self._tenant}{name}x"
        yield self._fact(told_s, "training.assigned.v1", f"{name}-given", person, given_at, facts)
        stop_s = self._stop_s(draw, told_s, ahead=ahead)
        if stop_s is not None:
            kind = self._dice.choice(("completed", "completed", "withdrawn"))
            ended_at = self._now + timedelta(seconds=min(stop_s, 0) - self._dice.uniform(1, 600))
            facts = {"assignment_id": name, "training_id": f"t{number % 40}"}
            yield self._fact(max(stop_s, 0), f"training.{kind}.v1", f"{name}-{kind}", person, ended_at, facts)

    def _stop_s(self, draw: float, told_s: float, *, ahead: bool) -> float | None:
        """Draw when the end is told; None: it is not."""
        if ahead:
            return self._burst_s + self._dice.gauss(0, 1.5) if draw < 0.76 else None
        if draw < 0.05:
            return max(0.0, told_s - self._dice.uniform(2, 10))
        if draw < 0.13:
            return told_s + self._dice.expovariate(1.0)
        return None

    def _person(self, person: str, told_s: float, version: int, status: str) -> Fact:
        token = f"CNRY{self._tenant}{person}x"
        more = {
            "version": version,
            "status": status,
            "zone": self._zones[person],
            "locale": "en",
            "personal": {"name": f"Vera {token}", "mail": mail_of(self._tenant, person)},
        }
        return self._fact(told_s, "people.recorded.v1", f"{person}-{version}", person, self._now, more)

    def _fact(self, told_s: float, kind: str, name: str, person: str, at: datetime, more: dict[str, Any]) -> Fact:
        data = {"tenant_id": self._tenant, "person_id": person, "occurred_at": instant(at), **more}
        subject = str(more.get("assignment_id", person))
        return Fact(told_s, kind, f"{self._tenant}-{name}", subject, data)


def instant(moment: datetime) -> str:
    """Write an instant as the events do."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

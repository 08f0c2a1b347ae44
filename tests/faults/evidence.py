"""What a campaign left behind, in the form the checker asks about it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parseaddr, parsedate_to_datetime
from pathlib import Path
from typing import Any

from tests.faults.logs import read
from tests.faults.plan import BODY_BEGAN
from tests.oracle.oulad import Key, Truth


@dataclass(frozen=True, slots=True)
class Accepted:
    """One mail the server accepted: a line of its log."""

    key: Key
    envelope: tuple[str, ...]
    header_to: str
    date: datetime | None  # None: absent or not a date
    message_id: str
    outreach_id: str


@dataclass(frozen=True, slots=True)
class Parked:
    """One mail the product says it left for a person to decide."""

    key: Key
    why: str


@dataclass(slots=True)
class Faults:
    """What the server did, sorted by how well it knows to whom."""

    hit: set[Key] = field(default_factory=set)  # refused or cut, known by name
    cut: set[Key] = field(default_factory=set)  # cut after the body began, known by name
    hit_addresses: Counter[str] = field(default_factory=Counter)  # one of the mails to this address
    cut_addresses: Counter[str] = field(default_factory=Counter)
    hit_unknown: int = 0  # refused at MAIL
    message_ids: set[tuple[Key, str, str]] = field(default_factory=set)
    by_deed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the checker looks at."""

    truth: Truth
    accepted: list[Accepted]
    faults: Faults
    parked: list[Parked]
    kills: int = 0


def accepted_from(log: Path) -> list[Accepted]:
    """Read the accept log."""
    return [_accepted(entry) for entry in read(log)]


def faults_from(log: Path) -> Faults:
    """Read the fault log."""
    faults = Faults()
    for entry in read(log):
        _add(faults, entry)
    return faults


def parked_from(outcome: dict[str, Any]) -> list[Parked]:
    """Read the product's list of parked mails."""
    return [
        Parked((str(entry["to"]), str(entry["assignment"]), str(entry["step"])), str(entry.get("why") or ""))
        for entry in outcome["parked"]
    ]


def _accepted(entry: dict[str, Any]) -> Accepted:
    headers = entry["headers"]
    envelope = tuple(entry["to"])
    return Accepted(
        key=(envelope[0], headers["duly-about"], headers["duly-step"]),
        envelope=envelope,
        header_to=parseaddr(headers["to"])[1],
        date=_instant(headers["date"]),
        message_id=headers["message-id"],
        outreach_id=headers["duly-outreach-id"],
    )


def _instant(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:  # RFC 5322 writes UTC as -0000 too; anything else without a zone is no instant
        return moment.replace(tzinfo=UTC) if text.rstrip().endswith("-0000") else None
    return moment.astimezone(UTC)


def _add(faults: Faults, entry: dict[str, Any]) -> None:
    cut_in_body = entry["deed"] == "cut" and entry["where"] in BODY_BEGAN
    faults.by_deed[f"{entry['deed']} {entry['where']}"] += 1
    headers = entry["headers"]
    if headers is not None:
        key = (entry["to"], headers["duly-about"], headers["duly-step"])
        faults.hit.add(key)
        faults.message_ids.add((key, headers["message-id"], headers["duly-outreach-id"]))
        if cut_in_body:
            faults.cut.add(key)
    elif entry["to"] is not None:
        faults.hit_addresses[entry["to"]] += 1
        if cut_in_body:
            faults.cut_addresses[entry["to"]] += 1
    else:
        faults.hit_unknown += 1

"""The rules of a campaign, one function each: evidence in, violations out."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from tests.faults.evidence import Accepted, Evidence
from tests.oracle.oulad import Key

RETRIED_WITHIN = timedelta(hours=3)
PARKED_BY_KILL_MAX = 32
"""So many attempts may stand between their beginning and their outcome when a process dies."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise, with the mail it was broken to."""

    kind: str
    what: str


def lost(evidence: Evidence) -> Iterator[Violation]:
    """Each expected mail was accepted, or is parked."""
    known = {mail.key for mail in evidence.accepted} | {mail.key for mail in evidence.parked}
    for key, moment in evidence.truth.reminders.items():
        if key not in known:
            yield Violation("lost", f"{_name(key)}, expected at {moment:%Y-%m-%dT%H:%MZ}")


def doubled(evidence: Evidence) -> Iterator[Violation]:
    """No mail was accepted twice."""
    for key, times in Counter(mail.key for mail in evidence.accepted).items():
        if times > 1:
            yield Violation("doubled", f"{_name(key)}, accepted {times} times")


def wrong(evidence: Evidence) -> Iterator[Violation]:
    """Nothing was accepted that nobody expected: address, assignment and step must all be right."""
    for mail in evidence.accepted:
        if mail.key in evidence.truth.reminders:
            continue
        to, about, _ = mail.key
        assignment = evidence.truth.assignments.get(about)
        if assignment is None:
            why = "there is no such assignment"
        elif assignment.to != to:
            why = f"this assignment is {assignment.to}'s"
        else:
            why = "no such step is due for it"
        yield Violation("wrong", f"{_name(mail.key)}: {why}")


def misaddressed(evidence: Evidence) -> Iterator[Violation]:
    """Each mail has one recipient, and names the same in its header."""
    for mail in evidence.accepted:
        if mail.envelope != (mail.header_to,):
            envelope = ", ".join(mail.envelope)
            yield Violation("misaddressed", f"{_name(mail.key)}: to {envelope}, header {mail.header_to!r}")


def out_of_time(evidence: Evidence) -> Iterator[Violation]:
    """Each mail goes at its moment; retried, or after a kill, within three hours of it."""
    excuse = _excuses(evidence)
    for mail in evidence.accepted:
        moment = evidence.truth.reminders.get(mail.key)
        if mail.date is None:
            yield Violation("undated", f"{_name(mail.key)}: no Date with a zone")
        elif moment is not None and mail.date < moment:
            yield Violation("early", f"{_name(mail.key)}, by {moment - mail.date}")
        elif moment is not None and mail.date > moment + RETRIED_WITHIN:
            yield Violation("late", f"{_name(mail.key)}, by {mail.date - moment}")
        elif moment is not None and mail.date > moment and not excuse(mail):
            yield Violation("late", f"{_name(mail.key)}, by {mail.date - moment}, though nothing delayed it")


def after_stop(evidence: Evidence) -> Iterator[Violation]:
    """Nothing goes about an assignment that is completed, withdrawn or past its due instant."""
    for mail in evidence.accepted:
        assignment = evidence.truth.assignments.get(mail.key[1])
        if assignment is not None and mail.date is not None and mail.date >= assignment.ends_at:
            ended = f"{assignment.ended_by} at {assignment.ends_at:%Y-%m-%dT%H:%M:%SZ}"
            yield Violation("after_stop", f"{_name(mail.key)}, dated {mail.date:%Y-%m-%dT%H:%MZ}, {ended}")


def parked_without_cause(evidence: Evidence) -> Iterator[Violation]:
    """Parked are mails that were cut in the body, and at most 32 more for each kill; each with a reason."""
    accepted = {mail.key for mail in evidence.accepted}
    cut_addresses = evidence.faults.cut_addresses.copy()
    uncut: list[Key] = []
    for mail in evidence.parked:
        if mail.key not in evidence.truth.reminders:
            yield Violation("parked_wrong", f"{_name(mail.key)} was never due")
        if not mail.why.strip():
            yield Violation("parked_unreasoned", f"{_name(mail.key)} has no reason")
        if mail.key in evidence.faults.cut:
            continue
        if cut_addresses[mail.key[0]] > 0 and mail.key not in accepted:
            cut_addresses[mail.key[0]] -= 1
            continue
        uncut.append(mail.key)
    for key, times in Counter(mail.key for mail in evidence.parked).items():
        if times > 1:
            yield Violation("parked_twice", f"{_name(key)}, {times} times")
    allowed = PARKED_BY_KILL_MAX * evidence.kills
    if len(uncut) > allowed:
        for key in uncut:
            fate = "accepted all the same" if key in accepted else "not accepted"
            what = f"{_name(key)}: never cut, {fate} (one of {len(uncut)}; {allowed} allowed)"
            yield Violation("parked_uncut", what)


def unstable_ids(evidence: Evidence) -> Iterator[Violation]:
    """Each mail keeps its Message-ID and outreach id through all attempts, and shares them with no other."""
    seen = {(mail.key, mail.message_id, mail.outreach_id) for mail in evidence.accepted}
    seen |= evidence.faults.message_ids
    names = {
        "Message-ID": defaultdict[str, set[Key]](set),
        "Duly-Outreach-Id": defaultdict[str, set[Key]](set),
    }
    owned: dict[Key, set[tuple[str, str]]] = defaultdict(set)
    for key, message_id, outreach_id in sorted(seen):
        names["Message-ID"][message_id].add(key)
        names["Duly-Outreach-Id"][outreach_id].add(key)
        owned[key].add((message_id, outreach_id))
    for header, users in names.items():
        for identity, keys in users.items():
            if not identity:
                yield Violation("no_id", f"{len(keys)} mails without {header}, first {_name(min(keys))}")
            elif len(keys) > 1:
                yield Violation("shared_id", f"{header} {identity}: {', '.join(map(_name, sorted(keys)))}")
    for key, identities in owned.items():
        if len(identities) > 1:
            yield Violation("changing_id", f"{_name(key)}: {sorted(identities)}")


RULES = (
    lost,
    doubled,
    wrong,
    misaddressed,
    out_of_time,
    after_stop,
    parked_without_cause,
    unstable_ids,
)


def _excuses(evidence: Evidence) -> Callable[[Accepted], bool]:
    """Build the question whether something delayed a mail.

    Before the body the server knows the address only, at MAIL not even that: such a fault excuses one mail.
    """
    addresses = evidence.faults.hit_addresses.copy()
    unknown = evidence.faults.hit_unknown

    def excuse(mail: Accepted) -> bool:
        nonlocal unknown
        if evidence.kills or mail.key in evidence.faults.hit:
            return True
        if addresses[mail.key[0]] > 0:
            addresses[mail.key[0]] -= 1
            return True
        unknown -= 1
        return unknown >= 0

    return excuse


def _name(key: Key) -> str:
    to, about, step = key
    return f"{to} {about} step {step}"

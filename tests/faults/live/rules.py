"""The invariants of a live campaign, one function each: evidence in, violations out (RELIABILITY.md section 4)."""

from collections import Counter
from collections.abc import Iterator

from tests.faults.live.evidence import Evidence
from tests.faults.live.truth import Key
from tests.faults.plan import IN_THE_OPEN, NO_TLS, TLS_FAILURES
from tests.faults.rules import PARKED_BY_KILL_MAX, Violation

READ_LATER_S = 1.0
"""So much later than it left may a busy mail server read the first byte of a body."""
ALLOWANCE_S = 300.0
RETRY_S = 60.0 + 300.0
"""The pauses after a first and a second refusal for now."""


def i1_lost(evidence: Evidence) -> Iterator[Violation]:
    """Every notification ends in exactly one of sent, cancelled with its reason, refused for good, parked."""
    accepted, parked = {accept.key for accept in evidence.accepts}, set(evidence.parked)
    for key, notice in evidence.notices.items():
        if key in accepted or key in parked:
            continue
        story = evidence.stories.get(key)
        silence = [] if story is None else story.silence(key.step)
        states = [] if story is None else story.states(key.step)
        if notice.verdict != "never" and states == ["refused"] and key in evidence.refused:
            continue
        if notice.verdict != "must" and silence and notice.reasons.issuperset(silence):
            continue
        yield Violation("I1 lost", f"{name(key)} ({notice.verdict}): silence {silence}, ledger {states}")


def i1_unsettled(evidence: Evidence) -> Iterator[Violation]:
    """Nothing is on its way any more once all is quiet; and what the ledger calls sent, the server has accepted."""
    parked = set(evidence.parked)
    for tenant, states in evidence.ledger.items():
        for state in ("due", "posting", "in_doubt"):
            if states[state]:
                yield Violation("I1 unsettled", f"{tenant}: {states[state]} messages are {state}")
        sent = sum(accept.key.tenant == tenant and accept.key not in parked for accept in evidence.accepts)
        if states["sent"] != sent:
            yield Violation("I1 sent", f"{tenant}: the ledger says {states['sent']} sent, the server accepted {sent}")


def i2_doubled(evidence: Evidence) -> Iterator[Violation]:
    """Each notification is accepted at most once, and only if it was ever due."""
    for key, times in Counter(accept.key for accept in evidence.accepts).items():
        if times > 1:
            yield Violation("I2 doubled", f"{name(key)}, accepted {times} times")
        if key not in evidence.notices:
            yield Violation("I2 never due", name(key))
    for what in evidence.stray:
        yield Violation("I2 stray", what)
    for key, times in Counter(evidence.parked).items():
        if times > 1:
            yield Violation("I2 parked twice", name(key))


def i3_after_stop(evidence: Evidence) -> Iterator[Violation]:
    """No body begins after messenger has committed what forbids it."""
    for accept in evidence.accepts:
        notice = evidence.notices.get(accept.key)
        if notice is None:
            continue
        if notice.verdict == "never":
            reasons = ", ".join(sorted(notice.reasons))
            yield Violation("I3 after stop", f"{name(accept.key)}: {reasons} before it was due")
            continue
        for event in notice.stops:
            committed_by = evidence.stops.get(event)
            if committed_by is not None and accept.begun > committed_by + READ_LATER_S:
                late_s = accept.begun - committed_by
                yield Violation("I3 after stop", f"{name(accept.key)}, {late_s:.1f} s after {event} was committed")


def i3_to_the_instant(evidence: Evidence) -> Iterator[Violation]:
    """No body's first byte arrives after the commit of its stop, both by one clock (c10.py says why that is exact)."""
    for accept in evidence.accepts:
        committed = evidence.commits.get((accept.key.tenant, accept.key.assignment))
        if committed is not None and accept.after is not None and accept.after > committed:
            late_ms = 1_000 * (accept.after - committed)
            yield Violation("I3 after stop", f"{name(accept.key)}, {late_ms:.1f} ms after the commit of its stop")


def i4_on_time(evidence: Evidence) -> Iterator[Violation]:
    """Each body begins at its moment or soon after; fault time and retry pauses are added."""
    faults_s = fault_seconds(evidence)
    for accept in evidence.accepts:
        notice = evidence.notices.get(accept.key)
        if notice is None:
            continue
        if accept.begun < notice.due_at:
            yield Violation("I4 early", f"{name(accept.key)}, by {notice.due_at - accept.begun:.1f} s")
        allowed_s = ALLOWANCE_S + faults_s + RETRY_S
        if accept.begun > notice.due_at + allowed_s:
            yield Violation(
                "I4 late", f"{name(accept.key)}, {accept.begun - notice.due_at:.0f} s; {allowed_s:.0f} allowed"
            )


def i6_held(evidence: Evidence) -> Iterator[Violation]:
    """Nothing of a held run is in force."""
    for (tenant, person), status in evidence.held.items():
        if status == "departed":
            yield Violation("I6 partly applied", f"{tenant} {person} left by a file that is held")


def i8_tenants(evidence: Evidence) -> Iterator[Violation]:
    """Each mail carries its own recipient's name and assignment's title, each answer only its tenant's data."""
    for accept in evidence.accepts:
        key = accept.key
        own = {f"CNRY{key.tenant}{key.person}x", f"TRNG{key.tenant}{key.assignment}x"}
        if set(accept.tokens) != own:
            yield Violation("I8 wrong tenant", f"{name(key)} carries {', '.join(accept.tokens) or 'nothing'}")
    for key, story in evidence.stories.items():
        if story.foreign:
            yield Violation("I8 foreign answer", f"{name(key)}: {', '.join(story.foreign)}")


def i9_leaks(evidence: Evidence) -> Iterator[Violation]:
    """No canary stands in any byte of logs, metrics or crash output."""
    for what in evidence.leaks:
        yield Violation("I9 leak", what)


def i10_progress(evidence: Evidence) -> Iterator[Violation]:
    """Partitions with lag move while the servers are up, and every replica is ready in the end."""
    for what in evidence.stalls:
        yield Violation("I10 stall", what)
    for what in evidence.unwell:
        yield Violation("I10 unwell", what)


def parked_by_cause(evidence: Evidence) -> Iterator[Violation]:
    """Parked are mails that were cut in the body, and at most 32 more for each blow at who was sending."""
    uncut = [key for key in evidence.parked if key not in evidence.cut]
    blows = sum(evidence.blows[f"at {target}"] for target in ("messenger", "postgres"))
    if len(uncut) > PARKED_BY_KILL_MAX * blows:
        yield Violation("parked uncut", f"{len(uncut)} parked without a cut, after {blows} blows")


def tls_only(evidence: Evidence) -> Iterator[Violation]:
    """Where TLS is set, no mail comes in the open; one whose connection came to nothing comes all the same, once."""
    if not evidence.tls:
        return
    times = Counter(accept.key for accept in evidence.accepts)
    ended = {*evidence.parked, *evidence.refused}
    for accept in evidence.accepts:
        if not accept.secure:
            yield Violation("TLS open", name(accept.key))
    for _ in range(evidence.lies[f"{IN_THE_OPEN} mail"]):
        yield Violation("TLS open", "MAIL before TLS")
    for key in evidence.turned_away:
        stopped = key in evidence.notices and evidence.notices[key].verdict != "must"
        if times[key] > 1 or (not times[key] and key not in ended and not stopped):
            yield Violation("TLS turned away", f"{name(key)}, accepted {times[key]} times")
    for where in TLS_FAILURES:
        if not evidence.lies[f"{NO_TLS} {where}"]:
            yield Violation("TLS untried", where)
    if not evidence.turned_away:
        yield Violation("TLS untried", "the ledger knows of no failure")


RULES = (
    i1_lost,
    i1_unsettled,
    i2_doubled,
    i3_after_stop,
    i3_to_the_instant,
    i4_on_time,
    i6_held,
    i8_tenants,
    i9_leaks,
    i10_progress,
    parked_by_cause,
    tls_only,
)


def fault_seconds(evidence: Evidence) -> float:
    """Add up the time in which a server was away, overlaps counted once."""
    total, reached = 0.0, 0.0
    for begin, end in sorted(evidence.fault_times):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def name(key: Key) -> str:
    """Name a notification for people."""
    return f"{key.tenant} {key.person} {key.assignment} step {key.step}"

"""What an answer to "did you take it?" makes of a message in doubt: facts and `now` in, decisions out."""

from datetime import datetime, timedelta

from messenger.channel import Accepted, Found, NotAsked, NotThere, RefusedForGood, Unclear
from messenger.domain import Change, Outreach
from messenger.planning import choosing
from messenger.planning.hours import Hours

CHECKS_MAX = 5
"""So many unclear answers, and a person decides (RELIABILITY 6.7)."""

CHECK_AGAIN = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""Waits after an unclear answer (business clock)."""

ASK_AGAIN = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60))
"""Waits while the provider cannot be asked (business clock); the last one repeats while the message is useful."""

TOO_EARLY = "not_there_yet"
"""The provider did not know it, and on its own clock, which no rehearsal drives, it may still take it."""


def found(
    outreach: Outreach, answer: Found, zone: str | None, hours: Hours, now: datetime, *, twice: bool = False
) -> Change:
    """Decide over one message: only the provider's own word settles it; what stays unknown waits, then is parked.

    Where the clock is driven it has to be said `twice` that a message is not there.
    """
    attempt = outreach.attempt
    match answer:
        case Accepted(provider_id):
            sent = Change(outreach, "sent", "read_back", attempt=attempt, provider_id=provider_id)
            return choosing.awaiting(sent, zone, hours, now)
        case RefusedForGood(reason, code, address):
            refused = Change(outreach, "refused", reason, attempt=attempt, code=code)
            return choosing.moved(refused, now) if address else refused
        case NotThere() if twice and outreach.reason != TOO_EARLY:
            checks, asks = outreach.checks, outreach.asks
            return Change(outreach, "in_doubt", TOO_EARLY, now, attempt, checks=checks, asks=asks)
        case NotThere():
            return Change(outreach, "due", "not_accepted", now, attempt)
        case Unclear(reason, code):
            return _unclear(outreach, reason, code, now)
        case NotAsked(reason, code, after_s):
            return _not_asked(outreach, reason, code, after_s, now)


def _unclear(outreach: Outreach, reason: str, code: str, now: datetime) -> Change:
    checks = outreach.checks + 1
    if checks >= CHECKS_MAX:
        return Change(outreach, "parked", reason, attempt=outreach.attempt, code=code)
    again_at = now + CHECK_AGAIN[min(checks, len(CHECK_AGAIN)) - 1]
    return Change(outreach, "in_doubt", reason, again_at, outreach.attempt, code, checks=checks, asks=outreach.asks)


def _not_asked(outreach: Outreach, reason: str, code: str, after_s: float | None, now: datetime) -> Change:
    """Wait for a provider that is away, for as long as the message is useful: then nothing is left but a person."""
    if now >= outreach.useful_until:
        return Change(outreach, "parked", reason, attempt=outreach.attempt, code=code)
    asks = outreach.asks + 1
    wait = max(ASK_AGAIN[min(asks, len(ASK_AGAIN)) - 1], timedelta(seconds=after_s or 0))
    return Change(outreach, "in_doubt", reason, now + wait, outreach.attempt, code, checks=outreach.checks, asks=asks)

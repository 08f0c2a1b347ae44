"""What intake does with each thing that comes in: keep it, decide, emit. The chassis owns the transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from duly_chassis.numbers import key_mark, number_digest
from duly_chassis.service import Reply
from duly_contracts.ids import derived
from duly_contracts.signals import DeliveryReportedV1, SmsOptedInV1, SmsOptedOutV1
from intake import twilio_door
from intake.domain import CLASSES, NOBODY, Effects, Press, Report, Text, WordClass, effects
from intake.store import Store

NEW, REPEATED = "new", "repeated"


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator set about texts."""

    numbers_key: str
    """The key that writes digests; empty where no sender is set, and then no text has a tenant."""
    help_text: str | None
    start_wait: timedelta  # business clock


async def report(told: Report, now: datetime, tx: Store) -> Reply:
    """Keep a provider's report, and tell it once for each message and status (S-13)."""
    if not await tx.keep_report(told, now):
        return Reply(outcome=REPEATED)
    tx.emit(
        derived("delivery-reported", told.tenant_id, str(told.outreach_id), told.provider_id, told.status),
        DeliveryReportedV1(
            tenant_id=told.tenant_id,
            occurred_at=now,
            outreach_id=told.outreach_id,
            channel="sms",
            provider_id=told.provider_id,
            status=told.status,
            code=told.code,
        ),
    )
    return Reply(outcome=NEW)


async def text(wrote: Text, now: datetime, tx: Store, rules: Rules) -> Reply:
    """Keep that somebody wrote, and do what they want; of the words only what a person should read is kept."""
    digests = digests_of(wrote, rules)
    new = await tx.keep_text(
        digests or [(NOBODY, "")], wrote.provider_id, wrote.heard.wish, wrote.heard.word_class, now
    )
    if not new:
        return twilio_door.answer(wrote.heard, rules.help_text, REPEATED)
    fresh = [(tenant, digest) for tenant, digest in digests if tenant in new]
    follows = effects(wrote.heard, wrote.tenants)
    await _obey(wrote, follows, dict(fresh), now, tx, rules)
    if wrote.heard.to_review:
        await tx.keep_words(fresh, wrote.provider_id, wrote.heard.word_class, wrote.words.replace("\0", ""), now)
    outcome = wrote.heard.wish.value if fresh else "unknown_sender"
    return twilio_door.answer(wrote.heard, rules.help_text, outcome)


def digests_of(wrote: Text, rules: Rules) -> list[tuple[str, str]]:
    """Give each tenant with the digest under which it keeps the number; none without a number."""
    if not wrote.number:
        return []
    return [(one, number_digest(rules.numbers_key, one, wrote.number, wrote.sender)) for one in sorted(wrote.tenants)]


async def _obey(wrote: Text, follows: Effects, digests: dict[str, str], now: datetime, tx: Store, rules: Rules) -> None:
    """Tell for each tenant what the text ends or brings back; where a person must confirm, have it wait."""
    if not digests:
        return
    mark = key_mark(rules.numbers_key)
    for tenant in (one for one in follows.out if one in digests):
        event_id = derived("sms-opted-out", tenant, wrote.provider_id)
        tx.emit(event_id, opted_out(tenant, digests[tenant], mark, wrote.heard.word_class, now))
    for tenant in (one for one in follows.back if one in digests):
        event_id = derived("sms-opted-in", tenant, wrote.provider_id)
        tx.emit(event_id, opted_in(tenant, digests[tenant], mark, "", now))
    if follows.out:
        await tx.forget_starts(list(digests.items()))
    waits = [(one, digests[one]) for one in follows.waits if one in digests]
    if waits:
        await tx.await_word(waits, mark, now, now + rules.start_wait)


def opted_out(tenant: str, digest: str, mark: str, word_class: str, now: datetime) -> SmsOptedOutV1:
    """Say that a number wants no more texts; what has no class is doubt."""
    said: WordClass = word_class if word_class in CLASSES else "doubt"  # type: ignore[assignment]  # tested just here
    return SmsOptedOutV1(tenant_id=tenant, occurred_at=now, number_digest=digest, key_mark=mark, word_class=said)


def opted_in(tenant: str, digest: str, mark: str, by: str, now: datetime) -> SmsOptedInV1:
    """Say that a number wants texts again."""
    return SmsOptedInV1(tenant_id=tenant, occurred_at=now, number_digest=digest, key_mark=mark, confirmed_by=by)


async def press(pressed: Press, now: datetime, tx: Store) -> Reply:
    """Keep a press in Slack, once (S-05); what it does comes with the work that shows buttons."""
    kept = await tx.keep_press(pressed, now)
    outcome = NEW if pressed.tenant_id != NOBODY else "unknown_workspace"
    return Reply(outcome=outcome if kept else REPEATED)

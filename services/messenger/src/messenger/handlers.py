"""What messenger does with each event: load, decide, save, emit. The chassis owns the transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from duly_chassis import crash
from duly_contracts.decode import Fact
from duly_contracts.outreach import OutreachWithdrawnV1
from duly_contracts.people import PersonRecordedV1
from duly_contracts.signals import DeliveryReportedV1, SmsOptedInV1, SmsOptedOutV1
from duly_contracts.training import TrainingEvent
from messenger.blocks import block_list, blocking
from messenger.blocks.block_list import BlockList, Message
from messenger.domain import Change
from messenger.planning import choosing
from messenger.planning.hours import Hours
from messenger.planning.plans import ChannelPolicy
from messenger.sending import outcomes
from messenger.settling import reports
from messenger.store import MAIL_ALONE, Key, Requested, Store


async def people(facts: Sequence[Fact[PersonRecordedV1]], now: datetime, tx: Store, *, hours: Hours) -> None:
    """Take over how people are reached; messages that waited for an address look again. A missing zone is told."""
    await tx.save_contacts(facts)
    for fact in facts:
        missing = outcomes.zone_not_found(fact.data, hours)
        if missing is not None:
            tx.emit(*missing, fact.trace)
    await tx.wake_person({(fact.data.tenant_id, fact.data.person_id) for fact in facts}, now)


async def training(facts: Sequence[Fact[TrainingEvent]], now: datetime, tx: Store) -> None:
    """Keep facts that can make a message pointless, whether or not one waits yet: topics overtake each other."""
    await _stop([((fact.data.tenant_id, fact.data.assignment_id), fact.data) for fact in facts], tx)
    await tx.wake_about({(fact.data.tenant_id, fact.data.assignment_id) for fact in facts}, now)


async def withdrawn(facts: Sequence[Fact[OutreachWithdrawnV1]], now: datetime, tx: Store) -> None:
    """Keep the word of who asked that the message is not wanted any more; it may come before the request."""
    await _stop([((fact.data.tenant_id, str(fact.data.outreach_id)), fact.data) for fact in facts], tx)
    await tx.touch({(fact.data.tenant_id, fact.data.outreach_id) for fact in facts}, now)


async def requested(
    facts: Sequence[Fact[Requested]],
    now: datetime,
    tx: Store,
    *,
    policy: ChannelPolicy = MAIL_ALONE,
) -> None:
    """Write the requests into the ledger; nothing is sent from here.

    A second request under one notification key, from whatever source, is told already: it is closed with a reason.
    Raises ValueError for one whose endings are about something else than the message: nothing here would see them.
    """
    for fact in facts:
        if any(ending.about != fact.data.about for ending in fact.data.ends_when):
            raise ValueError("ending_about_another_thing")
    new = await tx.enter(facts, now, policy)
    others = {
        (fact.data.tenant_id, fact.data.outreach_id): fact
        for fact in facts
        if (fact.data.tenant_id, fact.data.outreach_id) not in new
    }
    if not others:
        return
    known = await tx.known(list(others))
    for key, fact in others.items():
        if key not in known:
            tx.emit(*outcomes.already_told(fact.data, now), fact.trace)


async def opted(facts: Sequence[Fact[SmsOptedOutV1 | SmsOptedInV1]], now: datetime, tx: Store) -> None:
    """Keep who wants no texts, and who wants them again; what waited for a number that came back looks again."""
    words = [block_list.word(fact.data) for fact in facts]
    await tx.save_words(block_list.last(words), words)
    back = sorted({word.tenant_id for word in words if not word.blocked})
    if back:
        await tx.wake_blocked(back, now)
    crash.at("block-kept")


async def delivery_reported(
    facts: Sequence[Fact[DeliveryReportedV1]],
    now: datetime,
    tx: Store,
    *,
    listed: BlockList,
    hours: Mapping[str, Hours],
) -> None:
    """Settle messages by what a provider reported; a report of a message that nobody knows is kept as a case.

    What is settled as sent waits for its answer as if the provider had said so at once, inside its channel's hours.
    """
    stopped = [fact.data for fact in facts if fact.data.code in block_list.STOPPED_CODES]
    if stopped:
        said = [blocking.words(listed, tenant, number, now) for tenant, number in await tx.numbers_of(stopped)]
        words = block_list.last([word for each in said for word in each])
        await tx.save_words(words, words)
    standing = await tx.lock_reported({(fact.data.tenant_id, fact.data.outreach_id) for fact in facts})
    new = await tx.note_reports([fact.data for fact in facts], standing.keys())
    settled: dict[Message, Change] = {}
    before: list[Change] = []
    story: list[Change] = []
    for data in (fact.data for fact in facts):
        message = data.tenant_id, data.outreach_id
        named = data.tenant_id, str(data.outreach_id), data.provider_id, data.status
        if message not in standing or named not in new:
            continue
        found = reports.effect(standing[message], data, now)
        standing[message] = found.standing
        if found.settles:
            before += [settled[message]] if message in settled else []  # what is settled twice is told as it ends
            settled[message] = choosing.awaiting(found.change, found.standing.zone, hours[data.channel], now)
        else:
            story.append(found.change)
    await tx.tell_all(before, now)
    if settled:
        outcomes.emit(await tx.change(list(settled.values()), now), now, tx)
    await tx.tell_all(story, now)


async def _stop(facts: Sequence[tuple[Key, TrainingEvent | OutreachWithdrawnV1]], tx: Store) -> None:
    """Keep, for each thing, the latest moment of each type of fact."""
    stops = await tx.lock_stops({key for key, _ in facts})
    for key, data in facts:
        held = stops[key].get(data.type)
        stops[key][data.type] = data.occurred_at if held is None else max(held, data.occurred_at)
    await tx.save_stops(stops)

"""What a sending loop does about brakes, inside its own transactions (RELIABILITY 8).

Before it decides it passes over what is held; before it posts it counts; with the answers it judges the provider.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from messenger.channel import Accepted, Answer
from messenger.domain import Outreach
from messenger.limits.braking import (
    BY_PROBE,
    PROBE_EVERY,
    PROVIDER,
    SEND_RATE,
    Brake,
    covering,
    hour_of,
    rate_max,
    signs,
    verdict,
)
from messenger.limits.counted_rows import CountedRows
from messenger.sending.claims import Claimed


@dataclass(frozen=True, slots=True)
class Limits:
    """What the brakes go by, and whether they hold or only report."""

    holds: bool = True
    rate_floor: int = 50  # messages in an hour


USUAL = Limits()
ACCEPTED = "the provider accepted a message"


async def standing(tx: CountedRows, channel: str, now: datetime) -> list[Brake]:
    """Return the brakes that stand before a channel, after a probe of a held provider was let go if one is due."""
    brakes = await tx.brakes(channel)
    providers = [one for one in brakes if one.kind == PROVIDER]
    if not providers:
        return brakes
    for one in providers:
        if not one.holds and one.probed_at is not None and one.probed_at < now:
            await tx.release(PROVIDER, one.tenant_id, channel, BY_PROBE, ACCEPTED, now)
    if any(one.holds for one in providers):
        await tx.probe(channel, now)
    return await tx.brakes(channel)


async def passing(
    tx: CountedRows, channel: str, claimed: Sequence[Claimed], brakes: Sequence[Brake], now: datetime
) -> list[Claimed]:
    """Return what no brake holds; all else that is due of the same tenants is held with it, in one statement."""
    rows = [row for row, _, _ in claimed]
    found = covering(rows, brakes)
    if not found:
        return list(claimed)
    found = covering(rows, await tx.still(sorted({one.id for one in brakes if one.holds})))
    await tx.hold_due(channel, found, now)
    return [one for one in claimed if one[0].tenant_id not in found or not found[one[0].tenant_id].covers(one[0])]


async def over_rate(tx: CountedRows, going: Sequence[Outreach], limits: Limits, now: datetime) -> set[tuple[str, UUID]]:
    """Count these messages, and return those that are more than their tenant may send in this hour: the last ones.

    Each counts once, when it is first tried on a channel: an outage does not look like a flood.
    """
    fresh = [row for row in going if row.leg_attempt == 0]
    sent = dict(sorted(Counter(row.tenant_id for row in fresh).items()))
    if not sent:
        return set()
    approved = {tenant: sum(row.approved for row in fresh if row.tenant_id == tenant) for tenant in sent}
    excess: dict[str, int] = {}
    for tenant, (number, past) in (await tx.count(hour_of(now), sent, approved)).items():
        most = rate_max(past, limits.rate_floor)
        over = 0 if most is None else min(number - most, sent[tenant] - approved[tenant])
        if most is not None and over > 0:
            excess[tenant] = over
            said = f"more than {most} messages in an hour, by the weeks before"
            await tx.hold(SEND_RATE, tenant, "", said, now, None, holds=limits.holds)
    if excess and not limits.holds:
        await tx.report(SEND_RATE, excess)
        return set()
    if excess:
        await tx.uncount(hour_of(now), excess)
    return {
        row.key
        for tenant, over in excess.items()
        for row in [one for one in fresh if one.tenant_id == tenant and not one.approved][-over:]
    }


async def hold_over(tx: CountedRows, channel: str, tenants: Collection[str], now: datetime) -> None:
    """Hold all that is due of tenants who have sent what they may; what goes is written down before."""
    if tenants:
        found = [one for one in await tx.brakes() if one.kind == SEND_RATE and one.holds and one.tenant_id in tenants]
        await tx.hold_due(channel, {one.tenant_id: one for one in found}, now)


async def judged(
    tx: CountedRows,
    channel: str,
    told: Sequence[tuple[Outreach, Answer]],
    brakes: Sequence[Brake],
    limits: Limits,
    now: datetime,
) -> None:
    """Hold a provider that fails, for the tenants it failed; release it where its probe was accepted.

    One that only reports counts what met it, until all has passed that was there when a probe would have been accepted.
    """
    said = signs(told)
    errors = await tx.heard(channel, said)
    for tenant in sorted(said):
        why = verdict(said[tenant], errors.get(tenant, 0))
        if why is not None:
            await tx.hold(PROVIDER, tenant, channel, why, now, None, holds=limits.holds)
    if not any(one.kind == PROVIDER for one in brakes):
        return
    accepted = {row.key for row, answer in told if isinstance(answer, Accepted)}
    for one in await tx.brakes(channel):
        if one.kind == PROVIDER and (one.tenant_id, one.probe) in accepted:
            await tx.release(PROVIDER, one.tenant_id, channel, BY_PROBE, ACCEPTED, now)
    reporting = [one for one in brakes if one.kind == PROVIDER and not one.holds]
    for one in reporting:
        met = sum(row.tenant_id == one.tenant_id for row, _ in told)
        await tx.report(PROVIDER, {one.tenant_id: met}, channel)
        if now >= one.held_at + PROBE_EVERY and any(tenant == one.tenant_id for tenant, _ in accepted):
            await tx.proved(one, now)

"""Messenger, wired. Read this first: the tables below are the whole service."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from faststream.asgi import AsgiFastStream

from duly_chassis.clock import Clock, SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_chassis.service import Act, Context, Entry, Listen, Loop, OwnBrakes, Service, Step, When
from duly_contracts import topics
from duly_contracts.decisions import AddressLostV1, ZoneNotFoundV1
from duly_contracts.outreach import (
    OutreachFailedV1,
    OutreachRequestedV1,
    OutreachRequestedV2,
    OutreachSentV1,
    OutreachSentV2,
    OutreachSuppressedV1,
    OutreachWithdrawnV1,
)
from duly_contracts.people import PersonRecordedV1
from duly_contracts.signals import DeliveryReportedV1, SmsOptedInV1, SmsOptedOutV1
from duly_contracts.training import TrainingCompletedV1, TrainingDueChangedV1, TrainingWithdrawnV1
from messenger import answers, channels, doctor, handlers, plan_file, reading, timers
from messenger.blocks.block_list import BlockList
from messenger.bounces.door import BounceDoor
from messenger.bounces.return_path import ReturnPath
from messenger.channel import Channel
from messenger.channels import Given
from messenger.domain import CHANNELS, MAIL
from messenger.limits.brake_rows import PURGE_COUNTS
from messenger.limits.holding import Limits
from messenger.orders import blocks as block_orders
from messenger.orders import bounces as bounce_orders
from messenger.orders import brakes as brake_orders
from messenger.orders import parked as orders
from messenger.planning.plans import ChannelPolicy, Plans
from messenger.sender import Rules, Sender
from messenger.sending.leases import Leases
from messenger.settings import Settings
from messenger.settling.asking import Asker, Asking
from messenger.store import PURGE_BOUNCES, PURGE_PACING, PURGE_REPORTS, PURGE_STOPS, Store
from messenger.words.unsendable import NOT_SET_UP
from messenger.words.wording import Words
from messenger.writer import Writer

ENDING_FACTS = (TrainingCompletedV1, TrainingWithdrawnV1, TrainingDueChangedV1)
REQUESTS = (OutreachRequestedV1, OutreachRequestedV2)
WAITS = tuple(
    f"ledger WHERE state = '{state}' AND channel = '{name}'" for name in CHANNELS for state in ("due", "in_doubt")
)
"""One for each channel, as the indexes are."""
WAITING = "ledger WHERE state = 'sent' AND next_due_at IS NOT NULL", "ledger WHERE state = 'held'"


def build(settings: Settings, clock: Clock) -> Service[Store]:
    """Wire the service; production and tests differ by these arguments and nothing else."""
    words, path = Words(settings), return_path(settings)
    here = [line.name for line in channels.set_up(settings)]
    policy = plan_file.load(settings.channel_policy_file) if settings.channel_policy_file else ChannelPolicy()
    permitted = channels.permitted(settings)
    take = bounce_orders.takes(path, permitted[MAIL])
    plans = Plans(policy, here, NOT_SET_UP)
    return Service(
        name="messenger",
        work=Store,
        listens=(
            Listen(topics.PEOPLE, (PersonRecordedV1,), partial(handlers.people, hours=permitted[MAIL])),
            Listen(topics.TRAINING, ENDING_FACTS, handlers.training),
            Listen(topics.OUTREACH, (OutreachWithdrawnV1,), handlers.withdrawn),
            Listen(
                topics.OUTREACH, (OutreachRequestedV1, OutreachRequestedV2), partial(handlers.requested, policy=policy)
            ),
            Listen(topics.SIGNALS, (SmsOptedOutV1, SmsOptedInV1), handlers.opted),
            Listen(
                topics.SIGNALS,
                (DeliveryReportedV1,),
                partial(handlers.delivery_reported, listed=listed(settings), hours=permitted),
            ),
        ),
        timers=(
            When("park", partial(Store.claim_in_doubt, channels=channels.unasked(settings)), timers.park, by_time=True),
            When("elsewhere", partial(Store.claim_elsewhere, channels=channels.missing(here)), timers.elsewhere),
            When("unanswered", Store.claim_unanswered, timers.unanswered, by_time=True),
            When("held", Store.claim_held, partial(timers.held, hours=permitted)),
            When("released", Store.claim_released, partial(timers.released, interval=settings.release_interval())),
        ),
        loops=(*listening(settings, path), *sending(settings, words, path), words.loop),
        emits=(OutreachSentV1, OutreachSentV2, OutreachSuppressedV1, OutreachFailedV1, AddressLostV1, ZoneNotFoundV1),
        answers={
            "/v1/explain": answers.explain,
            "/v1/parked": answers.parked,
            "/v1/bounces": answers.bounces,
            "/v1/blocks": answers.blocks,
            "/v1/reports": answers.reports,
            "/v1/summary": answers.summary,
            "/v1/preview": words.preview(clock),
        },
        acts=(
            Act("/v1/parked/send", orders.send),
            Act("/v1/parked/settle", partial(orders.settle, hours=permitted)),
            Act("/v1/bounces/take", take, bounce_orders.TAKE_BYTES_MAX, bounce_orders.count),
            Act("/v1/bounces/revive", bounce_orders.revive),
            Act("/v1/blocks/lift", block_orders.lift),
        ),
        brakes=OwnBrakes(brake_orders.held, brake_orders.hold, brake_orders.release),
        prepare=block_orders.prepares(settings.digest_keys(), partial(plans.prepare, clock=clock)),
        purges={
            "stops": PURGE_STOPS,
            "bounces": PURGE_BOUNCES,
            "pacing": PURGE_PACING,
            "reports": PURGE_REPORTS,
            "counts": PURGE_COUNTS,
        },
        waits=(*WAITS, *WAITING),
        gauges=reading.GAUGES,
        busy="SELECT EXISTS (SELECT FROM messenger.ledger WHERE state = 'posting')",
    )


def listed(settings: Settings) -> BlockList:
    """Return what numbers are compared with."""
    return BlockList(settings.digest_keys(), settings.sms_senders)


def return_path(settings: Settings) -> ReturnPath | None:
    """Return the writer and reader of return addresses, where a bounce domain is set."""
    return ReturnPath(settings.bounce_domain, settings.signing_keys()) if settings.bounce_domain else None


def listening(settings: Settings, path: ReturnPath | None) -> tuple[Loop, ...]:
    """Name the door for bounces, where one is set."""
    if path is None or settings.bounce_port is None:
        return ()
    door = BounceDoor(path, channels.permitted(settings)[MAIL], settings.bounce_host, settings.bounce_port)
    return (Loop("bounces", door.start, settings.tick_interval_s, door.close, woken=False),)


def sending(settings: Settings, words: Words, path: ReturnPath | None = None) -> tuple[Loop, ...]:
    """Name the loops of each channel that is set up, and the one that watches the leases of all of them."""
    lines = channels.set_up(settings)
    senders: list[Sender] = []
    rules: dict[str, Rules] = {}
    loops: list[Loop] = []
    waits = False
    limits = Limits(holds=settings.brakes == "hold", rate_floor=settings.send_rate_floor)
    for line in lines:
        share = channels.share(settings, lines, line)
        way = line.way(Given(settings, words, path, share))
        pace = None if way.pace is None else replace(way.pace, waits=settings.pacing == "wait")
        waits = waits or (pace is not None and pace.waits)
        rules[line.name] = Rules(
            way.hours, share, timedelta(seconds=settings.lease_s), way.doubt_wait, pace, listed(settings), limits
        )
        for number in range(1, line.loops(settings) + 1):
            adapter = way.adapter()
            start = partial(_sender, adapter, way.writer, rules[line.name], line.name, senders)
            loops.append(Loop(f"send-{line.name}-{number}", start, settings.tick_interval_s, adapter.close))
        if way.readback is not None:
            asking = Asking(line.name, way.readback, way.hours, settings.pacing == "wait", settings.not_there_after_s)
            start = partial(_asker, asking)
            loops.append(Loop(f"ask-{line.name}", start, settings.tick_interval_s, way.close, by_time=True))

    def spread(_context: Context) -> Step:
        return partial(_spread, senders)

    if waits:
        loops.append(Loop("spread", spread, settings.tick_interval_s, by_time=True))

    def leases(context: Context) -> Step:
        doubt_waits = {name: one.doubt_wait for name, one in rules.items()}
        return Leases(context, lambda: [one.token for one in senders], rules[MAIL], doubt_waits).step

    return (*loops, Loop("leases", leases, settings.lease_s / 3, woken=False))


def _sender(adapter: Channel, writer: Writer, rules: Rules, name: str, senders: list[Sender], context: Context) -> Step:
    senders.append(Sender(context, adapter, writer, rules, name))
    return senders[-1].step


async def _spread(senders: Sequence[Sender]) -> bool:
    """Give what waits for a pace its moments."""
    for one in senders:
        await one.spread()
    return False


def _asker(asking: Asking, context: Context) -> Step:
    return Asker(context, asking).step


ENTRY = Entry("messenger", Settings, build, "messenger.migrations", doctor.checks)


def create_app() -> AsgiFastStream:
    """For `faststream run --factory messenger.app:create_app`; reads settings, opens no connection."""
    settings, clock = Settings(), SystemClock()
    configure(settings.log_level)
    return Host(build(settings, clock), settings, clock).app

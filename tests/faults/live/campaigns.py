"""The campaigns: what each strikes, how often, and when; and one run of one of them."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tests.faults.live import c1, c1b, c2, c3, c4, c6, c10, killers
from tests.faults.live.evidence import gather
from tests.faults.live.importing import Importer
from tests.faults.live.judge import check, report
from tests.faults.live.place import Place
from tests.faults.live.policy import Policy, coming_minute
from tests.faults.live.rig import SERVICES, Needs, Rig
from tests.faults.live.story import Cast, Fact, story
from tests.faults.plan import Shares
from tests.faults.rules import Violation

LIES = Shares(refuse=3, cut_before=1, cut_after=1, refuse_good=0.5, drip=0.5)
NURSERY = ("duly_chassis.serving", "reminders.app", "messenger.app", "roster.app", "intake.app")
"""Where processes die all the time, these are imported once for all lives: else most lives would end while they import,
and the machine would do little else. The other campaigns start theirs from nothing."""
QUIET_WITHIN_S = 600
BURST_AFTER_S = 25.0
"""The burst comes at the first whole minute so long after the story began."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign of RELIABILITY.md section 9; a release is its round again and again."""

    name: str
    strike: Callable[[Rig], Awaitable[None]]
    planned: Mapping[str, int]  # of one round, by deed
    release: Mapping[str, int]
    cast: Cast = field(default_factory=Cast)
    lies: Shares = LIES
    lie_mails: int = 500
    proxies: bool = False
    services: Mapping[str, int] = field(default_factory=lambda: SERVICES)
    settings: Callable[[], Mapping[str, str]] = dict  # more variables for every service
    turns: bool = False
    by_file: str = ""  # the tenant whose people come by `duly roster import`; one roster runs then
    module: str = "duly_chassis.run"  # what each replica runs
    each: Callable[[str], Mapping[str, str]] = lambda _service: {}  # more variables, by service
    nursery: tuple[str, ...] = ()  # what each life finds imported


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round came to."""

    text: str
    done: Counter[str]
    events: int
    broken: list[Violation]


CAMPAIGNS = {
    "C1": Campaign(
        "C1",
        c1.strike,
        {"kill -9": c1.KILLS},
        {"kill -9": 3_000},
        lies=replace(LIES, tls=40),
        lie_mails=1_000,
        by_file="crux",
        nursery=NURSERY,
    ),
    "C1b": Campaign(
        "C1b",
        c1b.strike,
        {c1b.DEED: c1b.DEATHS},
        {c1b.DEED: 1_000},
        Cast(tenants=("acme", "bolt"), people=40, assignments=120, feed_s=40),
        c1b.LIES,
        c1b.LIE_MAILS,
        services=c1b.SERVICES,
        settings=c1b.settings,
        nursery=NURSERY,
    ),
    "C2": Campaign(
        "C2",
        c2.strike,
        {"crash": c2.CRASHES, "terminate": c2.TERMINATIONS, "cut after COMMIT": c2.CUTS},
        {"crash": 300, "terminate": 2_000, "cut after COMMIT": 500},
        Cast(people=150, assignments=350, feed_s=45),
        lie_mails=400,
        proxies=True,
    ),
    "C3": Campaign(
        "C3",
        c3.strike,
        {
            "down": c3.DOWNS,
            "cut": c3.CUTS,
            "rebalance": c3.REBALANCES,
            "delete": c3.DELETIONS,
            "topics made again": 1,
            "total loss": 1,
        },
        {"down": 300, "cut": 800, "rebalance": 200, "delete": 50, "topics made again": 20, "total loss": 20},
        Cast(people=150, assignments=350, feed_s=120),
        lie_mails=300,
        proxies=True,
    ),
    "C4": Campaign(
        "C4",
        c4.strike,
        c4.PLANNED,
        c4.RELEASE,
        Cast(tenants=("acme",), people=0, assignments=0, feed_s=1),
        Shares(),
        services={"reminders": 1, "messenger": 2},
        settings=c4.settings,
    ),
    "C10": Campaign(
        "C10",
        c10.strike,
        {c10.DEED: c10.RACES, c10.CLOSE_DEED: c10.CLOSE},
        {c10.DEED: 20_000, c10.CLOSE_DEED: 6_667},
        Cast(people=40, assignments=0, feed_s=3),
        Shares(),
        services={"reminders": 1, "messenger": 1},
        settings=lambda: c10.SETTINGS,
        turns=True,
    ),
    "C6": Campaign(
        "C6",
        c6.strike,
        {"malformed": c6.MALFORMED, "killer": killers.KILLERS, "brake released": 2},
        {"malformed": 5_000, "killer": 200},
        Cast(people=60, assignments=150, feed_s=45),
        Shares(),
        services={"reminders": 1, "messenger": 1},
        module=c6.MODULE,
        each=lambda service: {c6.MARK_VARIABLE: killers.mark_of(service)},
        nursery=NURSERY,
    ),
}


async def _tell(rig: Rig, facts: list[Fact], by_file: str) -> None:
    """Tell the story; one tenant's people come by file."""
    filed = [fact for fact in facts if fact.data["tenant_id"] == by_file and fact.type.startswith("people.")]
    by_file_ids = {fact.id for fact in filed}
    rest = [fact for fact in facts if fact.id not in by_file_ids]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rig.feeder.tell(rest))
        if filed:
            tasks.create_task(Importer(rig, by_file).tell(filed))


PROVED = ("C1", "C1b", "C2", "C3", "C4", "C6", "C10")
"""Those of which whole rounds have passed, and which every test run repeats; any other is asked for by name."""


async def run(campaign: Campaign, seed: int, place: Place, say: Callable[[str], object]) -> Outcome:
    """Run one round: start all of it, tell the story while striking, wait for quiet, judge."""
    started = time.monotonic()
    now = datetime.now(UTC)
    burst = coming_minute(now, BURST_AFTER_S + 20)  # the rig takes some of it to start
    policy = Policy.around(burst)
    services, settings = tuple(campaign.services.items()), tuple(campaign.settings().items())
    lies = campaign.lies, campaign.lie_mails
    needs = Needs(
        policy,
        seed,
        campaign.proxies,
        *lies,
        services,
        settings,
        campaign.turns,
        module=campaign.module,
        each=campaign.each,
        nursery=campaign.nursery,
    )
    if campaign.by_file:
        needs = replace(needs, services=(*needs.services, ("roster", 1)))
    async with Rig(place, needs, say) as rig:
        rig.tenants = [*campaign.cast.tenants]
        facts = story(seed, campaign.cast, policy, datetime.now(UTC), burst)
        told = asyncio.create_task(_tell(rig, facts, campaign.by_file))
        try:
            await campaign.strike(rig)
            await told
        finally:
            told.cancel()
        await rig.all_ready()
        await rig.quiet(rig.tenants, QUIET_WITHIN_S)
        evidence = await gather(rig, rig.tenants, time.time())
    broken = [*rig.broken, *check(evidence)]
    for deed, number in campaign.planned.items():
        if evidence.blows[deed] < number:
            broken.append(Violation("too few", f"{evidence.blows[deed]} of {number} {deed}"))
    head = f"campaign: {campaign.name}\nseed: {seed}\nseconds: {time.monotonic() - started:.0f}\n"
    return Outcome(head + report(evidence, broken), evidence.blows, evidence.told, broken)

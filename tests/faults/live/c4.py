"""C4: every fault that a provider can have, each so many times: Slack, Twilio and a relay that deal them from a deck.

A message goes over one channel and meets one fault, at its first attempt. In Slack four of them go to one person, so
that the pace, and a wish to wait, are the place's. Waits that Duly declares are shortened by its own settings; what is
late stays just inside them. Two waits are the business clock's and longer than a campaign: of a day after a 429, of
which it is judged that the message waits it, and those between the checks of a read-back that tells nothing, over an
hour in all: these are set forward in the ledger, after the first check came in its own time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from tests.faults.live import bouncing
from tests.faults.live.place import HOST, free_ports
from tests.faults.live.programs import until
from tests.faults.live.rig import READY_WITHIN_S, Rig
from tests.faults.live.story import Fact, instant
from tests.faults.logs import read
from tests.faults.plan import NO_TLS
from tests.faults.processes import dealing_server, smtp_server
from tests.faults.vendors import matrix, verdicts
from tests.faults.vendors.matrix import BOUNCED, EACH, FAULTS, Deck, Fault

PLANNED = {f"fault at {channel}": EACH * len(faults) for channel, faults in FAULTS.items()}
RELEASE = {f"fault at {channel}": 500 * len(faults) for channel, faults in FAULTS.items()}
PORTS = (12_000, 14_900)  # apart from those of the rig
ANSWER_S, LATE_S, LAG_S = 1.5, 3.0, 3.0
PREPARE_S = {"slack": 10.0, "sms": 15.0}  # Duly's own, no setting: it counts as the begin of a request
INSIDE = 0.9  # of the declared bounds
SETTLED_WITHIN_S = 600.0
TLS_WITHIN_S = 180.0
LOOK_S = 1.0
DAYS_USEFUL = 5
VENDORS = {"slack": "slack", "sms": "twilio"}
ALWAYS = ("SLACK_OPENS", "SLACK_CLOSES", "SMS_OPENS", "SMS_CLOSES")
BLIND_AGAIN = """
    UPDATE messenger.ledger SET next_due_at = now()
     WHERE state = 'in_doubt' AND checks > 0 AND next_due_at > now() AND about = ANY($1)
"""
ROWS = """
    SELECT l.about, l.channel, l.state, l.code, l.attempt, l.provider_id,
           coalesce(extract(epoch FROM l.next_due_at - max(h.at)), 0)::float8 AS waits_s,
           array_agg(h.state ORDER BY h.id) AS states
      FROM messenger.ledger AS l
      JOIN messenger.ledger_history AS h ON h.tenant_id = l.tenant_id AND h.outreach_id = l.outreach_id
     GROUP BY l.tenant_id, l.outreach_id
"""


def settings() -> dict[str, str]:
    """Choose where the providers will be, and shorten what is waited for."""
    ports = [f"{HOST}:{port}" for port in free_ports(3, PORTS)]
    given = {
        "SLACK_URL": f"http://{ports[0]}/",
        "SLACK_TOKEN": "xoxb-campaign",
        "TWILIO_URL": f"http://{ports[1]}",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "campaign",
        "SMS_FROM": "+447400999999",
        "SMS_RATE": "100",
        "CHANNEL_POLICY_FILE": str(Path(__file__).with_name("channels.yaml")),
        **dict.fromkeys(ALWAYS, "00:00"),
    }
    for channel in VENDORS:
        given[f"{channel}_ANSWER_TIMEOUT_S".upper()] = str(ANSWER_S)
        given[f"{channel}_LATE_ACCEPTANCE_S".upper()] = str(LATE_S)
        given[f"{channel}_READBACK_LAG_S".upper()] = str(LAG_S)
    own = {f"DULY_MESSENGER_{name}": value for name, value in given.items()}
    return own | bouncing.settings() | {"DULY_SMTP_URL": f"smtp://{ports[2]}?tls=starttls"}


async def strike(rig: Rig) -> None:
    """Tell of every message, let the providers lie, and judge what came of it."""
    deck, laid = matrix.shuffled(rig.needs.seed), rig.place.evidence / "deck.json"
    matrix.write(deck, laid)
    with ExitStack() as stack:
        _start(rig, stack, laid)
        port = await _open_door(rig)
        whose = matrix.shared(deck)
        await _tell(rig, {number: _person(number, *card) for number, card in deck.items() if whose[number] == number})
        first = [number for number, (_, fault) in deck.items() if fault is Fault.NO_TLS]
        await _tell(rig, {number: _request(number, whose[number], *deck[number]) for number in first})
        await until(lambda: _turned_away(rig) >= EACH, TLS_WITHIN_S, "connections that came to no TLS")
        last = {number for number, (_, fault) in deck.items() if fault is Fault.MAIL_SLOW}
        rest = deck.keys() - last - set(first)
        await _tell(rig, {number: _request(number, whose[number], *deck[number]) for number in sorted(rest)})
        await _bring_back(rig, deck, port)
        # Together: whoever waits for one answer in vain holds up all that went with it.
        await _tell(rig, {number: _request(number, whose[number], *deck[number]) for number in sorted(last)})
        rows = await _settled(rig, deck)
        await rig.all_ready()
    found = verdicts.Matrix(deck, rows, _logs(rig, ""), _logs(rig, ".faults"), EACH)
    rig.broken += verdicts.judge(found)
    _note(rig, found)


def _start(rig: Rig, stack: ExitStack, deck: Path) -> None:
    """Start the providers where messenger was told that they are."""
    given = dict(rig.needs.settings)
    for channel, vendor in VENDORS.items():
        port = urlsplit(given[f"DULY_MESSENGER_{vendor.upper()}_URL"]).port or 0
        begins_s = PREPARE_S[channel] + ANSWER_S
        late_s = ANSWER_S + 1, INSIDE * (begins_s + LATE_S), INSIDE * (begins_s + LATE_S + LAG_S)
        stack.enter_context(dealing_server(vendor, port, _log(rig, channel), deck, late_s))
    port = urlsplit(given["DULY_SMTP_URL"]).port or 0
    more = ("--deck", str(deck), "--port", str(port), "--tls")
    stack.enter_context(smtp_server(_log(rig, "mail"), rig.needs.seed, None, *more))


async def _open_door(rig: Rig) -> int:
    """Have one messenger take bounces; the door can be one process's only."""
    replica, port = rig.of("messenger")[0], next(free_ports(1))
    replica.settings[bouncing.BOUNCE_PORT] = str(port)
    await replica.end()
    replica.start()
    await replica.until_ready(READY_WITHIN_S)
    return port


async def _bring_back(rig: Rig, deck: Deck, port: int) -> None:
    """Bring back each mail that is to come back, once the relay has taken it."""
    left = {number for number, (_, fault) in deck.items() if fault in BOUNCED}
    ends_at = time.monotonic() + SETTLED_WITHIN_S
    while left and time.monotonic() < ends_at:
        await asyncio.sleep(LOOK_S)
        for entry in _logs(rig, "")["mail"]:
            number = matrix.number_of(entry["to"][0])
            if number in left:
                await asyncio.to_thread(bouncing.bounce, port, entry["from"], "failed", verdicts.NO_SUCH_PERSON, number)
                left.discard(number)


async def _tell(rig: Rig, facts: Mapping[int, Fact]) -> None:
    await rig.feeder.tell_lines([fact.line(0) | {"apart": True} for fact in facts.values()])


def _tenant(number: int, channel: str, fault: Fault) -> str:
    """Return whose message it is: a fault's own, and where an account waits a day, the message's own."""
    letters = number if fault is Fault.LIMIT_DAY else list(Fault).index(fault)
    return f"{channel}{'day' * (fault is Fault.LIMIT_DAY)}" + "".join(chr(97 + int(digit)) for digit in f"{letters:04}")


def _person(number: int, channel: str, fault: Fault) -> Fact:
    tenant, person = _tenant(number, channel, fault), f"p{number:04}"
    host = "nochat" if channel == "mail" else tenant
    personal = {"name": f"Vera CNRY{tenant}{person}x", "mail": f"cnry{tenant}{person}@{host}.example"}
    if channel == "sms":
        personal["mobile"] = f"+4474{number:08}"
    more = {"version": 1, "status": "active", "zone": "UTC", "locale": "en", "personal": personal}
    data = {"tenant_id": tenant, "person_id": person, "occurred_at": instant(datetime.now(UTC)), **more}
    return Fact(0, "people.recorded.v1", f"{tenant}-{person}", person, data)


def _request(number: int, whose: int, channel: str, fault: Fault) -> Fact:
    tenant, about, now = _tenant(number, channel, fault), f"m{number:04}", time.time()
    outreach = str(UUID(int=number + 1, version=4))
    until_at = instant(datetime.fromtimestamp(now + DAYS_USEFUL * 86_400, UTC))
    data: dict[str, Any] = {
        "tenant_id": tenant,
        "person_id": f"p{whose:04}",
        "occurred_at": instant(datetime.fromtimestamp(now, UTC)),
        "outreach_id": outreach,
        "about": about,
        "message": "deadline-reminder",
        "step": "1",
        "dedupe_key": f"{about}/1",
        "not_before": instant(datetime.fromtimestamp(now, UTC)),
        "useful_until": until_at,
        "values": {"training_title": f"Safety TRNG{tenant}{about}x", "due_at": until_at, "days": "5"},
    }
    return Fact(0, "outreach.requested.v1", f"{tenant}-{about}", outreach, data)


async def _settled(rig: Rig, deck: Deck) -> dict[int, verdicts.Row]:
    """Wait until every message stands where it will stay; return the ledger as it is then, or when the time is up."""
    blind = [f"m{number:04}" for number, (_, fault) in deck.items() if fault is Fault.BLIND]
    ends_at = time.monotonic() + SETTLED_WITHIN_S
    connection = await asyncpg.connect(rig.database_url)
    try:
        while True:
            await connection.execute(BLIND_AGAIN, blind)
            rows = {matrix.number_of(row["about"]) or 0: _row(row) for row in await connection.fetch(ROWS)}
            moving = {number for number in deck if number not in rows or rows[number].state in UNSETTLED}
            moving -= {number for number, row in rows.items() if row.state == "due" and row.waits_s > DAY_S}
            if not moving or time.monotonic() > ends_at:
                rig.say(f"{len(moving)} messages are still on their way\n")
                return rows
            await asyncio.sleep(LOOK_S)
    finally:
        await connection.close()


UNSETTLED = ("due", "posting", "in_doubt")
DAY_S = 43_200.0


def _row(row: Any) -> verdicts.Row:
    named = ("channel", "state", "code", "attempt", "provider_id", "waits_s")
    return verdicts.Row(**{name: row[name] for name in named}, states=tuple(row["states"]))


def _log(rig: Rig, channel: str) -> Path:
    return rig.place.note(f"accepts-{channel}")


def _logs(rig: Rig, kind: str) -> dict[str, list[dict[str, Any]]]:
    """Read the providers' logs, of what they accepted or of what they did."""
    return {channel: [*read(_log(rig, channel).with_name(_log(rig, channel).name + kind))] for channel in FAULTS}


def _turned_away(rig: Rig) -> int:
    return sum(entry["deed"] == NO_TLS for entry in _logs(rig, ".faults")["mail"])


def _note(rig: Rig, found: verdicts.Matrix) -> None:
    """Write down what was dealt, and say what came of it."""
    done = verdicts.dealt(found)
    blows = [{"deed": f"fault at {channel}", "target": channel} for channel, _ in done.elements()]
    rig.faults.say_all(blows)
    states = Counter((row.channel, row.state) for row in found.rows.values())
    doubts = sum("in_doubt" in row.states for row in found.rows.values())
    accepted = {channel: len(entries) for channel, entries in found.accepts.items()}
    rig.say(f"accepted: {accepted}\nledger: { {' '.join(key): n for key, n in sorted(states.items())} }\n")
    rig.say(f"in doubt on the way: {doubts}\n")
    least_s = min((gap_s for _, gap_s in verdicts.gaps(found)), default=0.0)
    rig.say(f"least time between two requests about one place in Slack: {least_s:.3f} s\n")

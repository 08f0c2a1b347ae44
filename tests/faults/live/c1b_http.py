"""C1b beside mail: chats, texts and callbacks, told, called back and stopped while messenger and intake die over them.

A Slack and a Twilio that lie stand beside the rig; both can be asked, so nothing may be parked. Messenger and intake
die at the points of HTTP, asking, moves, brakes, block list and callbacks (points.py).
"""

import asyncio
import hashlib
import hmac
import http.client
import shutil
import time
from base64 import b64encode
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, cycle
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import NAMESPACE_URL, uuid5

import asyncpg

from tests.faults.live.evidence import acknowledged
from tests.faults.live.place import HOST, free_ports
from tests.faults.live.replica import OK
from tests.faults.live.rig import Rig
from tests.faults.live.story import Fact, instant
from tests.faults.live.talks import MOVING, Asked, Row, Talks, judge, outreach_of
from tests.faults.logs import read
from tests.faults.processes import PROJECT, vendor_server
from tests.faults.rules import Violation
from tests.faults.vendors import lies

CHATS, TEXTS, HALTS = "chats", "texts", "halts"
"""Three tenants; a person's brake holds the last one now and then."""
WAYS = {
    (CHATS, "chat-notice"): "[slack]",
    (CHATS, MOVING): "[slack, {channel: sms, after_min: 1, when: [unanswered]}]",
    (TEXTS, "text-notice"): "[sms]",
    (HALTS, "halt-notice"): "[sms]",
}
SHIPPED = PROJECT / "services/messenger/src/messenger/templates/deadline-reminder/1"
SENDER, PUBLIC, TOKEN = "+447400999999", "https://hooks.example", "campaign-token-of-nobody"
SHARES = lies.Shares(error=12, cut=12, late=3)
"""No refusal for now: its pauses are minutes of the wall clock."""
PEOPLE, STOPPED_FROM, STOPPED_TO = 30, 100, 700
TELL_EVERY_S, LOOK_S = 0.4, 0.1
STOPPED_EVERY = 5  # messages
AHEAD_S = 2.0
WITHIN_S, SETTLED_WITHIN_S = 90.0, 300.0
ASKED_WITHIN_S = 10
COMPLETED = "duly.training.completed.v1"
ALWAYS = ("SLACK_OPENS", "SLACK_CLOSES", "SMS_OPENS", "SMS_CLOSES")
ROWS = """
    SELECT outreach_id::text AS name, channel, state, reason, next_due_at IS NOT NULL AS waits
      FROM messenger.ledger WHERE tenant_id = ANY($1)
"""
BLOCKED = "SELECT count(*) FROM messenger.blocks WHERE tenant_id = $1 AND blocked"
KEPT = "SELECT key FROM intake.callbacks WHERE edge = 'twilio_status'"
TOLD = "SELECT provider_id || '/' || status FROM messenger.reports"


@dataclass(slots=True)
class Talking:
    """The story of three tenants over HTTP, and what came of it."""

    rig: Rig
    going: bool = True
    moving: bool = True
    """Messages are told that move on after a minute; not any more when nobody has to die over one."""
    asked: list[Asked] = field(default_factory=list)
    saying: bool = True
    """Somebody may still say STOP: who is asked a last time says it after `going` has ended."""
    stopped: list[str] = field(default_factory=list)
    """The numbers of those who said STOP, before they were heard."""
    blocks: dict[str, float] = field(default_factory=dict)
    holds: list[tuple[str, float, float]] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    lost: list[Violation] = field(default_factory=list)
    _port: int = 0

    def start(self, stack: ExitStack) -> None:
        """Start the providers, and have each next life of messenger and intake know of them."""
        ports = {}
        for channel in ("slack", "sms"):
            log = self.rig.place.note(f"accepts-{channel}")
            ports[channel] = stack.enter_context(vendor_server(channel, log, self.rig.needs.seed, SHARES))
        self._write()
        self._port = next(free_ports(1))
        for service, own in (("messenger", self._messenger(ports)), ("intake", self._intake())):
            for replica in self.rig.of(service):
                replica.settings |= {f"DULY_{service.upper()}_{name}": value for name, value in (own | both()).items()}

    def _write(self) -> None:
        """Lay down the messages, each tenant's own, and the ways they go."""
        for tenant, message in WAYS:
            shutil.copytree(SHIPPED, self.rig.place.root / "templates" / tenant / message / "1")
        ways = "".join(f"  {message}: {way}\n" for (_, message), way in WAYS.items())
        text = f'name: talks\nversion: "1"\ndefault: [mail]\nmessages:\n{ways}'
        (self.rig.place.root / "channels.yaml").write_text(text, encoding="ascii")

    def _messenger(self, ports: dict[str, int]) -> dict[str, str]:
        return {
            "SLACK_URL": f"http://{HOST}:{ports['slack']}/",
            "SLACK_TOKEN": "xoxb-campaign",
            "SLACK_ANSWER_TIMEOUT_S": "1.5",
            "SLACK_LATE_ACCEPTANCE_S": str(lies.LATE_S),
            "SLACK_READBACK_LAG_S": "0",
            "TWILIO_URL": f"http://{HOST}:{ports['sms']}",
            "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "SMS_FROM": SENDER,
            "SMS_RATE": "100",
            "SMS_ANSWER_TIMEOUT_S": "1.5",
            "SMS_LATE_ACCEPTANCE_S": str(lies.LATE_S),
            "SMS_READBACK_LAG_S": "0",
            "CHANNEL_POLICY_FILE": str(self.rig.place.root / "channels.yaml"),
            "TEMPLATES_DIR": str(self.rig.place.root / "templates"),
            **dict.fromkeys(ALWAYS, "00:00"),
        }

    def _intake(self) -> dict[str, str]:
        return {"PUBLIC_PORT": str(self._port), "TWILIO_AUTH_TOKENS": TOKEN}

    async def go_on(self) -> None:
        """Tell, call back and stop until nobody has to die any more."""
        facts = [_person(tenant, number) for tenant in (CHATS, TEXTS, HALTS) for number in range(PEOPLE)]
        await self._tell([*facts, *(_person(TEXTS, number) for number in range(STOPPED_FROM, STOPPED_TO))])
        async with asyncio.TaskGroup() as tasks:
            for task in (self._telling(), self._reporting(), self._stopping(), self._watching()):
                tasks.create_task(task)

    async def _telling(self) -> None:
        ways = cycle(WAYS)
        async with asyncio.TaskGroup() as tasks:
            for number in count():
                if not self.going:
                    return
                tenant, message = next(ways)
                if message != MOVING or self.moving:
                    ends = number % STOPPED_EVERY == 0
                    tasks.create_task(self._ask(tenant, message, number, number % PEOPLE, ends=ends))
                await asyncio.sleep(TELL_EVERY_S)

    async def _ask(self, tenant: str, message: str, number: int, person: int, *, ends: bool = False) -> None:
        """Ask for a message; what ends it is told at about its moment."""
        about = f"m{number:05}"
        outreach, now = str(uuid5(NAMESPACE_URL, f"{tenant}/{about}")), time.time()
        stop = f"{tenant}-{about}-ended" if ends else ""
        self.asked.append(Asked(tenant, about, outreach, message, mobile(tenant, person), stop))
        await self._tell([_request(self.asked[-1], f"p{person:04}", now + AHEAD_S)])
        if ends:
            await asyncio.sleep(AHEAD_S + (number % 7 - 3) / 10)
            data = _data(tenant, f"p{person:04}", time.time()) | {"assignment_id": about, "training_id": "t1"}
            await self._tell([Fact(0, "training.completed.v1", stop, about, data)])

    async def _tell(self, facts: list[Fact]) -> None:
        await self.rig.feeder.tell_lines([fact.line(0) | {"apart": True} for fact in facts])

    async def _reporting(self) -> None:
        """Say of each text that it was delivered, again until that is answered."""
        done = 0
        while self.going or done < len(taken := self._taken("sms")):
            for entry in (taken := self._taken("sms"))[done:]:
                path = urlsplit(entry["callback"]).path
                await self._called(path, {"MessageSid": entry["sid"], "MessageStatus": "delivered"})
                self.answered.add(f"{entry['sid']}/delivered")
            done = len(taken)
            await asyncio.sleep(LOOK_S)

    async def _stopping(self) -> None:
        """Have one person after the other say STOP when a text to them is due."""
        for number in range(STOPPED_FROM, STOPPED_TO):
            if not self.going:
                break
            await self._ask(TEXTS, "text-notice", 10_000 + number, number)
            await asyncio.sleep(AHEAD_S + (number % 7 - 3) / 10)
            self.stopped.append(mobile(TEXTS, number))
            said = {"MessageSid": f"SM{number:032x}", "From": self.stopped[-1], "To": SENDER, "Body": "STOP"}
            await self._called("/v1/twilio/inbound", said)
        self.saying = False

    async def _watching(self) -> None:
        """See when the numbers of those who said STOP are blocked: all of them, as nobody here knows one by one."""
        connection, ends_at = await asyncpg.connect(self.rig.database_url), 0.0
        try:
            while self.saying or len(self.blocks) < len(self.stopped):
                ends_at = time.monotonic() + WITHIN_S if self.saying else ends_at
                if await connection.fetchval(BLOCKED, TEXTS) == len(self.stopped):
                    self.blocks |= {number: time.time() for number in self.stopped if number not in self.blocks}
                if time.monotonic() > ends_at:
                    late = len(self.stopped) - len(self.blocks)
                    self.lost.append(Violation("STOP lost", f"{late} of {len(self.stopped)}, answered 2xx"))
                    return
                await asyncio.sleep(LOOK_S)
        finally:
            await connection.close()

    async def _called(self, path: str, fields: dict[str, str]) -> None:
        """Call back as Twilio would, signed, until it is answered with 2xx."""
        ends_at = time.monotonic() + WITHIN_S
        while await asyncio.to_thread(self._posted, path, fields) != OK:
            if time.monotonic() > ends_at:
                raise TimeoutError("intake answers no callback")
            await asyncio.sleep(LOOK_S)

    def _posted(self, path: str, fields: dict[str, str]) -> int:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=ASKED_WITHIN_S)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signed(path, fields)}
        try:
            connection.request("POST", path, urlencode(fields), headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def _taken(self, channel: str) -> list[dict[str, Any]]:
        log = self.rig.place.note(f"accepts-{channel}")
        return [*read(log)] if log.exists() else []

    async def judged(self) -> list[Violation]:
        """Wait until each message rests, and judge."""
        connection = await asyncpg.connect(self.rig.database_url)
        try:
            ends_at = time.monotonic() + SETTLED_WITHIN_S
            while True:
                rows = {row["name"]: _row(row) for row in await connection.fetch(ROWS, [CHATS, TEXTS, HALTS])}
                told = frozenset([row[0] for row in await connection.fetch(TOLD)])
                resting = all(one.outreach_id in rows and rows[one.outreach_id].rests for one in self.asked)
                if (resting and self.answered <= told) or time.monotonic() > ends_at:
                    break
                await asyncio.sleep(LOOK_S)
            kept = frozenset([row[0] for row in await connection.fetch(KEPT)])
        finally:
            await connection.close()
        accepts = {channel: self._taken(channel) for channel in ("slack", "sms")}
        stops = acknowledged(self.rig.place, "messenger")
        found = Talks(self.asked, rows, accepts, stops, self.blocks, self.holds, frozenset(self.answered), kept, told)
        self._say(found)
        return self.lost + judge(found)

    def _say(self, found: Talks) -> None:
        states = [f"{row.channel} {row.state}" for row in found.rows.values()]
        numbers = {state: states.count(state) for state in sorted(set(states))}
        accepted = {channel: len(entries) for channel, entries in found.accepts.items()}
        moved = {outreach_of(one) for one in found.accepts["slack"]} & {
            outreach_of(one) for one in found.accepts["sms"]
        }
        self.rig.say(
            f"talks asked: {len(found.asked)}, accepted: {accepted}, by both: {len(moved)}, ledger: {numbers}, "
            f"called back: {len(found.answered)}, STOP: {len(found.blocks)}, held: {len(found.holds)} times\n"
        )


def both() -> dict[str, str]:
    """Return what messenger and intake must know alike."""
    return {
        "PUBLIC_URL": PUBLIC,
        "SMS_SENDERS": f"{SENDER}={CHATS}, {TEXTS}, {HALTS}",
        "NUMBERS_KEY": "for-this-campaign-alone-and-no-other",
    }


def signed(path: str, fields: dict[str, str]) -> str:
    """Sign a form as Twilio says that it does."""
    text = PUBLIC + path + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return b64encode(hmac.new(TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()


def mobile(tenant: str, number: int) -> str:
    """Return a person's number, which is nobody else's."""
    return f"+4474{(CHATS, TEXTS, HALTS).index(tenant) + 1}{number:07}"


def _row(row: Any) -> Row:
    return Row(row["channel"], row["state"], row["reason"], row["waits"])


def _data(tenant: str, person: str, at: float) -> dict[str, Any]:
    return {"tenant_id": tenant, "person_id": person, "occurred_at": _instant(at)}


def _instant(at: float) -> str:
    return instant(datetime.fromtimestamp(at, UTC))


def _person(tenant: str, number: int) -> Fact:
    person = f"p{number:04}"
    token = f"{tenant}{person}"
    personal = {"name": f"Vera CNRY{token}x", "mail": f"cnry{token}@talks.example", "mobile": mobile(tenant, number)}
    more = {"version": 1, "status": "active", "zone": "UTC", "locale": "en", "personal": personal}
    return Fact(0, "people.recorded.v1", f"{tenant}-{person}", person, _data(tenant, person, time.time()) | more)


def _request(one: Asked, person: str, moment: float) -> Fact:
    data = _data(one.tenant, person, time.time()) | {
        "outreach_id": one.outreach_id,
        "about": one.about,
        "message": one.message,
        "step": "1",
        "dedupe_key": f"{one.about}/1",
        "not_before": _instant(moment),
        "useful_until": _instant(moment + 86_400),
        "ends_when": [{"type": COMPLETED, "about": one.about}],
        "values": {
            "training_title": f"Safety TRNG{one.tenant}{one.about}x",
            "due_at": _instant(moment + 86_400),
            "days": "1",
        },
    }
    return Fact(0, "outreach.requested.v1", f"{one.tenant}-{one.about}", one.outreach_id, data)

"""Bounces on a real database, through a real SMTP conversation: what they settle, and whom they never touch."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast
from unittest.mock import Mock
from uuid import UUID

import aiosmtplib
import pytest
from pydantic import SecretStr

from duly_chassis import outbox
from duly_chassis.routes import Routes
from duly_chassis.scrape import Scrape
from duly_chassis.traces import Traces
from duly_chassis.web import Refusal
from messenger import answers, bounce_orders, reading, taking
from messenger.app import build
from messenger.bounce_door import BounceDoor
from messenger.channel import Accepted, Answer, InDoubt
from messenger.dsn import MAIL_BYTES_MAX
from messenger.sender import Sender
from messenger.store import Store
from tests.support import post
from tests.support.bench import Bench
from tests.support.post import ALWAYS, Post
from tests.support.records import MOMENT, Tape, person, requested
from tests.support.returned import DOMAIN, KEY, PATH, delivered, notice
from tests.support.waiting import until

pytestmark = pytest.mark.connected

OUTREACH = UUID(int=1)
STATE = "SELECT state || ' ' || reason || ' ' || code FROM ledger ORDER BY tenant_id, outreach_id"
STORY = "SELECT state || ' ' || reason || ' ' || code FROM ledger_history ORDER BY id DESC LIMIT 1"
FAILED = "duly.outreach.failed.v1"
SENT = "duly.outreach.sent.v1"


@pytest.fixture(name="door")
async def door_fixture(messengers: Bench) -> AsyncIterator[BounceDoor]:
    """Open the door for the relay."""
    door = BounceDoor(PATH, ALWAYS, "127.0.0.1", 0)
    await door.start(messengers.context())()
    yield door
    await door.close()


def sender(messengers: Bench, box: Post) -> Sender:
    """Return a sending loop whose letters have return addresses."""
    return post.sender(messengers.context(), box, path=PATH)


async def sent(messengers: Bench, answer: Answer | None = None, tape: Tape | None = None, **asked: Any) -> str:
    """Ask for a message and send it; give the address that it comes back to."""
    tape, box = tape or Tape(), Post(answer or Accepted("relay-1"))
    tenant = asked.get("tenant_id", "acme")
    await messengers.apply(
        tape.record(person(tenant_id=tenant), f"v-{tenant}"),
        tape.record(requested(OUTREACH, **asked), f"r-{tenant}"),
    )
    await sender(messengers, box).step()
    [letter] = box.letters
    return letter.return_path


async def order(messengers: Bench, act: Any, **said: str) -> Any:
    """Give an order as the HTTP route does."""
    async with messengers.database.transaction() as connection:
        tx = Store(connection)
        answer = await act(said, messengers.clock.now(), tx)
        await outbox.put(connection, "duly/messenger", tx.outgoing)
        return answer


async def listed(messengers: Bench, tenant: str = "acme") -> Any:
    """Ask for dead addresses and odd bounces."""
    async with messengers.database.reading(tenant) as connection:
        return await answers.bounces(connection, {"tenant": tenant})


async def counted(messengers: Bench, kind: str) -> float:
    return messengers.metrics.bounces.labels("messenger", kind)._value.get()  # type: ignore[no-any-return]


async def test_failure_after_sent_is_refused_told_and_marks_the_address(messengers: Bench, door: BounceDoor) -> None:
    """RELIABILITY 6 (SMTP, late refusal): sent was true when it was told; what is true now is told beside it."""
    back = await sent(messengers)
    reply = await delivered(door.port, notice(), back)

    assert reply.code == 250
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert await messengers.outgoing() == [SENT, FAILED]
    assert [(one["person_id"], one["code"], one["outreach_id"]) for one in (await listed(messengers))["dead"]] == [
        ("p1", "5.1.1", OUTREACH)
    ]
    assert await counted(messengers, "failed") == 1


async def test_notification_that_settles_a_mail_as_sent_lets_its_policy_wait_for_an_answer(
    messengers: Bench, door: BounceDoor
) -> None:
    """As the relay's own answer does; where another channel is ahead."""
    back = await sent(messengers, InDoubt("timeout"))
    await messengers.outside.execute(
        """UPDATE ledger SET plan = '[{"channel": "sms", "after_min": 30, "when": ["unanswered"]}]'"""
    )
    await delivered(door.port, notice("delivered"), back)

    assert await messengers.column(STATE) == ["sent delivered 5.1.1"]
    assert await messengers.column("SELECT next_due_at FROM ledger") == [MOMENT + timedelta(minutes=30)]


@pytest.mark.parametrize("parks", [False, True])
@pytest.mark.parametrize(
    ("action", "end", "told"),
    [("failed", "refused bounced 5.1.1", FAILED), ("delivered", "sent delivered 5.1.1", SENT)],
)
async def test_notification_settles_what_is_in_doubt(
    messengers: Bench, door: BounceDoor, parks: bool, action: str, end: str, told: str
) -> None:
    """RELIABILITY 6.7: either proves that the relay had accepted it; nobody needs to decide any more."""
    back = await sent(messengers, InDoubt("connection_lost"))
    if parks:
        messengers.clock.move_to(MOMENT + timedelta(minutes=15))
        await messengers.timer()()
    await delivered(door.port, notice(action), back)
    messengers.clock.move_to(MOMENT + timedelta(hours=1))
    await messengers.timer()()

    assert await messengers.column(STATE) == [end]
    assert (await messengers.outgoing())[-1] == told


@pytest.mark.parametrize("answer", [Accepted("relay-1"), InDoubt("timeout")], ids=["accepted", "in doubt"])
async def test_bounce_that_comes_before_our_own_answer_ends_alike(
    messengers: Bench, door: BounceDoor, answer: Answer
) -> None:
    """The relay may bounce while the row is still on its way: order does not matter, and nothing is sent again."""
    tape, box = Tape(), Post(answer, writable=asyncio.Event())
    await messengers.apply(tape.record(person(), "v1"), tape.record(requested(OUTREACH), "r1"))
    loop = sender(messengers, box)
    step = asyncio.create_task(loop.step())
    await box.inside.wait()
    assert await messengers.column("SELECT state FROM ledger") == ["posting"]
    back = PATH.address("acme", OUTREACH, 1)
    bouncing = asyncio.create_task(delivered(door.port, notice(), back))
    box.writable.set()
    await asyncio.gather(step, bouncing)
    await loop.step()

    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert len(box.letters) == 1
    assert (await messengers.outgoing())[-1] == FAILED


async def test_answer_that_comes_after_the_bounce_changes_nothing(messengers: Bench, door: BounceDoor) -> None:
    """The same, with the order held: the bounce commits first."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await messengers.apply(tape.record(person(), "v1"), tape.record(requested(OUTREACH), "r1"))
    step = asyncio.create_task(sender(messengers, box).step())
    await box.reached.wait()
    await delivered(door.port, notice(), PATH.address("acme", OUTREACH, 1))
    box.open.set()
    await step

    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert await messengers.outgoing() == [FAILED]


async def test_same_bounce_twice_changes_nothing(messengers: Bench, door: BounceDoor) -> None:
    """Through either door: the relay repeats what it got no answer for, and people give a folder twice."""
    back = await sent(messengers)
    mail = notice(to=f"<{back}>")
    await delivered(door.port, mail, back)
    await delivered(door.port, mail, back.upper())
    again = await order(messengers, bounce_orders.takes(PATH, ALWAYS), mail=b64encode(mail).decode())

    assert again == {"kind": taking.REPEATED, "outreach_id": OUTREACH, "changed": False}
    assert await messengers.outgoing() == [SENT, FAILED]
    assert await messengers.column("SELECT count(*) FROM ledger_history WHERE reason = 'bounced'") == [1]
    assert await counted(messengers, "repeated") == 1


async def test_second_bounce_about_one_message_is_a_line_of_its_story(messengers: Bench, door: BounceDoor) -> None:
    back = await sent(messengers)
    await delivered(door.port, notice("delayed", "4.4.1", name="n0"), back)
    assert await messengers.column(STORY) == ["sent bounce_delayed 4.4.1"]
    await delivered(door.port, notice(name="n1"), back)
    await delivered(door.port, notice(name="n2", status="5.7.1"), back)

    assert await messengers.column(STORY) == ["refused bounce_failed 5.7.1"]
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert await messengers.outgoing() == [SENT, FAILED]


@pytest.mark.parametrize("status", ["5.2.2", "4.4.7", "5.7.1", "5.1.0", "5.1.8"])
async def test_failure_that_does_not_blame_the_address_leaves_it_alive(
    messengers: Bench, door: BounceDoor, status: str
) -> None:
    await delivered(door.port, notice(status=status), await sent(messengers))

    assert await messengers.column(STATE) == [f"refused bounced {status}"]
    assert (await listed(messengers))["dead"] == []


async def another(messengers: Bench, tape: Tape) -> Post:
    """Ask for a second message to the same person, and try to send it."""
    box = Post()
    await messengers.apply(tape.record(requested(UUID(int=2), "a2"), "r2"))
    await sender(messengers, box).step()
    return box


async def test_nothing_goes_to_a_dead_address_until_the_person_has_a_new_one(
    messengers: Bench, door: BounceDoor
) -> None:
    """Withheld with its reason, seen at once; a new record wakes it."""
    tape = Tape()
    await delivered(door.port, notice(), await sent(messengers, tape=tape))
    box = await another(messengers, tape)
    assert (box.letters, await messengers.column(STATE)) == ([], ["refused bounced 5.1.1", "due address_dead "])

    await messengers.apply(tape.record(person(2), "v2"))
    await sender(messengers, box).step()
    assert box.letters == []

    moved = person(3)
    moved = person(3, personal=type(moved.personal)(name="Ada", mail="ada.new@example.org"))
    await messengers.apply(tape.record(moved, "v3"))
    await sender(messengers, box).step()
    assert [letter.recipient for letter in box.letters] == ["ada.new@example.org"]
    assert (await listed(messengers))["dead"] == []


async def test_message_to_a_dead_address_ends_with_that_reason(messengers: Bench, door: BounceDoor) -> None:
    tape = Tape()
    await delivered(door.port, notice(), await sent(messengers, tape=tape))
    box = await another(messengers, tape)
    messengers.clock.move_to(MOMENT + timedelta(days=60))
    await sender(messengers, box).step()

    assert await messengers.column(STATE) == ["refused bounced 5.1.1", "suppressed address_dead "]


async def test_named_person_may_revive_an_address(messengers: Bench, door: BounceDoor) -> None:
    tape = Tape()
    await delivered(door.port, notice(), await sent(messengers, tape=tape))
    box = await another(messengers, tape)
    for said in ({"tenant": "bolt", "person": "p1"}, {"tenant": "acme", "person": "p2"}):
        with pytest.raises(Refusal, match="not_dead"):
            await order(messengers, bounce_orders.revive, by="ada", **said)
    await order(messengers, bounce_orders.revive, tenant="acme", person="p1", by="grace")
    await sender(messengers, box).step()

    assert [letter.outreach_id for letter in box.letters] == [UUID(int=2)]
    told = "SELECT who || ' ' || reason FROM ledger_history WHERE who IS NOT NULL"
    assert await messengers.column(told) == ["grace address_revived"]


async def test_new_address_is_not_blamed_for_the_old_one(messengers: Bench, door: BounceDoor) -> None:
    tape = Tape()
    back = await sent(messengers, tape=tape)
    moved = person(2, personal=type(person().personal)(name="Ada", mail="ada.new@example.org"))
    await messengers.apply(tape.record(moved, "v2"))
    await delivered(door.port, notice(), back)
    box = await another(messengers, tape)

    assert (await messengers.column(STATE))[0] == "refused bounced 5.1.1"
    assert (await listed(messengers))["dead"] == []
    assert len(box.letters) == 1


async def test_dead_address_is_seen_at_the_gate(messengers: Bench, door: BounceDoor) -> None:
    """I3's manner: claimed already, marked since, and still nothing goes."""
    tape, box = Tape(), Post(open=asyncio.Event())
    back = await sent(messengers, tape=tape)
    await messengers.apply(tape.record(requested(UUID(int=2), "a2"), "r2"))
    loop = sender(messengers, box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    await delivered(door.port, notice(), back)
    box.open.set()
    await step
    await loop.step()

    assert (box.letters, await messengers.column(STATE)) == ([], ["refused bounced 5.1.1", "due address_dead "])


def forged(back: str) -> dict[str, str]:
    """Write return addresses that are not ours: the id or the attempt of another, cut, lengthened, of a stranger."""
    local, _, domain = back.partition("@")
    other = "b" if local[10] == "a" else "a"
    return {
        "another id": f"{local[:10]}{other}{local[11:]}@{domain}",
        "another signature": f"{local[:-1]}{'b' if local[-1] == 'a' else 'a'}@{domain}",
        "truncated": f"{local[:-1]}@{domain}",
        "lengthened": f"{local}a@{domain}",
        "none": f"bounce@{domain}",
        "nobody": f"postmaster@{domain}",
    }


@pytest.mark.parametrize("how", forged(PATH.address("acme", OUTREACH, 1)))
async def test_s40_forged_return_address_changes_nothing_and_is_not_refused(
    messengers: Bench, door: BounceDoor, how: str
) -> None:
    """S-40: a refusal would let the relay answer somebody, and would tell which guess was right."""
    back = await sent(messengers)
    reply = await delivered(door.port, notice(), forged(back)[how])

    assert reply.code == 250
    assert await messengers.column(STATE) == ["sent accepted "]
    assert await messengers.column("SELECT count(*) FROM bounces") == [0]
    assert await counted(messengers, "forged") == 1


async def test_s40_auto_reply_and_strangers_mail_change_nothing(messengers: Bench, door: BounceDoor) -> None:
    """S-40: an answering machine is counted, anything else is a finding; neither is answered, nor kept."""
    back = await sent(messengers)
    away = b"From: ada@example.org\r\nAuto-Submitted: auto-replied\r\nSubject: Away\r\n\r\nBack on Monday.\r\n"
    await delivered(door.port, away, back)
    await delivered(door.port, b"From: ada@example.org\r\n\r\nWho are you?\r\n", back, sender="ada@example.org")

    assert await messengers.column(STATE) == ["sent accepted "]
    assert await counted(messengers, "auto_reply") == 1
    assert [(one["kind"], one["person_id"]) for one in (await listed(messengers))["odd"]] == [("unreadable", "p1")]
    assert await messengers.column(STORY) == ["sent bounce_unreadable "]


async def test_bounce_for_an_unknown_message_is_counted_and_listed(messengers: Bench, door: BounceDoor) -> None:
    """The signature is ours, the row is gone, or never was in this database."""
    tape = Tape()
    back = await sent(messengers, tape=tape)
    await messengers.outside.execute("DELETE FROM ledger WHERE person_id = 'p1'")
    await delivered(door.port, notice(), back)
    assert await counted(messengers, "unknown") == 1
    assert (await listed(messengers))["odd"] == []  # nothing is left by which the tenant could be known

    await messengers.apply(tape.record(requested(UUID(int=2), "a2"), "r2"))
    await delivered(door.port, notice(), back)
    assert [(one["outreach_id"], one["known"]) for one in (await listed(messengers))["odd"]] == [(OUTREACH, False)]
    assert await messengers.column("SELECT state FROM ledger") == ["due"]


async def test_tenants_with_the_same_ids_never_meet(messengers: Bench, door: BounceDoor) -> None:
    """K-10, I8: the signature binds the tenant; the other's message, person and list stay untouched."""
    tape = Tape()
    first = await sent(messengers, tape=tape)
    second = await sent(messengers, tape=tape, tenant_id="bolt")
    assert first != second
    await delivered(door.port, notice(), second)

    assert await messengers.column(STATE) == ["sent accepted ", "refused bounced 5.1.1"]
    assert (await listed(messengers))["dead"] == []
    assert len((await listed(messengers, "bolt"))["dead"]) == 1
    async with messengers.database.reading("acme") as connection:
        assert (await answers.bounces(connection, {"tenant": "bolt"})) == {"dead": [], "odd": []}


async def test_door_takes_mail_for_the_bounce_domain_only(messengers: Bench, door: BounceDoor) -> None:
    """It is no relay."""
    back = await sent(messengers)
    elsewhere = back.replace(DOMAIN, "example.org")
    for address in (elsewhere, f"{back}.example.net", "ada@example.org", f"ada%{DOMAIN}@example.org"):
        with pytest.raises(aiosmtplib.SMTPRecipientRefused) as refused:
            await delivered(door.port, notice(), address)
        assert refused.value.code == 550


async def test_10_mb_are_refused_and_the_door_stays_open(messengers: Bench, door: BounceDoor) -> None:
    back = await sent(messengers)
    huge = notice() + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (10 * MAIL_BYTES_MAX // 72)
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await delivered(door.port, huge, back)
    assert refused.value.code == 552

    await delivered(door.port, notice(), back)
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]


async def test_relay_keeps_a_bounce_while_the_database_is_away(
    messengers: Bench, door: BounceDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """250 only after the commit, 451 otherwise; what comes again is taken."""
    back = await sent(messengers)
    with monkeypatch.context() as patch:
        patch.setattr(messengers.database, "transaction", _away)
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await delivered(door.port, notice(), back)
    assert refused.value.code == 451
    assert await messengers.column(STATE) == ["sent accepted "]

    await delivered(door.port, notice(), back)
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]


def _away() -> Any:
    raise ConnectionRefusedError


async def test_door_bounds_its_connections(
    messengers: Bench, door: BounceDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messenger.bounce_door.CONNECTIONS_MAX", 2)
    back = await sent(messengers)
    held = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(2)]
    assert [(await reader.readline())[:3] for reader, _ in held] == [b"220", b"220"]
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    assert (await reader.readline())[:3] == b"421"
    for one in (writer, *(writer for _, writer in held)):
        one.close()
    await until(lambda: not door._sessions)

    assert (await delivered(door.port, notice(), back)).code == 250


async def test_folder_of_stored_mail_is_taken_by_the_header_of_each(messengers: Bench) -> None:
    """The other door: people with a mailbox; a signature is as good in a header as in an envelope."""
    back = await sent(messengers)
    take = bounce_orders.takes(PATH, ALWAYS)
    mails = {
        "failed": f"Delivered-To: {back}\n".encode() + notice(to="<duly@example.org>"),
        "forged": f"Delivered-To: {forged(back)['another id']}\n".encode() + notice(),
    }
    kinds = {
        name: (await order(messengers, take, mail=b64encode(mail).decode()))["kind"] for name, mail in mails.items()
    }

    assert kinds == {"failed": "failed", "forged": "forged"}
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    with pytest.raises(Refusal, match="needs_mail"):
        await order(messengers, take, mail="no base64!")
    with pytest.raises(Refusal, match="no_bounce_domain"):
        await order(messengers, bounce_orders.takes(None, ALWAYS), mail="")


async def test_http_takes_a_large_mail_and_counts_it_after_the_commit(messengers: Bench) -> None:
    """As `duly bounces take` asks: our own mail may come back whole."""
    back = await sent(messengers)
    mail = f"Delivered-To: {back}\n".encode() + notice() + b"x\n" * 20_000 + b"y" * 700_000
    settings = messengers.settings.model_copy(
        update={"bounce_domain": DOMAIN, "bounce_keys": SecretStr(KEY), "bounce_port": None}
    )
    service = build(settings, messengers.clock)  # type: ignore[arg-type]
    nobody = cast(Any, Mock())
    scrape = Scrape(messengers.metrics, nobody, nobody, nobody)
    routes = Routes(
        service, settings, messengers.database, nobody, scrape, messengers.clock, lambda: None, Traces(), nobody
    )
    body = json.dumps({"mail": b64encode(mail).decode()}).encode()
    told: list[Any] = []

    async def receive() -> Any:
        return {"body": body, "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/bounces/take", "query_string": b"", "headers": []}
    await dict(routes.table())["/v1/bounces/take"](scope, receive, send)

    assert (told[0]["status"], json.loads(told[1]["body"])["kind"]) == (200, "failed")
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert await messengers.outgoing() == [SENT, FAILED]
    assert await counted(messengers, "failed") == 1


async def test_bounce_is_part_of_the_story(messengers: Bench, door: BounceDoor) -> None:
    """G-09's manner: `duly explain` shows what came back, and when."""
    back = await sent(messengers)
    await delivered(door.port, notice("delayed", "4.4.1", name="n0"), back)
    await delivered(door.port, notice(), back)
    async with messengers.database.reading("acme") as connection:
        story = await answers.explain(connection, {"tenant": "acme", "person": "p1", "assignment": "a1"})
    [message] = story["messages"]

    assert [(one["state"], one["reason"], one["code"]) for one in message["history"]][-3:] == [
        ("sent", "accepted", ""),
        ("sent", "bounce_delayed", "4.4.1"),
        ("refused", "bounced", "5.1.1"),
    ]


async def test_bounces_and_new_records_do_not_wait_for_each_other_for_ever(messengers: Bench, door: BounceDoor) -> None:
    """Both lock the contact before its messages: no deadlock, whatever comes when."""
    tape = Tape()
    back = await sent(messengers, tape=tape)
    for number in range(2, 12):
        record = tape.record(person(number), f"v{number}")
        mails = [notice("delayed", "4.4.1", name=f"{number}-{one}") for one in range(3)]
        done = await asyncio.gather(messengers.apply(record), *(delivered(door.port, mail, back) for mail in mails))
        assert [reply.code for reply in done[1:] if reply] == [250] * 3
    assert await messengers.column("SELECT count(*) FROM bounces") == [30]


async def test_earlier_attempt_tells_its_story_and_settles_nothing(messengers: Bench, door: BounceDoor) -> None:
    """Attempt 1 was in doubt, a person had it sent again: what came back is not the second mail."""
    back = await sent(messengers, InDoubt("timeout"))
    await messengers.outside.execute("UPDATE ledger SET state = 'due', next_due_at = $1", MOMENT)
    await sender(messengers, Post()).step()
    await delivered(door.port, notice(status="5.2.2"), back)

    assert await messengers.column(STATE) == ["sent accepted "]
    assert await messengers.column(STORY) == ["sent bounce_failed 5.2.2"]


async def test_delivery_that_is_proved_is_not_sent_again(messengers: Bench, door: BounceDoor) -> None:
    """I2: a person ordered another try, and then the proof came that the first had arrived."""
    back = await sent(messengers, InDoubt("timeout"))
    await messengers.outside.execute("UPDATE ledger SET state = 'due', next_due_at = $1", MOMENT)
    await delivered(door.port, notice("relayed", "2.0.0"), back)
    box = Post()
    await sender(messengers, box).step()

    assert (box.letters, await messengers.column(STATE)) == ([], ["sent delivered 2.0.0"])


async def test_contact_is_read_for_a_preview_with_what_a_bounce_told_of_it(messengers: Bench, door: BounceDoor) -> None:
    """A reader's own statement: it must bring every column that a contact is made of."""
    address = await sent(messengers)
    async with messengers.database.reading("acme") as connection:
        before = await reading.contact(connection, "acme", "p1")
        stranger = await reading.contact(connection, "acme", "p2")
    await delivered(door.port, notice(), address)
    async with messengers.database.reading("acme") as connection:
        after = await reading.contact(connection, "acme", "p1")

    assert before is not None
    assert after is not None
    assert stranger is None
    assert (before.dead, after.dead) == (False, True)


async def test_dead_address_moves_a_message_on_where_another_channel_is_ahead(
    messengers: Bench, door: BounceDoor
) -> None:
    """A bounce is an answer about the address: the person hears it another way, and the finding is told."""
    back = await sent(messengers)
    await messengers.outside.execute("""UPDATE ledger SET plan = '[{"channel": "sms"}]'""")
    await delivered(door.port, notice(), back)

    assert await messengers.column("SELECT channel || ' ' || state || ' ' || reason FROM ledger") == ["sms due bounced"]
    assert await messengers.outgoing() == [SENT, "duly.decisions.address-lost.v1"]


@pytest.mark.parametrize("action", ["failed", "delivered"])
async def test_bounce_of_a_mail_settles_nothing_once_its_message_is_on_another_channel(
    messengers: Bench, door: BounceDoor, action: str
) -> None:
    """The text that is on its way is another try; what the mail became is a line of the story."""
    back = await sent(messengers)
    await messengers.outside.execute("UPDATE ledger SET channel = 'sms', state = 'due', next_due_at = $1", MOMENT)
    await delivered(door.port, notice(action), back)

    assert await messengers.column("SELECT channel || ' ' || state FROM ledger") == ["sms due"]
    assert await messengers.column(STORY) == [f"due bounce_{action} 5.1.1"]

"""Dead letters on a person's word: applied again by the lane's own code, once, and never over what is newer."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from duly_chassis import brakes, dead_letters, letters
from duly_chassis.dead_letters import DeadLetter, Raw
from duly_chassis.service import Listen, Service
from duly_contracts import topics
from duly_contracts.training import TrainingAssignedV1, TrainingCompletedV1
from tests.support.bench import Bench
from tests.support.letters import Desk
from tests.support.records import ASSIGNED, DUE, Tape, assigned, due_changed, person
from tests.support.toy import BREAK_A_RULE, RAISE, Switches
from tests.support.waiting import until

pytestmark = pytest.mark.connected

HAPPENED = "SELECT assignment_id FROM happened ORDER BY id"
STATES = "SELECT state || ' ' || reason || ' ' || replay_count FROM dead_letters ORDER BY \"offset\""
EVERYTHING = ("happened", "outbox", "inbox", "consumer_offsets", "people", "dead_letters")


class TrainingAssignedV2(TrainingAssignedV1, frozen=True, kw_only=True):
    """What a producer already says, and the old release does not know."""

    type: ClassVar[str] = "duly.training.assigned.v2"


def upgraded(service: Service[Any]) -> Service[Any]:
    """Return the release that knows the new version."""
    training = next(listen for listen in service.listens if listen.topic == topics.TRAINING)
    both = (TrainingAssignedV1, TrainingAssignedV2, TrainingCompletedV1)
    others = tuple(listen for listen in service.listens if listen is not training)
    return replace(service, listens=(*others, Listen(topics.TRAINING, both, training.handler)))


@pytest.fixture(name="desk")
def desk_fixture(toys: Bench) -> Desk:
    """Ask the release after the upgrade."""
    return Desk(toys, upgraded(toys.service))


async def only_group(desk: Desk) -> str:
    """Return the name of the one group there is."""
    (group,) = await desk.groups()
    return str(group["group"])


def new_version(tape: Tape, name: str, title: str = "Fire safety", **changes: Any) -> Raw:
    """Return a record of the version that only the new release knows."""
    return tape.record(
        assigned(name, title, **changes), f"e-{name}", headers={"ce_type": TrainingAssignedV2.type.encode()}
    )


async def snapshot(toys: Bench) -> list[list[Any]]:
    """Return all rows of all tables."""
    return [await toys.column(f"SELECT to_jsonb(t)::text FROM {name} AS t ORDER BY 1") for name in EVERYTHING]  # noqa: S608


async def test_unknown_version_is_applied_once_when_it_is_replayed_after_the_upgrade(toys: Bench, desk: Desk) -> None:
    """S-60; RELIABILITY 5.11: the main use of a replay; a second one changes nothing."""
    tape = Tape()
    await toys.apply(new_version(tape, "a1"), tape.record(assigned("a2"), "e-a2"), new_version(tape, "a3"))
    (group,) = await desk.groups()
    assert (group["open"], group["reason"], group["fingerprint"]) == (2, "version", f"decode {TrainingAssignedV2.type}")

    done = await desk.replay(group=group["group"])
    assert (done["applied"], done["failed"]) == (2, 0)
    assert await toys.column(HAPPENED) == ["a2", "a1", "a3"]
    assert len(await toys.outgoing()) == 3
    assert await desk.groups() == []
    settled = await toys.outside.fetchrow("SELECT state, settled_by, replay_count FROM dead_letters LIMIT 1")
    assert tuple(settled or ()) == ("replayed", "ada", 1)

    before = await snapshot(toys)
    again = await desk.replay(group=group["group"])
    assert (again["applied"], again["repeated"], again["failed"], again["next"]) == (0, 0, 0, None)
    assert await snapshot(toys) == before


async def test_old_release_keeps_an_unknown_version_when_it_is_asked_too_early(toys: Bench) -> None:
    await toys.apply(new_version(Tape(), "a1"))
    desk = Desk(toys)

    done = await desk.replay(group=await only_group(desk))
    assert (done["applied"], done["failed"]) == (0, 1)
    assert await toys.column(STATES) == ["open version 1"]


async def test_letter_that_two_people_replay_at_once_is_applied_once(
    toys: Bench, desk: Desk, switches: Switches
) -> None:
    """RELIABILITY 5.11: the letters are locked, so the second waits and finds them settled."""
    await toys.apply(new_version(Tape(), "a1"))
    group = await only_group(desk)
    switches.open.clear()
    both = [asyncio.create_task(desk.replay(group=group)) for _ in range(2)]
    await switches.entered.wait()
    await until(lambda: toys.column("SELECT 1 FROM pg_locks WHERE NOT granted"))
    switches.open.set()
    outcomes = await asyncio.gather(*both)

    assert sorted(one["applied"] for one in outcomes) == [0, 1]
    assert await toys.column(HAPPENED) == ["a1"]
    assert await toys.column(STATES) == ["replayed version 1"]


async def test_fact_that_was_published_again_meanwhile_is_not_applied_twice(toys: Bench, desk: Desk) -> None:
    """RELIABILITY 5.6: the replay keeps the event id, and the inbox guards it."""
    letter = new_version(Tape(), "a1")
    await toys.apply(letter)
    again = Tape().record(assigned("a1"), "e-a1", offset=7)
    assert again.value == letter.value
    await toys.apply(again)
    done = await desk.replay(group=await only_group(desk))

    assert (done["applied"], done["repeated"]) == (0, 1)
    assert await toys.column(HAPPENED) == ["a1"]


async def test_record_that_fails_again_stays_with_its_new_reason_and_costs_its_neighbours_nothing(
    toys: Bench, desk: Desk
) -> None:
    tape = Tape()
    titles = {"a1": "", "a2": RAISE, "a3": BREAK_A_RULE, "a4": ""}
    await toys.apply(*(new_version(tape, name, title) for name, title in titles.items()))
    done = await desk.replay(group=await only_group(desk))

    assert (done["applied"], done["failed"]) == (2, 2)
    assert sorted(why.split(":")[0] for why in done["failures"]) == ["database", "handler"]
    assert await toys.column(HAPPENED) == ["a1", "a4"]
    assert await toys.column(STATES) == [
        "replayed version 1",
        "open handler 1",
        "open database 1",
        "replayed version 1",
    ]
    assert len({group["group"] for group in await desk.groups()}) == 2


async def test_dry_run_says_what_the_run_then_does_and_changes_nothing(toys: Bench, desk: Desk) -> None:
    tape = Tape()
    await toys.apply(*(new_version(tape, name, title) for name, title in {"a1": "", "a2": RAISE}.items()))
    group, before = await only_group(desk), await snapshot(toys)
    said = await desk.replay(group=group, dry_run=True)
    assert await snapshot(toys) == before

    assert await desk.replay(group=group) == said
    assert said["applied"] == said["failed"] == 1


async def test_group_is_replayed_in_portions_that_go_on_by_id(
    toys: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded, and what fails is not tried twice by one command."""
    monkeypatch.setattr(letters, "REPLAYED_AT_ONCE_MAX", 2)
    tape = Tape()
    await toys.apply(*(new_version(tape, f"a{n}", RAISE if n == 1 else "") for n in range(5)))
    group, after, portions = await only_group(desk), 0, []
    while (done := await desk.replay(group=group, after=after))["next"] is not None:
        portions.append((done["applied"], done["failed"]))
        after = done["next"]

    assert portions == [(1, 1), (2, 0), (1, 0)]
    assert await toys.column(HAPPENED) == ["a0", "a2", "a3", "a4"]


async def test_portion_is_bounded_in_bytes_and_takes_one_letter_at_least(
    toys: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "REPLAYED_BYTES_MAX", 1)
    tape = Tape()
    await toys.apply(*(new_version(tape, f"a{n}") for n in range(3)))

    assert (await desk.replay(group=await only_group(desk)))["applied"] == 1


async def test_older_facts_overwrite_nothing_newer_when_they_are_replayed(reminding: Bench) -> None:
    """RELIABILITY 5.14: a version for people, source time for everything else."""
    tape, later = Tape(), DUE + timedelta(days=20)
    old = [
        tape.record(due_changed("a1", DUE + timedelta(days=5), occurred_at=ASSIGNED + timedelta(days=1)), "old-change"),
        tape.record(person(1, zone="Europe/Paris"), "old-person"),
    ]
    reminding.clock.move_to(ASSIGNED + timedelta(days=9))
    await reminding.apply(
        tape.record(person(2, zone="Asia/Tokyo"), "person"),
        tape.record(assigned("a1"), "assigned"),
        tape.record(due_changed("a1", later, occurred_at=ASSIGNED + timedelta(days=2)), "change"),
    )
    before = await reminding.column("SELECT (to_jsonb(d) - 'recorded_at')::text FROM deadlines AS d")
    await laid(reminding, old)
    desk = Desk(reminding)
    done = await desk.replay(group=await only_group(desk))

    assert (done["applied"], done["failed"]) == (2, 0)
    assert await reminding.column("SELECT (to_jsonb(d) - 'recorded_at')::text FROM deadlines AS d") == before
    assert await reminding.column("SELECT zone FROM people") == ["Asia/Tokyo"]


async def test_fact_of_a_clock_that_ran_ahead_is_dated_by_its_first_arrival_when_it_is_replayed(
    reminding: Bench,
) -> None:
    """S-62: dated by the replay it would overrule what came between."""
    tape, later = Tape(), DUE + timedelta(days=20)
    ahead = tape.record(due_changed("a1", DUE + timedelta(days=5), occurred_at=ASSIGNED + timedelta(days=400)), "ahead")
    between = due_changed("a1", later, occurred_at=ASSIGNED + timedelta(days=5))
    reminding.clock.move_to(ASSIGNED + timedelta(days=9))
    await reminding.apply(tape.record(assigned("a1"), "assigned"), tape.record(between, "between"))
    await laid(reminding, [ahead])
    await reminding.outside.execute("UPDATE dead_letters SET received_at = $1", ASSIGNED + timedelta(days=3))
    desk = Desk(reminding)
    done = await desk.replay(group=await only_group(desk))

    assert done["applied"] == 1
    assert await reminding.column("SELECT due_at FROM deadlines") == [later]


async def laid(bench: Bench, records: list[Raw]) -> None:
    """Have these records lie among the dead letters, for a fault that is mended now."""
    async with bench.database.transaction() as connection:
        await dead_letters.put(
            connection, [DeadLetter(record, "handler", "KeyError at mended:1") for record in records]
        )


async def test_one_cause_is_one_group_whatever_place_the_decoder_names(toys: Bench) -> None:
    tape, desk = Tape(), Desk(toys)
    await toys.apply(*(tape.record(assigned("x"), f"e{n}", value=b'{"a": ' + b"1" * n + b"}}") for n in range(1, 4)))

    (group,) = await desk.groups()
    assert (group["open"], group["reason"]) == (3, "shape")
    assert len(set(await toys.column("SELECT fingerprint FROM dead_letters"))) == 3


async def test_discarding_needs_a_name_and_a_reason_and_keeps_the_row(toys: Bench, desk: Desk) -> None:
    await toys.apply(new_version(Tape(), "a1"))
    group = await only_group(desk)
    assert await desk.discard(group=group, reason="not ours") == (400, "needs_by")
    assert await desk.discard(group=group, by="ada") == (400, "needs_reason")
    assert await desk.discard(group=group, by="a" * 101, reason="x") == (400, "needs_by")
    assert await desk.discard(group=group, by="ada", reason="not ours", dry_run=True) == {"discarded": 1}
    assert await toys.column(STATES) == ["open version 0"]

    assert await desk.discard(group=group, by="ada", reason="not ours") == {"discarded": 1}
    assert await desk.discard(group=group, by="eve", reason="again") == {"discarded": 0}
    assert (await desk.replay(group=group))["applied"] == 0
    row = await toys.outside.fetchrow("SELECT state, settled_by, settled_reason, value FROM dead_letters")
    assert row is not None
    assert tuple(row)[:3] == ("discarded", "ada", "not ours")
    assert row["value"]
    assert [one["discarded"] for one in await desk.groups(settled="true")] == [1]


async def test_other_tenants_letters_are_not_found(toys: Bench, desk: Desk) -> None:
    """SECURITY 10; K-10: 404, never 403, for every verb."""
    tape = Tape()
    await toys.apply(new_version(tape, "a1"), new_version(tape, "b1", tenant_id="bolt"))
    ids = {row["tenant_id"]: row["id"] for row in await toys.outside.fetch("SELECT tenant_id, id FROM dead_letters")}
    not_found = (404, "no_such_dead_letter")
    foreign = {"id": str(ids["bolt"]), "tenant": "acme"}
    before = await snapshot(toys)

    assert await desk.show(**foreign) == not_found
    assert await desk.replay(**foreign) == not_found
    assert await desk.discard(**foreign, by="eve", reason="x") == not_found
    assert await desk.replay(id=10**18) == not_found
    assert await desk.show(group="g' OR true") == not_found
    assert await desk.show(group="g00000000000", tenant="acme") == not_found
    assert await desk.show(id=str(ids["acme"]), tenant="*") == (400, "needs_tenant")
    assert await snapshot(toys) == before
    assert [one["open"] for one in await desk.groups(tenant="acme")] == [1]

    group = await only_group(desk)
    assert (await desk.replay(group=group, tenant="acme"))["applied"] == 1
    assert await desk.discard(group=group, tenant="acme", by="ada", reason="x") == {"discarded": 0}
    assert await toys.column("SELECT tenant_id FROM dead_letters WHERE state = 'open'") == ["bolt"]


CLAIMS: dict[str, dict[str, Any]] = {
    "header says another": {"headers": {"ce_tenantid": b"bolt"}},
    "key says another": {"key": b"bolt/p1"},
    "no header": {"headers": {"ce_tenantid": b""}},
    "no key": {"key": None},
    "value is no JSON": {"value": b"{"},
    "value names nobody": {"value": b"{}"},
    "value says another": {"value": b'{"tenant_id": "bolt"}'},
    "no value": {"value": None},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS)
async def test_letter_whose_tenant_is_not_certain_is_the_operators_only(toys: Bench, changes: dict[str, Any]) -> None:
    """S-61: what belongs to nobody is shown to no tenant."""
    await toys.apply(Tape().record(assigned("a1"), "e1", **changes))
    desk = Desk(toys)

    assert [one["open"] for one in await desk.groups()] == [1]
    assert await desk.groups(tenant="acme") == await desk.groups(tenant="bolt") == []


async def test_bytes_are_read_by_their_own_role_only(toys: Bench) -> None:
    """SECURITY 11: dead-letter bytes are personal data; workers write them and cannot read them."""
    await toys.apply(new_version(Tape(), "a1"))
    may = await toys.outside.fetch(
        """
        SELECT role, name FROM unnest(ARRAY['toy', 'toy_reader', 'toy_letters']) AS role,
                              unnest(ARRAY['key', 'headers', 'value']) AS name
         WHERE has_column_privilege(role, 'dead_letters', name, 'SELECT')
        """
    )
    async with toys.database.letters("") as connection:
        unnamed = await connection.fetchval("SELECT count(*) FROM dead_letters")
    async with toys.database.letters("acme") as connection:
        written = await connection.fetchval("SELECT has_table_privilege('dead_letters', 'INSERT, UPDATE, DELETE')")
        named = await connection.fetchval("SELECT count(*) FROM dead_letters")

    assert {row["role"] for row in may} == {"toy_letters"}
    assert (unnamed, named, written) == (0, 1, False)


async def test_replay_waits_for_the_release_of_a_brake(toys: Bench, desk: Desk) -> None:
    """RELIABILITY 8: a held consumer is not passed by; a dry run may look."""
    await toys.apply(new_version(Tape(), "a1"))
    group = await only_group(desk)
    async with toys.database.transaction() as connection:
        await brakes.trip(connection, brakes.DEAD_LETTERS, "too many")
    assert await desk.replay(group=group) == (409, "held_by_a_brake")
    assert (await desk.replay(group=group, dry_run=True))["applied"] == 1
    assert await toys.column(HAPPENED) == []

    async with toys.database.transaction() as connection:
        await brakes.release(connection, brakes.DEAD_LETTERS, "ada", "mended")
    assert (await desk.replay(group=group))["applied"] == 1


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({}, "needs_group_or_id"),
        ({"group": "g00000000000", "id": 1}, "needs_group_or_id"),
        ({"id": "1; DROP TABLE inbox"}, "needs_whole_number"),
        ({"id": True}, "needs_whole_number"),
        ({"id": 2**63}, "needs_whole_number"),
        ({"id": 1, "after": -1}, "needs_whole_number"),
        ({"id": 1, "by": " "}, "needs_by"),
        ({"id": 1, "by": "a\x1b[2J"}, "needs_by"),
        ({"id": 1, "tenant": ""}, "needs_tenant"),
    ],
)
async def test_order_that_makes_no_sense_is_refused_with_a_word(desk: Desk, order: dict[str, Any], word: str) -> None:
    assert await desk.replay(**order) == (400, word)

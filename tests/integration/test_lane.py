"""The lane on a real database: nothing lost, nothing twice, whatever one record or the database does."""

import asyncio
from typing import Any

import pytest

from duly_chassis import outbox
from duly_chassis.positions import UNPLACED, Moved
from tests.support.bench import Bench
from tests.support.records import Tape, assigned, completed, person
from tests.support.toy import BREAK_A_RULE, RAISE, WRITE_NUL, Switches
from tests.support.waiting import until

pytestmark = pytest.mark.connected

HAPPENED = "SELECT assignment_id FROM happened ORDER BY id"


async def test_redelivered_batch_changes_nothing_when_it_was_applied_before(toys: Bench) -> None:
    """B-50, B-51; RELIABILITY 5.6: the stored offset guards redelivery."""
    tape = Tape()
    batch = [tape.record(assigned(f"a{n}"), f"e{n}") for n in range(3)]
    await toys.apply(*batch)
    await toys.apply(*batch, tape.record(assigned("a3"), "e3"))

    assert await toys.column(HAPPENED) == ["a0", "a1", "a2", "a3"]
    assert await toys.column("SELECT next_offset FROM consumer_offsets") == [4]


@pytest.mark.parametrize(("placed_in", "back"), [(0, {("duly.training", 0): 0}), (UNPLACED, {})], ids=["0", "none"])
async def test_batch_of_another_epoch_is_not_applied(
    toys: Bench, placed_in: int, back: dict[tuple[str, int], int]
) -> None:
    """RELIABILITY 5.6: read in the old log, or in a partition that was taken meanwhile: it comes again."""
    tape = Tape()
    await toys.apply(tape.record(assigned("a1"), "e1"))
    await toys.outside.execute("UPDATE consumer_offsets SET epoch = 1, next_offset = 0")
    batch = toys.reads([tape.record(assigned("a2"), "e2")])
    with pytest.raises(Moved) as moved:
        await toys.lanes.apply(batch, lambda: False, {("duly.training", 0): placed_in})

    assert moved.value.back == back
    assert await toys.column(HAPPENED) == ["a1"]
    await toys.lanes.apply(batch, lambda: False, {("duly.training", 0): 1})
    assert await toys.column(HAPPENED) == ["a1", "a2"]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two batches"])
async def test_fact_is_applied_once_when_it_was_published_twice(toys: Bench, together: bool) -> None:
    """RELIABILITY 5.6: the event id guards double publication, which no offset can see."""
    tape = Tape()
    first, second = (tape.record(assigned("a1"), "e1") for _ in range(2))
    for batch in [[first, second]] if together else [[first], [second]]:
        await toys.apply(*batch)

    assert await toys.column(HAPPENED) == ["a1"]
    assert await toys.dead_letters() == []


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two batches"])
async def test_second_content_under_one_id_is_a_dead_letter(toys: Bench, together: bool) -> None:
    """S-63: the same id with other content is dropped, counted and shown."""
    tape = Tape()
    first, other = tape.record(assigned("a1"), "e1"), tape.record(assigned("a2"), "e1")
    for batch in [[first, other]] if together else [[first], [other]]:
        await toys.apply(*batch)

    assert await toys.column(HAPPENED) == ["a1"]
    assert await toys.dead_letters() == [(1, "id-conflict")]


async def test_same_id_of_another_tenant_is_another_fact(toys: Bench) -> None:
    """K-10: no tenant can make another's facts disappear by using its ids."""
    tape = Tape()
    await toys.apply(tape.record(assigned("a1"), "e1"), tape.record(assigned("a2", tenant_id="bolt"), "e1"))

    assert await toys.column(HAPPENED) == ["a1", "a2"]


POISON = {
    "S-54 not UTF-8": ({"value": b'{"tenant_id": "\xff"}'}, "encoding"),
    "S-54 lone surrogate": ({"value": b'{"tenant_id": "\\ud800"}'}, "encoding"),
    "S-55 NUL": ({"value": b'{"tenant_id": "\\u0000"}'}, "nul"),
    "S-56 number beyond 64 bits": ({"value": b'{"sequence": 99999999999999999999999}'}, "range"),
    "S-57 NaN": ({"value": b'{"sequence": NaN}'}, "number"),
    "S-58 depth": ({"value": b"[" * 20_000 + b"]" * 20_000}, "depth"),
    "S-58 two megabytes": ({"value": b'"' + b"x" * 2_000_000 + b'"'}, "size"),
    "S-59 doubled key": ({"value": b'{"tenant_id": "acme", "tenant_id": "bolt"}'}, "duplicate-key"),
    "S-61 header of another tenant": ({"headers": {"ce_tenantid": b"bolt"}}, "tenant"),
    "S-61 key of another tenant": ({"key": b"bolt/p1"}, "tenant"),
    "S-63 empty id": ({"headers": {"ce_id": b""}}, "envelope"),
    "S-63 id of 10 KB": ({"headers": {"ce_id": b"x" * 10_240}}, "envelope"),
    "S-60 unknown version": ({"headers": {"ce_type": b"duly.training.assigned.v2"}}, "version"),
}


@pytest.mark.parametrize(("changes", "reason"), POISON.values(), ids=POISON)
async def test_unreadable_record_becomes_a_dead_letter_and_its_neighbours_are_applied(
    toys: Bench, changes: dict[str, Any], reason: str
) -> None:
    """B-49; S-54 to S-61, S-63; RELIABILITY 5.3, 5.11: whole and with its reason, it costs nobody else."""
    tape = Tape()
    bad = tape.record(assigned("bad"), "e0", offset=1, **changes)
    await toys.apply(tape.record(assigned("a0"), "e1"), bad, tape.record(assigned("a2"), "e2", offset=2))

    assert await toys.column(HAPPENED) == ["a0", "a2"]
    assert await toys.dead_letters() == [(1, reason)]
    assert await toys.column("SELECT key FROM dead_letters") == [bad.key]
    assert await toys.column("SELECT value FROM dead_letters") == [bad.value]


async def test_dead_letter_is_written_once_when_its_batch_comes_again(toys: Bench) -> None:
    """RELIABILITY 5.11: with the offset, so neither is lost nor doubled."""
    bad = Tape().record(assigned("bad"), "e0", value=b"{")
    await toys.apply(bad)
    await toys.apply(bad)

    assert [reason for _, reason in await toys.dead_letters()] == ["shape"]


async def test_unknown_type_is_passed_by_and_counted(toys: Bench) -> None:
    """S-60: wholly unknown types are no dead letters."""
    tape = Tape()
    stranger = tape.record(assigned("a1"), "e1", headers={"ce_type": b"org.example.thing"})
    await toys.apply(stranger, tape.record(assigned("a2"), "e2"))

    assert await toys.column(HAPPENED) == ["a2"]
    assert await toys.dead_letters() == []
    skipped = {"service": "toy", "type": "other", "outcome": "skip"}
    assert toys.metrics.registry.get_sample_value("duly_events_total", skipped) == 1


@pytest.mark.parametrize("title", [WRITE_NUL, BREAK_A_RULE])
async def test_record_the_database_refuses_costs_itself_only(toys: Bench, title: str) -> None:
    """RELIABILITY 5.5; S-55: one NUL costs one record, not the batch, and blocks nothing."""
    tape = Tape()
    await toys.apply(*(tape.record(assigned(f"a{n}", title if n == 1 else ""), f"e{n}") for n in range(4)))

    assert await toys.column(HAPPENED) == ["a0", "a2", "a3"]
    assert await toys.dead_letters() == [(1, "database")]
    assert len(await toys.outgoing()) == 3


async def test_record_that_makes_the_handler_raise_is_given_up_after_three_tries(
    toys: Bench, switches: Switches
) -> None:
    """RELIABILITY 5.4: a non-database exception three times in a row for the same record."""
    tape = Tape()
    await toys.apply(*(tape.record(assigned(f"a{n}", RAISE if n == 1 else ""), f"e{n}") for n in range(3)))

    assert await toys.column(HAPPENED) == ["a0", "a2"]
    assert await toys.dead_letters() == [(1, "handler")]
    assert switches.handled == 1 + 1 + 3 + 1  # the batch, then each alone and the bad one three times
    fingerprint = await toys.outside.fetchval("SELECT fingerprint FROM dead_letters")
    assert fingerprint.startswith("KeyError at tests.support.toy.training:")


async def test_record_given_up_can_be_applied_later_because_its_id_was_not_taken(toys: Bench) -> None:
    """RELIABILITY 5.11: a replay of a dead letter keeps its event id."""
    tape = Tape()
    await toys.apply(tape.record(assigned("a1", BREAK_A_RULE), "e1"))
    await toys.apply(tape.record(assigned("a1"), "e1"))

    assert await toys.column(HAPPENED) == ["a1"]


async def test_missing_table_is_waited_for_in_place(toys: Bench) -> None:
    """RELIABILITY 5.4: class 42 is a bad deployment, not a bad record; readiness says so meanwhile."""
    await toys.outside.execute("ALTER TABLE happened RENAME TO elsewhere")
    applying = asyncio.create_task(toys.apply(Tape().record(assigned("a1"), "e1")))
    await until(lambda: toys.lanes.trouble == "UndefinedTableError:42P01")
    await toys.outside.execute("ALTER TABLE elsewhere RENAME TO happened")
    await applying

    assert (await toys.column(HAPPENED), await toys.dead_letters()) == (["a1"], [])
    assert toys.lanes.trouble is None


async def test_batch_is_applied_once_when_its_connection_is_cut_in_mid_transaction(
    toys: Bench, switches: Switches
) -> None:
    """RELIABILITY 3.3, 5.4: what a crash of the database looks like is waited for, never dead-lettered."""
    switches.open.clear()
    applying = asyncio.create_task(toys.apply(Tape().record(assigned("a1"), "e1")))
    await switches.entered.wait()
    cut = await toys.column(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'duly-toy' AND state = 'idle in transaction' AND datname = current_database()
        """
    )
    switches.open.set()
    await applying

    assert cut == [True]
    assert switches.handled == 2
    assert (await toys.column(HAPPENED), await toys.dead_letters()) == (["a1"], [])


async def test_state_outbox_and_offset_are_written_together_or_not_at_all(
    toys: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-52; RELIABILITY 5.5: dying between state and outbox leaves neither, and the batch comes again."""
    batch = [Tape().record(assigned("a1"), "e1")]
    real = outbox.put

    async def dies(*_arguments: object) -> None:
        monkeypatch.setattr(outbox, "put", real)
        raise ConnectionResetError

    monkeypatch.setattr(outbox, "put", dies)
    with pytest.raises(ConnectionResetError):
        await toys.lanes.apply(toys.reads(batch), lambda: True)  # the service stops, so it is not tried again
    for table in ("happened", "outbox", "inbox", "consumer_offsets"):
        assert await toys.column(f"SELECT count(*) FROM {table}") == [0]  # noqa: S608 - our own names

    await toys.apply(*batch)
    assert len(await toys.column(HAPPENED)) == len(await toys.outgoing()) == 1


async def test_commit_that_was_reported_as_failed_is_not_repeated(toys: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """RELIABILITY 5.7: the second try meets the guard."""
    real = toys.lanes._transaction
    tried = []

    async def lies(*arguments: Any, **named: Any) -> int:
        tried.append(arguments)
        dropped = await real(*arguments, **named)
        if len(tried) == 1:
            raise ConnectionResetError
        return dropped

    monkeypatch.setattr(toys.lanes, "_transaction", lies)
    await toys.apply(Tape().record(assigned("a1"), "e1"))

    assert len(tried) == 2
    assert len(await toys.column(HAPPENED)) == len(await toys.outgoing()) == 1


async def test_older_record_of_a_person_never_replaces_a_newer_one(toys: Bench) -> None:
    """RELIABILITY 5.14: compacted topics have no inbox; the version guards, within a batch and between batches."""
    tape = Tape()
    await toys.apply(tape.record(person(3, zone="Asia/Tokyo"), "v3"), tape.record(person(2, zone="Europe/Paris"), "v2"))
    await toys.apply(tape.record(person(1), "v1"))

    assert await toys.column("SELECT zone FROM people") == ["Asia/Tokyo"]
    assert await toys.column("SELECT event_id FROM inbox") == []


async def test_tombstone_of_a_person_is_passed_by(toys: Bench) -> None:
    tape = Tape()
    await toys.apply(tape.record(person(), "v1"), tape.record(person(), "v1", value=None))

    assert await toys.column("SELECT count(*) FROM people") == [1]
    assert await toys.dead_letters() == []


async def test_lanes_of_one_batch_take_turns_with_a_second_replica(toys: Bench, switches: Switches) -> None:
    """RELIABILITY 5.5: a fenced-off consumer and its successor work the same batch; it is applied once."""
    batch = [Tape().record(completed("a1"), "e1")]
    switches.open.clear()
    both = [asyncio.create_task(toys.apply(*batch)) for _ in range(2)]
    await switches.entered.wait()
    await until(lambda: toys.column("SELECT 1 FROM pg_locks WHERE NOT granted"))
    switches.open.set()
    await asyncio.gather(*both)

    assert await toys.column(HAPPENED) == ["a1"]
    assert switches.handled == 1

"""Roster on a real database: runs in force whole or not at all, held ones decided by people, tenants apart."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import pytest

from duly_chassis.web import Refusal
from roster import outcomes
from tests.support.bench import Bench
from tests.support.records import MOMENT
from tests.support.rosters import ask, codes, file, order, people, send, statuses, told

pytestmark = pytest.mark.connected

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "roster.csv"
CANARIES = ("canary@people.example", "+353850004711", "Canary Person")


async def table(bench: Bench) -> list[tuple[object, ...]]:
    """Return everything that a run may change, of every tenant."""
    query = """
        SELECT p.tenant_id, p.person_id, p.version, p.status, p.manager_id, p.department, v.name, v.mail
          FROM people AS p JOIN vault AS v USING (tenant_id, person_id) ORDER BY 1, 2
    """
    return [tuple(row) for row in await bench.outside.fetch(query)]


async def test_example_of_the_quickstart_goes_in_whole(rosters: Bench) -> None:
    answer = await send(rosters, EXAMPLE.read_bytes(), name="docs/examples/roster.csv", complete="1")
    facts = {fact.person_id: fact for fact in await told(rosters)}

    assert (answer["state"], answer["counts"], answer["refused"], answer["findings"]) == (
        "applied",
        {"joins": 12},
        0,
        [],
    )
    assert len({fact.zone for fact in facts.values()}) == 3
    assert len({(fact.locale or "")[:2] for fact in facts.values()}) == 2
    chain, at = [], facts["e-1004"]
    while at.manager_id:
        at = facts[at.manager_id]
        chain.append(at.person_id)
    assert chain == ["e-1003", "e-1002", "e-1001"]
    assert (facts["e-1004"].team, str(facts["e-1004"].hired_on)) == ("Warehouse", "2021-01-11")
    assert facts["e-1001"].personal.mobile == "+353850000001"


async def test_same_file_twice_changes_nothing_and_tells_nobody(rosters: Bench) -> None:
    """S-27: content that is known has no effect."""
    await send(rosters, file(people(30)), complete="1")
    before, facts = await table(rosters), await told(rosters)
    again = await send(rosters, file(people(30)), complete="1")

    assert (again["state"], again["counts"], again["unchanged"]) == ("applied", {}, 30)
    assert (await table(rosters), await told(rosters)) == (before, facts)


async def test_dry_run_says_all_and_changes_nothing(rosters: Bench) -> None:
    await send(rosters, file(people(100)), complete="1")
    before, facts = await table(rosters), await told(rosters)
    rows = [*people(98), *people(1, start=101), "e-50,Person 50,new@people.example,e-1,2020-01-01,,active"]
    rows.remove(people(1, start=50)[0])
    dry = await send(rosters, file(rows), complete="1", dry_run="1")

    assert (dry["state"], dry["run"]) == ("dry_run", None)
    assert [(one["person_id"], one["kind"], list(one["fields"])) for one in dry["changes"]] == [
        ("e-100", "leaves", ["status"]),
        ("e-101", "joins", []),
        ("e-50", "changes", ["mail"]),
        ("e-99", "leaves", ["status"]),
    ]
    assert (await table(rosters), await told(rosters)) == (before, facts)
    assert [one["run"] for one in (await ask(rosters, "/v1/roster/runs"))["runs"]] == [1]


async def test_departures_below_the_brake_are_told(rosters: Bench) -> None:
    """G-24: who is missing from a complete file leaves, with the next version; X-05: their record stays."""
    await send(rosters, file(people(100)), complete="1")
    answer = await send(rosters, file(people(98)), complete="1")
    facts = (await told(rosters))[100:]

    assert answer["counts"] == {"leaves": 2}
    assert [(fact.person_id, fact.version, fact.status, fact.since) for fact in facts] == [
        ("e-100", 2, "departed", MOMENT),
        ("e-99", 2, "departed", MOMENT),
    ]
    assert (await statuses(rosters))["e-99"] == "departed"


async def test_held_run_is_in_force_for_nobody_until_it_is_released(rosters: Bench) -> None:
    """I6, S-24: held whole, shown with its diff, then exactly that run."""
    await send(rosters, file(people(100)), complete="1")
    before, facts = await table(rosters), await told(rosters)
    rows = [*people(60), "e-101,Canary,canary@people.example,e-1,2020-01-01,,active", "e-102,x,broken,,,,"]
    held = await send(rosters, file(rows), complete="1", by="bob")

    assert (held["state"], held["run"], [brake["code"] for brake in held["brakes"]]) == ("held", 2, ["departures"])
    assert (await table(rosters), await told(rosters)) == (before, facts)
    shown = await ask(rosters, "/v1/roster/run", run=2)
    assert (shown["counts"], len(shown["changes"]), shown["refused"]) == ({"leaves": 40, "joins": 1}, 41, 1)
    assert codes(shown["refusals"]) == [(63, "mail", "mail")]

    released = await order(rosters, "/v1/roster/release", run=2)
    assert released == {"run": 2, "state": "released", "changed": 41}
    assert sum(one == "departed" for one in (await statuses(rosters)).values()) == 40
    new = (await told(rosters))[100:]
    assert len(new) == 41
    assert next(fact.personal.mail for fact in new if fact.person_id == "e-101") == "canary@people.example"
    shown = await ask(rosters, "/v1/roster/run", run=2)
    assert [(one["decision"], one["who"], one["why"]) for one in shown["decisions"]] == [
        ("held", "bob", "departures"),
        ("released", "ada", "looked at it"),
    ]
    assert await rosters.column("SELECT count(*) FROM vault_held") == [0]
    assert await rosters.column("SELECT count(*) FROM changes WHERE proposed IS NOT NULL") == [0]


async def test_same_bytes_while_a_run_is_held_are_that_run(rosters: Bench) -> None:
    await send(rosters, file(people(100)), complete="1")
    first = await send(rosters, file(people(50)), complete="1")
    again = await send(rosters, file(people(50)), complete="1")

    assert (first["run"], again["run"], again["state"]) == (2, 2, "held")
    assert await rosters.column("SELECT count(*) FROM runs") == [2]


async def test_same_bytes_on_a_later_day_are_a_run_of_their_own_when_they_mean_more(rosters: Bench) -> None:
    """A last day that has passed meanwhile: the answer must not name a run that would do something else."""
    await send(rosters, file(people(100)), complete="1")
    last_day = MOMENT.date() + timedelta(days=1)
    leaving = f"e-50,Person 50,e50@people.example,e-1,2020-01-01,{last_day},"
    content = file([*people(49), leaving])
    first = await send(rosters, content, complete="1")
    rosters.clock.move_to(MOMENT + timedelta(days=3))
    later = await send(rosters, content, complete="1")

    assert (first["run"], first["counts"]["leaves"]) == (2, 50)
    assert (later["run"], later["counts"]["leaves"]) == (3, 51)


async def test_release_is_refused_as_stale_when_another_run_changed_the_roster(rosters: Bench) -> None:
    await send(rosters, file(people(100)), complete="1")
    await send(rosters, file(people(50)), complete="1")
    await send(rosters, file(people(1, start=200)))
    before = await table(rosters)
    with pytest.raises(Refusal, match="stale"):
        await order(rosters, "/v1/roster/release", run=2)

    assert await table(rosters) == before
    assert (await order(rosters, "/v1/roster/discard", run=2))["state"] == "discarded"


async def test_run_that_changed_nobody_makes_no_held_run_stale(rosters: Bench) -> None:
    await send(rosters, file(people(100)), complete="1")
    await send(rosters, file(people(50)), complete="1")
    await send(rosters, file(people(100)), complete="1")

    assert (await order(rosters, "/v1/roster/release", run=2))["changed"] == 50


async def test_discarded_run_leaves_nothing_but_the_decision(rosters: Bench) -> None:
    await send(rosters, file(people(100)), complete="1")
    before = await table(rosters)
    await send(rosters, file([]), complete="1")
    await order(rosters, "/v1/roster/discard", run=2)

    assert await table(rosters) == before
    assert await rosters.column("SELECT state FROM runs ORDER BY run") == ["applied", "discarded"]
    with pytest.raises(Refusal, match="not_held"):
        await order(rosters, "/v1/roster/release", run=2)


@pytest.mark.parametrize("words", [{"run": 1}, {"run": 9}, {"run": 2, "tenant": "globex"}])
async def test_decision_about_a_run_that_is_not_held_here_is_refused(rosters: Bench, words: dict[str, object]) -> None:
    """SECURITY 10: another tenant's run is as unknown as none: 404."""
    await send(rosters, file(people(100)), complete="1")
    await send(rosters, file(people(50)), complete="1")
    for path in ("/v1/roster/release", "/v1/roster/discard"):
        with pytest.raises(Refusal, match="not_held"):
            await order(rosters, path, **words)


@pytest.mark.parametrize(
    "words", [{"run": "x"}, {"run": "-1"}, {"run": "9" * 20}, {"run": 2, "by": ""}, {"run": 2, "by": "\x1b \n"}]
)
async def test_decision_needs_a_run_and_a_name(rosters: Bench, words: dict[str, object]) -> None:
    with pytest.raises(Refusal, match="needs_"):
        await order(rosters, "/v1/roster/release", **words)


async def test_held_run_lapses_when_nobody_decides_and_its_personal_data_goes(rosters: Bench) -> None:
    """RELIABILITY 8: time never releases; it only gives up."""
    await send(rosters, file(people(100)), complete="1")
    before = await table(rosters)
    await send(rosters, file(people(40, start=300)), complete="1")
    rosters.clock.move_to(MOMENT + timedelta(days=14) - timedelta(seconds=1))
    await rosters.timer()()
    assert await rosters.column("SELECT state FROM runs WHERE run = 2") == ["held"]
    rosters.clock.move_to(MOMENT + timedelta(days=14))
    await rosters.timer()()

    assert await rosters.column("SELECT state FROM runs WHERE run = 2") == ["lapsed"]
    assert await rosters.column("SELECT count(*) FROM vault_held") == [0]
    assert await table(rosters) == before


async def test_refused_file_leaves_a_run_that_says_why(rosters: Bench) -> None:
    await send(rosters, file(people(10)))
    before = await table(rosters)
    answer = await send(rosters, file(people(10))[:-1], name="../../etc/x.csv")
    runs = (await ask(rosters, "/v1/roster/runs"))["runs"]

    assert (answer["state"], codes(answer["refusals"])) == ("refused", [(11, "", "unfinished")])
    assert (runs[0]["run"], runs[0]["state"], runs[0]["file_name"]) == (2, "refused", "x.csv")
    assert await table(rosters) == before


async def test_import_that_breaks_off_changes_nothing(rosters: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at any moment: one transaction, so all of a run or nothing."""
    await send(rosters, file(people(10)))
    before, facts = await table(rosters), await told(rosters)

    def dies(*_all: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(outcomes, "emit", dies)
    with pytest.raises(ConnectionResetError):
        await send(rosters, file(people(20)))

    assert (await table(rosters), await told(rosters)) == (before, facts)
    assert await rosters.column("SELECT count(*) FROM runs") == [1]


async def test_imports_of_one_tenant_take_turns(rosters: Bench) -> None:
    files = [file(people(20, start=1 + 10 * number)) for number in range(4)]
    await asyncio.gather(*(send(rosters, one) for one in files))

    facts = await told(rosters)
    assert len(await statuses(rosters)) == 50
    assert len({(fact.person_id, fact.version) for fact in facts}) == len(facts)
    assert sorted(await rosters.column("SELECT run FROM runs")) == [1, 2, 3, 4]


async def test_tenants_with_the_same_ids_never_meet(rosters: Bench) -> None:
    """SECURITY 10, I8, S-23: interleaved runs, brakes and decisions of tenants whose people have one another's ids."""
    dice = random.Random(20_260_301)  # noqa: S311 - a repeatable order, no secret
    tenants = ["t1", "t2", "t3"]
    for round_number in range(8):
        for tenant in dice.sample(tenants, 3):
            number = dice.randint(20, 40)
            rows = [line.replace("Person", f"{tenant} {round_number}") for line in people(number)]
            answer = await send(rosters, file(rows), tenant=tenant, complete="1")
            if answer["state"] == "held":
                path = dice.choice(["/v1/roster/release", "/v1/roster/discard"])
                await order(rosters, path, tenant=tenant, run=answer["run"])

    assert await rosters.column("SELECT count(*) FROM vault WHERE name NOT LIKE tenant_id || '%'") == [0]
    assert {fact.personal.name[:2] == fact.tenant_id for fact in await told(rosters)} == {True}
    for tenant in tenants:
        here = await statuses(rosters, tenant)
        seen = await ask(rosters, "/v1/summary", tenant)
        assert sum(seen["people"].values()) == len(here)
    unknown = await ask(rosters, "/v1/explain", "t4", person="e-1")
    assert unknown == {"known": False}


async def test_answers_and_logs_hold_no_personal_data(rosters: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """SECURITY 11, I9: names and addresses lie in the vault and in the event's personal block, nowhere else."""
    mail, mobile, name = CANARIES
    rows = [*(f"e-{one},,,x" for one in range(50)), f"e-99,{name},{mail},{mobile}"]
    header = "person_id,name,mail,mobile"
    applied = await send(rosters, file([f"e-1,{name},{mail},{mobile}", f"{mail},{name},{mail},{mobile}"], header))
    held = await send(rosters, file([f"e-{one},{name},{mail},{mobile}" for one in range(2, 30)], header))
    broken = await send(rosters, file(rows, header)[:-1])
    asked = [
        await ask(rosters, "/v1/roster/run", run=2),
        await ask(rosters, "/v1/roster/runs"),
        await ask(rosters, "/v1/explain", person="e-1"),
    ]
    kept = await rosters.outside.fetch("SELECT row_to_json(r)::text FROM runs r")
    kept += await rosters.outside.fetch("SELECT row_to_json(c)::text FROM changes c")
    kept += await rosters.outside.fetch("SELECT row_to_json(p)::text FROM people p")
    text = f"{applied} {held} {broken} {asked} {[row[0] for row in kept]} {capfd.readouterr()}"

    assert (applied["state"], held["state"], broken["state"]) == ("applied", "held", "refused")
    assert [canary for canary in CANARIES if canary in text] == []


async def test_person_is_explained_by_the_runs_that_changed_them(rosters: Bench) -> None:
    await send(rosters, file(people(100)))
    await send(rosters, file(["e-7,Person 7,e7@people.example,e-2,2020-01-01,,active"]), name="second.csv")
    found = await ask(rosters, "/v1/explain", person="e-7")

    assert (found["known"], found["record"]["manager_id"], found["record"]["file_name"]) == (True, "e-2", "second.csv")
    assert [(one["run"], one["kind"], one["fields"]) for one in found["runs"]] == [
        (2, "changes", ["manager_id"]),
        (1, "joins", []),
    ]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"tenant": ""}, "needs_tenant"),
        ({"tenant": "Acme"}, "bad_tenant"),
        ({"dry_run": "maybe"}, "bad_dry_run"),
        ({"delimiter": "|"}, "bad_delimiter"),
        ({"encoding": "latin-1"}, "bad_encoding"),
    ],
)
async def test_parameter_that_means_nothing_is_refused(rosters: Bench, query: dict[str, str], word: str) -> None:
    with pytest.raises(Refusal, match=word):
        await send(rosters, file(people(1)), **query)


async def test_everybody_is_loaded_quickly_though_the_planner_has_never_seen_the_tenant(rosters: Bench) -> None:
    """Statistics of one tenant alone made a join of another's people compare everybody with everybody."""
    await send(rosters, file(people(50)), tenant="first", complete="1")
    await rosters.outside.execute("ANALYZE people, vault")
    await send(rosters, file(people(15_000)), complete="1")
    async with rosters.database.transaction() as connection:
        await connection.execute("SET LOCAL statement_timeout = '5s'")
        tx = rosters.service.work(connection)
        found = await tx.roster("acme", await tx.look("acme"))

    assert len(found.people) == 15_000
    assert found.people["e-7"].record.name == "Person 7"

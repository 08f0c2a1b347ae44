"""Dead letters from Kafka to a person's terminal: replayed, and nobody's words on the way (I9)."""

import asyncio
import json
import logging
from subprocess import CompletedProcess

import pytest

from tests.journeys.command import ask
from tests.support import http, kafka
from tests.support.hosted import Hosted, Outside, hosted
from tests.support.records import Tape, assigned, person
from tests.support.toy import RAISE, ToySettings
from tests.support.waiting import until

pytestmark = pytest.mark.connected

CANARIES = ("canary.person@example.org", "+4915112345678", "Canary Person", "sk_live_4711canary")


async def duly(running: Hosted, *words: str) -> CompletedProcess[str]:
    """Run a verb of `duly dead-letters`; the toy stands in for a service that is installed."""
    return await asyncio.to_thread(ask, "dead-letters", *words, DULY_REMINDERS_ADDRESS=running.address)


async def test_no_canary_of_a_record_comes_out_anywhere(
    toy_settings: ToySettings,
    outside: Outside,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """I9; SECURITY 11: answers, terminal, logs and metrics; the bytes themselves are in the table, whole."""
    caplog.set_level(logging.INFO)  # a client library's own debug lines are never let through (logs.QUIET)
    mail, phone, name, token = CANARIES
    tape = Tape()
    broken = json.dumps({"tenant_id": "acme", "personal": {"name": name, "mail": mail, "mobile": phone}, name: token})
    records = [
        tape.record(person(), "e1", value=broken.encode(), headers={"x-token": token.encode()}),
        tape.record(assigned("a1", RAISE), "e2"),
        tape.record(assigned("a2", name), "e3", headers={"ce_type": b"duly.training.assigned.v9", mail: b"x"}),
        tape.record(assigned("a3"), "e4", value=f"{mail} {phone} {name} {token}".encode()),
        tape.record(assigned("a4", mail), "e5", key=f"acme/{mail}".encode(), headers={"ce_id": mail.encode()}),
    ]
    await kafka.publish(toy_settings.kafka_bootstrap, *records)
    async with hosted(toy_settings, ready=False) as running:
        await until(lambda: enough(outside, 5))
        listed = await duly(running, "list")
        as_json = json.loads((await duly(running, "list", "--json")).stdout)
        groups = [one["group"] for one in as_json["reminders"]]
        said = [listed, *[await duly(running, "show", "reminders", group) for group in groups]]
        said += [await duly(running, "show", "reminders", group, "--json") for group in groups]
        said += [await duly(running, "replay", "reminders", "--group", group, "--by", "ada") for group in groups]
        metrics = await http.text(running.address, "/metrics")
        discarded = await duly(running, "discard", "reminders", "--group", groups[0], "--by", "ada", "--reason", "x")

    assert len(groups) >= 4
    assert discarded.returncode == 0, discarded.stderr
    kept = await outside.connection.fetch("SELECT convert_from(value, 'UTF8') AS value FROM dead_letters")
    assert any(mail in row["value"] for row in kept)
    captured = capfd.readouterr()
    everything = [metrics, caplog.text, captured.out, captured.err, *(one.stdout + one.stderr for one in said)]
    assert [canary for canary in CANARIES for text in everything if canary in text] == []


async def enough(outside: Outside, number: int) -> bool:
    """Tell whether this many dead letters lie there."""
    return await outside.dead_letters() >= number


async def test_verbs_of_a_person_reach_the_service_and_end_as_promised(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """Exit codes: 0 done, 1 failed, 2 usage, 3 held by a brake."""
    await kafka.publish(toy_settings.kafka_bootstrap, Tape().record(assigned("a1", RAISE), "e1"))
    async with hosted(toy_settings) as running:
        await until(lambda: enough(outside, 1))
        (group,) = (one["group"] for one in json.loads((await duly(running, "list", "--json")).stdout)["reminders"])
        order = ("reminders", "--group", group, "--by", "ada")
        failed = await duly(running, "replay", *order)
        await outside.connection.execute("INSERT INTO brakes (name, reason) VALUES ('dead-letters', 'too many')")
        held = await duly(running, "replay", *order)
        await outside.connection.execute("DELETE FROM brakes")
        unknown = await duly(running, "show", "reminders", "4711")
        unusable = await duly(running, "replay", "reminders", "--by", "ada")
        dry = await duly(running, "discard", *order, "--reason", "not ours", "--dry-run")
        done = await duly(running, "discard", *order, "--reason", "not ours")
        again = await duly(running, "discard", *order, "--reason", "not ours")

    codes = [one.returncode for one in (failed, held, unknown, unusable, dry, done, again)]
    assert codes == [1, 3, 1, 2, 0, 0, 0]
    last = [one.stdout.splitlines()[-1] for one in (dry, done, again)]  # above it the service's own log, in one process
    assert last == ["would be 1 discarded", "1 discarded", "0 discarded"]
    assert await outside.connection.fetchval("SELECT state || replay_count FROM dead_letters") == "discarded1"

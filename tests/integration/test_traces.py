"""One chain of links from a mail to the fact that caused it, three weeks before (LIBRARIES section 3; I9)."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import messenger.app
import messenger.settings
import reminders.app
import reminders.settings
from duly_chassis import serving
from duly_chassis.clock import DrivenClock
from duly_chassis.host import Host
from duly_contracts.people import PersonalData
from duly_contracts.traces import begun, trace_id
from duly_local.stack import Endpoints
from tests.support import databases, http, kafka
from tests.support.collector import Collector, Told, collecting
from tests.support.records import ASSIGNED, MOMENT, SOURCE, Tape, assigned, person
from tests.support.waiting import until
from tests.unit.messenger.scripted_smtp import ScriptedSmtp, scripted_smtp

pytestmark = pytest.mark.connected

POLICY = Path(__file__).parents[2] / "policies" / "reminders.yaml"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FROM_LMS = f"00-{TRACE}-{SPAN}-01"
NAME, MAIL, TITLE = "Canary Birdsong", "canary.bird@example.org", "Canary handling"


@dataclass
class House:
    """Both services, running, with a clock that a test moves."""

    hosts: dict[str, Host]
    addresses: dict[str, str]
    clock: DrivenClock
    smtp: ScriptedSmtp
    kafka: str

    async def told(self, *, headers: dict[str, bytes]) -> None:
        """Publish a person and an assignment, and wait until reminders watches it."""
        tape = Tape()
        who = person(personal=PersonalData(name=NAME, mail=MAIL))
        watched = tape.record(assigned("a1", TITLE), "assigned-1", headers=headers)
        await kafka.publish(self.kafka, tape.record(who, "v1"), watched)
        await until(self.planned)
        await until(self.reachable)

    async def planned(self) -> bool:
        """Tell whether the assignment waits for its moment."""
        return bool((await self.part("reminders")).get("next_look_at"))

    async def reachable(self) -> bool:
        """Tell whether both know the person."""
        counted = [host.metrics.registry for host in self.hosts.values()]
        labels = {"type": "duly.people.recorded.v1", "outcome": "fact"}
        return all(
            one.get_sample_value("duly_events_total", {**labels, "service": name})
            for name, one in zip(self.hosts, counted, strict=True)
        )

    async def part(self, name: str) -> dict[str, Any]:
        """Ask one service for its part of the story."""
        query = {"tenant": "acme", "person": "p1", "assignment": "a1"}
        status, answer = await http.get(self.addresses[name], "/v1/explain", query)
        assert status == 200
        return dict(answer)

    async def sent(self) -> bool:
        """Tell whether the mail's outcome is written down and published."""
        host = self.hosts["messenger"]
        labels = {"service": "messenger"}
        return bool(host.metrics.registry.get_sample_value("duly_published_total", labels))


@asynccontextmanager
async def housed(url: str, endpoints: Endpoints, script: dict[str, Any] | None = None) -> AsyncIterator[House]:
    """Run reminders and messenger on the test's database, with a relay of the test's own."""
    clock = DrivenClock(ASSIGNED + timedelta(hours=1))
    common: dict[str, Any] = {
        "database_url": url,
        "kafka_bootstrap": endpoints.kafka_bootstrap,
        "tick_interval_s": 0.2,
        "stop_deadline_s": 5,
    }
    async with scripted_smtp(script) as smtp:
        first = reminders.settings.Settings(**common, policy_file=POLICY)
        second = messenger.settings.Settings(**common, smtp_url=f"smtp://127.0.0.1:{smtp.port}")
        wired = [(reminders.app.ENTRY, first), (messenger.app.ENTRY, second)]
        for entry, settings in wired:
            topics = entry.build(settings, clock).topics
            await kafka.skip_to_end(endpoints.kafka_bootstrap, f"duly-{entry.name}", topics)
        async with serving.together(wired, clock) as running:
            hosts = {host.service.name: host for host, _ in running}
            await serving.settled(list(hosts.values()), 20)
            addresses = {host.service.name: address for host, address in running}
            yield House(hosts, addresses, clock, smtp, endpoints.kafka_bootstrap)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Name a collector as an operator would."""
    with collecting() as one:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.address)
        yield one


def only(spans: list[Told], name: str) -> Told:
    """Return the one span of this name."""
    (found,) = [span for span in spans if span.name == name]
    return found


async def test_mail_links_back_over_three_weeks_to_the_fact_of_the_lms(
    database_url: str, endpoints: Endpoints, collector: Collector
) -> None:
    """LIBRARIES section 3, B-52: from header to header, through tables, outbox, Kafka and SMTP."""
    async with housed(database_url, endpoints) as house:
        await house.told(headers={"traceparent": FROM_LMS.encode()})
        house.clock.move_to(MOMENT)
        await house.smtp.until_bodies(1)
        await until(house.sent)
        asked, messages = await house.part("reminders"), (await house.part("messenger"))["messages"]
        scraped = [await http.text(address, "/metrics") for address in house.addresses.values()]
        headers = await in_outbox(database_url)
    spans = collector.spans()
    mail = message_from_bytes(house.smtp.bodies[0])
    sent, decided = only(spans, "send message"), only(spans, "decide reminder")

    assert (MOMENT - ASSIGNED).days > 21
    assert decided.links == [(TRACE, SPAN)]
    assert sent.links == [(decided.trace, decided.span)]
    assert (sent.service, decided.service) == ("duly-messenger", "duly-reminders")
    assert (sent.attributes["duly.outcome"], sent.attributes["duly.reason"]) == ("sent", "accepted")
    assert sent.attributes["duly.outreach"] == decided.attributes["duly.outreach"] == mail["Duly-Outreach-Id"]
    assert not sent.failed
    batches = [span for span in spans if span.name == "apply batch"]
    assert {span.service for span in batches if (TRACE, SPAN) in span.links} == {"duly-reminders"}
    assert any((decided.trace, decided.span) in span.links for span in batches if span.service == "duly-messenger")
    assert mail["Duly-Trace"] == decided.trace
    assert headers["duly.outreach.requested.v2"] == f"00-{decided.trace}-{decided.span}-01"
    assert headers["duly.outreach.sent.v1"] == f"00-{sent.trace}-{sent.span}-01"
    assert asked["trace"] == TRACE
    assert [one["trace"] for one in asked["decisions"]] == [decided.trace]
    assert [(one["trace"], [past.get("trace") for past in one["history"]]) for one in messages] == [
        (decided.trace, [sent.trace, None])
    ]
    said = b"".join((*collector.bodies, *(text.encode() for text in scraped)))
    assert re.search(rb"canary|birdsong|example\.org", said, re.IGNORECASE) is None  # I9: neither name, mail nor title


async def test_chain_is_the_same_when_nobody_collects_and_a_fact_brings_no_trace(
    database_url: str, endpoints: Endpoints
) -> None:
    """A damaged traceparent is ignored: the fact begins a trace that follows from its name, as do all after it."""
    async with housed(database_url, endpoints) as house:
        await house.told(headers={"traceparent": b"00-damaged-canary"})
        house.clock.move_to(MOMENT)
        await house.smtp.until_bodies(1)
        await until(house.sent)
        asked, (message,) = await house.part("reminders"), (await house.part("messenger"))["messages"]
        headers = await in_outbox(database_url)

    assert not any(host.traces.on for host in house.hosts.values())
    assert asked["trace"] == trace_id(begun(SOURCE, "assigned-1"))
    decided = begun("decision", message["outreach_id"])
    assert headers["duly.outreach.requested.v2"] == headers["duly.decisions.requested.v1"] == decided
    assert headers["duly.outreach.sent.v1"] == begun("attempt", "acme", message["outreach_id"], "1")
    assert message["trace"] == message_from_bytes(house.smtp.bodies[0])["Duly-Trace"] == trace_id(decided)


async def test_refused_and_repeated_attempts_are_spans_of_their_own_with_the_code(
    database_url: str, endpoints: Endpoints, collector: Collector
) -> None:
    """The trace of a message's story shows every answer of the provider: outcome, reason and code, never its text."""
    script = {"RCPT": [b"450 4.2.1 canary.bird@example.org is busy\r\n"]}
    async with housed(database_url, endpoints, script) as house:
        await house.told(headers={"traceparent": FROM_LMS.encode()})
        house.clock.move_to(MOMENT)
        await until(lambda: "RCPT" in house.smtp.events)
        await until(lambda: sends(house, "due", "recipient_refused"))
        house.clock.move_to(MOMENT + timedelta(minutes=5))
        await house.smtp.until_bodies(1)
        await until(house.sent)
    spans = [span for span in collector.spans() if span.name == "send message"]

    assert [(one.attributes["duly.attempt"], one.attributes["duly.outcome"], one.failed) for one in spans] == [
        (1, "due", True),
        (2, "sent", False),
    ]
    assert spans[0].attributes["duly.code"] == "450 4.2.1"
    assert spans[0].links == spans[1].links
    assert spans[0].trace != spans[1].trace
    assert b"canary" not in b"".join(collector.bodies)


def sends(house: House, outcome: str, reason: str) -> float | None:
    labels = {"service": "messenger", "channel": "mail", "outcome": outcome, "reason": reason}
    return house.hosts["messenger"].metrics.registry.get_sample_value("duly_sends_total", labels)


async def in_outbox(url: str) -> dict[str, str]:
    """Return the traceparent of each type of event that left, over both services."""
    found: dict[str, str] = {}
    for schema in ("reminders", "messenger"):
        async with databases.connected(url, schema) as connection:
            rows: list[asyncpg.Record] = await connection.fetch("SELECT headers FROM outbox ORDER BY id")
        for row in rows:
            headers = dict(decoded(row["headers"]))
            found[headers["ce_type"]] = headers["traceparent"]
    return found


def decoded(text: str) -> list[tuple[str, str]]:
    """Read headers as the outbox has them."""
    return [(name, value) for name, value in json.loads(text)]

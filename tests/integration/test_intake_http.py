"""Intake as a whole service: what is signed is kept and told, what is not is a 401 that says nothing."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlencode

import asyncpg
import msgspec
import pytest

import intake.app
import intake.settings
from duly_chassis import serving
from duly_chassis.clock import DrivenClock
from duly_chassis.host import Host
from duly_contracts import topics
from tests.support import callbacks, http, kafka
from tests.support.bench import Bench
from tests.support.callbacks import FORM, INBOUND, NUMBER, PUBLIC, SLACK, STATUS, Open, of_slack, of_twilio, send, sid
from tests.support.records import MOMENT

pytestmark = pytest.mark.connected

REFUSED = (401, '{"error":"unauthorized"}')
PRESS = {
    "type": "block_actions",
    "team": {"id": "T01", "domain": "acme"},
    "user": {"id": "U01", "username": "canary.name", "team_id": "T01"},
    "trigger_id": "12.34.abc",
    "response_url": "https://hooks.slack.com/actions/T01/1/x",
    "container": {"message_ts": "1.2", "channel_id": "D01"},
    "message": {"text": "canary text"},
    "actions": [{"action_id": "done", "block_id": "b", "type": "button", "value": "v"}],
}


@pytest.fixture
async def hosted(intakes: Bench) -> AsyncIterator[Open]:
    """Serve intake's hooks."""
    async with callbacks.opened(intakes) as found:
        yield found


@pytest.fixture
def outside(intakes: Bench) -> "asyncpg.Connection[asyncpg.Record]":
    """Look at its tables from outside."""
    return intakes.outside


@pytest.fixture
async def host(intake_settings: intake.settings.Settings) -> AsyncIterator[Host]:
    """Run intake as a whole service."""
    clock = DrivenClock(MOMENT)
    found = Host(intake.app.build(intake_settings, clock), intake_settings, clock)
    async with serving.running(found):
        await serving.settled([found], 20)
        yield found


async def kept(outside: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Count everything that was kept."""
    query = "SELECT (SELECT count(*) FROM callbacks) + (SELECT count(*) FROM presses) + (SELECT count(*) FROM outbox)"
    return int(await outside.fetchval(query))


async def test_signed_report_is_kept_and_told_to_kafka_without_a_number(
    host: Host, intake_settings: intake.settings.Settings
) -> None:
    bootstrap = intake_settings.kafka_bootstrap
    ends = await kafka.skip_to_end(bootstrap, "nobody-who-listens", [topics.SIGNALS])
    answer = await callbacks.status(host.public_address, said="undelivered", ErrorCode="30003")
    (record,) = await kafka.tail(bootstrap, ends, 1)
    told = msgspec.json.decode(record.value)

    assert answer[:2] == (200, "")
    assert record.key == f"acme/{callbacks.OUTREACH}".encode()
    assert (told["status"], told["code"], told["provider_id"]) == ("undelivered", "30003", sid(1))
    assert NUMBER.encode() not in record.value


async def test_s13_report_replayed_a_year_later_is_answered_and_changes_nothing(
    hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await callbacks.status(hosted.address)
    await outside.execute(
        "UPDATE callbacks SET recorded_at = recorded_at - interval '1 year', at = at - interval '1 year'"
    )
    before = await kept(outside)
    answer = await callbacks.status(hosted.address)

    assert answer[:2] == (200, "")
    assert await kept(outside) in (before, before - 1)  # the first one's event may have left the outbox meanwhile
    assert await outside.fetchval("SELECT count(*) FROM callbacks") == 1
    assert hosted.counted("duly_edge_taken_total", edge="twilio_status", outcome="repeated") == 1


@pytest.mark.parametrize("said", ["sent", "delivered", "failed", "read", "some_new_word", "ünheard of"])
async def test_s15_every_status_is_stored_a_strange_one_as_other(
    hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]", said: str
) -> None:
    answer = await callbacks.status(hosted.address, said=said)

    assert answer[0] == 200
    assert await outside.fetchval("SELECT said FROM callbacks") == (said if said.isascii() else "other")


async def test_report_in_a_tenant_that_is_none_is_a_400(
    hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    for path in (STATUS.replace("acme", "ACME"), STATUS[:-1], STATUS.replace("5d2f7f5e", "canary00")):
        assert (await callbacks.status(hosted.address, path=path))[:2] == (400, '{"error":"unreadable"}')
    assert await kept(outside) == 0


@pytest.mark.parametrize(
    "signed",
    [
        PUBLIC.replace("https", "http"),
        "https://other.example.org/duly",
        "https://hooks.example.org",
        "",
    ],
)
async def test_s14_signature_for_another_address_than_the_public_one_is_refused(hosted: Open, signed: str) -> None:
    fields = {"MessageSid": sid(1), "MessageStatus": "sent"}
    answer = await send(hosted.address, STATUS, urlencode(fields), of_twilio(STATUS, fields, public=signed))

    assert answer[:2] == REFUSED


async def test_s14_signature_for_the_port_443_is_the_same_address(hosted: Open) -> None:
    fields = {"MessageSid": sid(1), "MessageStatus": "sent"}
    with_port = PUBLIC.replace("example.org", "example.org:443")
    headers = of_twilio(STATUS, fields, public=with_port)

    assert (await send(hosted.address, STATUS, urlencode(fields), headers))[0] == 200


async def test_s14_host_and_forwarded_headers_change_nothing(hosted: Open) -> None:
    fields = {"MessageSid": sid(1), "MessageStatus": "sent"}
    also = [("host", "evil.example"), ("x-forwarded-proto", "http"), ("x-forwarded-host", "evil.example")]

    assert (await send(hosted.address, STATUS, urlencode(fields), [*of_twilio(STATUS, fields), *also]))[0] == 200


async def test_s14_signature_that_is_there_twice_is_refused(hosted: Open) -> None:
    fields = {"MessageSid": sid(1), "MessageStatus": "sent"}
    headers = of_twilio(STATUS, fields)
    for second in ("canary", dict(headers)["x-twilio-signature"]):
        answer = await send(hosted.address, STATUS, urlencode(fields), [*headers, ("x-twilio-signature", second)])

        assert answer[:2] == REFUSED


@pytest.mark.parametrize("body", ["MessageStatus=sent", "MessageSid=x", "Other=1"])
async def test_s14_doubled_parameter_is_refused(hosted: Open, body: str) -> None:
    fields = {"MessageSid": sid(1), "MessageStatus": "sent"}
    doubled = f"{urlencode(fields)}&{body}"

    assert (await send(hosted.address, STATUS, doubled, of_twilio(STATUS, fields)))[:2] == REFUSED


async def test_s14_json_counts_only_by_its_hash_in_the_address(hosted: Open) -> None:
    body = json.dumps({"MessageSid": sid(1), "MessageStatus": "sent"})
    digest = hashlib.sha256(body.encode()).hexdigest()
    json_type = ("content-type", "application/json")
    bare = [json_type, of_twilio(STATUS, {})[1]]
    hashed = [json_type, of_twilio(f"{STATUS}?bodySHA256={digest}", {})[1]]
    wrong = [json_type, of_twilio(f"{STATUS}?bodySHA256={digest[::-1]}", {})[1]]

    assert (await send(hosted.address, STATUS, body, bare))[:2] == REFUSED
    assert (await send(hosted.address, f"{STATUS}?bodySHA256={digest[::-1]}", body, wrong))[:2] == REFUSED
    # Genuine, but no form: Twilio sends none of these as JSON.
    assert (await send(hosted.address, f"{STATUS}?bodySHA256={digest}", body, hashed))[:2] == (
        400,
        '{"error":"unreadable"}',
    )


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", FORM)],
        [("content-type", FORM), ("x-twilio-signature", "")],
        [("content-type", FORM), ("x-twilio-signature", "é")],
        [("content-type", FORM), ("x-twilio-signature", "canary")],
        [("x-twilio-signature", "canary")],
        [
            ("content-type", FORM),
            ("x-twilio-signature", "canary"),
            ("x-twilio-webhooks-signature-settings", "algorithm=X"),
        ],
    ],
)
async def test_s14_missing_or_wrong_signature_is_a_401_without_a_word_of_the_input(
    hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]", headers: callbacks.Headers
) -> None:
    for path in (STATUS, INBOUND):
        answer = await send(hosted.address, path, "Body=canary", headers)

        assert answer[:2] == REFUSED
        assert "canary" not in str(answer)
    assert await kept(outside) == 0


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join(b"f%d=1" % n for n in range(300)), b""])
async def test_s14_body_that_is_no_form_is_a_401_as_nothing_was_proved(hosted: Open, body: bytes) -> None:
    answer = await send(hosted.address, STATUS, body, [("content-type", FORM), ("x-twilio-signature", "x")])

    assert answer[:2] == REFUSED


async def test_s14_signature_of_another_request_is_refused(hosted: Open) -> None:
    fields = {"MessageSid": sid(1), "MessageStatus": "sent"}
    headers = of_twilio(STATUS, fields)

    assert (await send(hosted.address, STATUS, urlencode(fields | {"MessageStatus": "failed"}), headers))[:2] == REFUSED
    other = STATUS.replace("acme", "globex")
    assert (await send(hosted.address, other, urlencode(fields), headers))[:2] == REFUSED


async def test_both_tokens_are_good_while_one_replaces_the_other(hosted: Open) -> None:
    fields = {"MessageSid": sid(1), "MessageStatus": "sent"}

    assert (await callbacks.twilio(hosted.address, STATUS, fields, callbacks.OLD_TOKEN))[0] == 200
    assert (await callbacks.twilio(hosted.address, STATUS, fields, "0123456789abcdef-gone"))[:2] == REFUSED


@pytest.mark.parametrize(("path", "edge"), [(STATUS, "twilio_status"), (INBOUND, "twilio_inbound"), (SLACK, "slack")])
async def test_body_over_64_kb_is_refused_with_413_before_anything_is_read(hosted: Open, path: str, edge: str) -> None:
    """SECURITY 1: also one of 10 MB, whoever signed it."""
    for length in (64 * 1024 + 1, 10_000_000):
        try:
            answer = await send(hosted.address, path, b"a" * length, of_twilio(path, {}))
        except OSError:  # a sender of 10 MB may still be writing when it is answered and cut
            assert length > 1_000_000
        else:
            assert answer[:2] == (413, '{"error":"too_large"}')
    assert hosted.counted("duly_edge_rejected_total", edge=edge, reason="too_large") == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_no_other_method_changes_anything(
    hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]", method: str
) -> None:
    fields = {"MessageSid": sid(1), "MessageStatus": "sent"}
    answer = await send(hosted.address, STATUS, urlencode(fields), of_twilio(STATUS, fields), method)

    assert answer[0] == 405
    assert await kept(outside) == 0


async def test_public_address_serves_hooks_and_nothing_else(hosted: Open) -> None:
    for path in ("/metrics", "/health/live", "/docs", "/v1/summary", "/v1/reviews", "/", "/v1/twilio/status/acme"):
        assert (await send(hosted.address, path, b"", [], "GET"))[:2] == (404, '{"error":"no_such_path"}')
    assert hosted.counted("duly_edge_rejected_total", edge="none", reason="no_such_path") == 7


async def test_rate_is_held_by_credential_with_a_time_to_come_back(
    intakes: Bench, intake_settings: intake.settings.Settings
) -> None:
    settings = intake_settings.model_copy(update={"callbacks_per_minute_max": 2})
    slow = replace(intakes, service=intake.app.build(settings, intakes.clock))
    async with callbacks.opened(slow) as found:
        answers = [await callbacks.status(found.address, number) for number in range(3)]
        unsigned = await send(found.address, STATUS, b"", [])

    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert 1 <= int(answers[2][2]["Retry-After"]) <= 60
    assert unsigned[0] == 401


async def test_report_is_answered_only_when_it_is_kept(
    hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """While the table is locked nobody is answered; what was answered is there."""
    async with outside.transaction():
        await outside.execute("LOCK TABLE callbacks")
        sending = asyncio.create_task(callbacks.status(hosted.address))
        await asyncio.wait([sending], timeout=1)
        assert not sending.done()
    assert (await sending)[0] == 200
    assert await outside.fetchval("SELECT count(*) FROM callbacks") == 1


async def test_press_in_slack_is_kept_without_names_and_text(
    hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    answer = await callbacks.slack(hosted.address, json.dumps(PRESS))
    (row,) = await outside.fetch("SELECT * FROM presses")

    assert answer[:2] == (200, "")
    assert (row["tenant_id"], row["key"], row["user_id"]) == ("acme", "12.34.abc", "U01")
    assert json.loads(row["facts"])["actions"][0]["action_id"] == "done"
    assert "canary" not in str(dict(row))


async def test_s05_same_press_twice_is_kept_once(hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]") -> None:
    for payload in (json.dumps(PRESS), json.dumps({**PRESS, "trigger_id": ""})):
        headers = of_slack(urlencode({"payload": payload}))
        for _ in range(2):
            assert (await callbacks.slack(hosted.address, payload, headers))[:2] == (200, "")

    assert await outside.fetchval("SELECT count(*) FROM presses") == 2


async def test_press_of_an_unknown_workspace_belongs_to_no_tenant(
    hosted: Open, outside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    answer = await callbacks.slack(hosted.address, json.dumps({**PRESS, "team": {"id": "T99"}}))

    assert answer[0] == 200
    assert await outside.fetchval("SELECT tenant_id FROM presses") == ""
    assert hosted.counted("duly_edge_taken_total", edge="slack", outcome="unknown_workspace") == 1


@pytest.mark.parametrize("stamp", ["abc", "", " ", "-1", "nan", "inf", "1e9", "9" * 20, "١٧٧٤٤٣٢٨٠٠"])
async def test_s01_s03_timestamp_that_is_none_is_a_401(hosted: Open, stamp: str) -> None:
    body = urlencode({"payload": json.dumps(PRESS)})
    headers = [
        (name, value) for name, value in of_slack(body, stamp=stamp or "0") if name != "x-slack-request-timestamp"
    ]
    answer = await send(hosted.address, SLACK, body, [*headers, ("x-slack-request-timestamp", stamp)])

    assert answer[:2] == REFUSED


@pytest.mark.parametrize("signature", ["v0=é", "v0=", "", "v1=00", "v0=" + "0" * 64, "v0=" + "g" * 64])
async def test_s02_signature_that_is_none_is_a_401(hosted: Open, signature: str) -> None:
    body = urlencode({"payload": json.dumps(PRESS)})
    headers = [*of_slack(body)[:2], ("x-slack-signature", signature)]

    assert (await send(hosted.address, SLACK, body, headers))[:2] == REFUSED


@pytest.mark.parametrize("age_s", [301, 302, -303, 86_400])
async def test_s03_request_older_or_newer_than_five_minutes_is_a_401(hosted: Open, age_s: int) -> None:
    body = urlencode({"payload": json.dumps(PRESS)})

    assert (await callbacks.slack(hosted.address, json.dumps(PRESS), of_slack(body, age_s=age_s)))[:2] == REFUSED
    assert (await callbacks.slack(hosted.address, json.dumps(PRESS), of_slack(body, age_s=290)))[0] == 200


@pytest.mark.parametrize("name", ["x-slack-request-timestamp", "x-slack-signature"])
async def test_s03_header_that_is_missing_or_there_twice_is_a_401(hosted: Open, name: str) -> None:
    body = urlencode({"payload": json.dumps(PRESS)})
    headers = of_slack(body)
    without = [one for one in headers if one[0] != name]

    assert (await send(hosted.address, SLACK, body, without))[:2] == REFUSED
    assert (await send(hosted.address, SLACK, body, [*headers, (name, dict(headers)[name])]))[:2] == REFUSED


async def test_s04_body_that_was_parsed_and_written_again_is_a_401(hosted: Open) -> None:
    body = urlencode({"payload": json.dumps(PRESS)})
    again = urlencode({"payload": json.dumps(PRESS, separators=(",", ":"))})

    assert (await send(hosted.address, SLACK, again, of_slack(body)))[:2] == REFUSED


async def test_slack_is_answered_under_both_secrets_and_under_no_other(hosted: Open) -> None:
    body = urlencode({"payload": json.dumps(PRESS)})

    assert (await send(hosted.address, SLACK, body, of_slack(body, callbacks.OLD_SECRET)))[0] == 200
    assert (await send(hosted.address, SLACK, body, of_slack(body, "another secret of somebody")))[:2] == REFUSED


@pytest.mark.parametrize(
    "payload",
    ["", "{", "[]", "null", '{"type": 1}', "[" * 15_000, '{"type": "x", "user": {"id": "\\u0000"}}', "9" * 5000],
)
async def test_signed_press_that_cannot_be_read_is_a_400_never_a_500(hosted: Open, payload: str) -> None:
    assert (await callbacks.slack(hosted.address, payload))[:2] == (400, '{"error":"unreadable"}')


async def test_text_is_answered_in_twiml_nothing_or_help(hosted: Open) -> None:
    stop = await callbacks.text(hosted.address, "STOP", 1)
    asked = await callbacks.text(hosted.address, "help", 2)
    again = await callbacks.text(hosted.address, "help", 2)

    assert stop[:2] == (200, '<?xml version="1.0" encoding="UTF-8"?><Response />')
    assert stop[2]["Content-Type"] == "text/xml; charset=utf-8"
    assert "<Message>Reply STOP to end &amp; write to us &lt;training@acme.example&gt;.</Message>" in asked[1]
    assert again[1] == asked[1]


async def test_hooks_are_apart_from_the_inner_side_which_shows_what_was_refused(
    intake_settings: intake.settings.Settings,
) -> None:
    clock = DrivenClock(MOMENT)
    host = Host(intake.app.build(intake_settings, clock), intake_settings, clock)
    async with serving.running(host) as inner:
        await serving.settled([host], 20)
        await send(host.public_address, SLACK, b"canary", [("content-type", FORM)])
        shown = await http.text(inner, "/metrics")
        hooked = await send(inner, STATUS, b"", [])

    assert 'duly_edge_rejected_total{edge="slack",reason="header_missing",service="intake"} 1.0' in shown
    assert "canary" not in shown
    assert hooked[0] == 404

"""What providers report settles messages; a final state never goes back (S-15), in whatever order it is told."""

from dataclasses import replace
from itertools import permutations
from uuid import UUID

import pytest

from duly_contracts.signals import DeliveryReportedV1, SmsOptedInV1, SmsOptedOutV1
from messenger.blocks import block_list
from messenger.blocks.block_list import BlockList
from messenger.settling import reports
from messenger.settling.reports import Standing
from tests.support.records import MOMENT
from tests.unit.messenger.test_bounce_effects import row

SID, OUTREACH = "SM1", UUID(int=7)


def told(status: str, code: str = "", sid: str = SID) -> DeliveryReportedV1:
    return DeliveryReportedV1(
        tenant_id="acme",
        occurred_at=MOMENT,
        outreach_id=OUTREACH,
        channel="sms",
        provider_id=sid,
        status=status,
        code=code,
    )


def standing(state: str, provider_id: str | None = None, *, channel: str = "sms", arrived: bool = False) -> Standing:
    return Standing(replace(row(state), attempt=1), channel, provider_id, arrived)


@pytest.mark.parametrize("state", ["in_doubt", "parked", "posting", "due", "held"])
@pytest.mark.parametrize("status", ["accepted", "queued", "sent", "delivered", "read"])
def test_proof_of_acceptance_settles_what_is_open_as_sent_with_its_id(state: str, status: str) -> None:
    found = reports.effect(standing(state), told(status), MOMENT)

    assert (found.settles, found.change.state, found.change.provider_id) == (True, "sent", SID)


@pytest.mark.parametrize("status", ["undelivered", "failed", "canceled"])
@pytest.mark.parametrize("state", ["sent", "in_doubt", "parked", "posting"])
def test_failure_after_acceptance_gives_the_leg_up(state: str, status: str) -> None:
    found = reports.effect(standing(state, SID if state == "sent" else None), told(status, "30003"), MOMENT)

    assert (found.settles, found.change.state, found.change.reason, found.change.code) == (
        True,
        "refused",
        "undelivered",
        "30003",
    )


@pytest.mark.parametrize(
    ("at", "status"),
    [
        (standing("sent", SID, arrived=True), "failed"),
        (standing("refused", SID), "delivered"),
        (standing("suppressed"), "delivered"),
        (standing("sent", "SM2"), "failed"),
        (standing("sent", SID, channel="mail"), "failed"),
        (standing("in_doubt", channel="mail"), "delivered"),
        (standing("sent", SID), "some_new_word"),
        (standing("in_doubt"), "other"),
        (standing("sent", SID), "sent"),
    ],
)
def test_report_that_comes_late_or_is_of_something_else_is_a_line_of_the_story(at: Standing, status: str) -> None:
    found = reports.effect(at, told(status), MOMENT)

    assert not found.settles
    assert (found.change.state, found.change.reason) == (at.row.state, f"report_{status}")


def test_message_that_was_never_tried_is_not_settled_by_a_strangers_report() -> None:
    at = standing("due")

    assert not reports.effect(replace(at, row=replace(at.row, attempt=0)), told("delivered"), MOMENT).settles


@pytest.mark.parametrize("order", list(permutations(["queued", "sent", "delivered"])))
def test_order_of_good_reports_does_not_matter(order: tuple[str, ...]) -> None:
    at = standing("in_doubt")
    for status in order:
        at = reports.effect(at, told(status), MOMENT).standing

    assert (at.row.state, at.arrived, at.provider_id) == ("sent", True, SID)


def test_failed_after_delivered_and_delivered_after_failed_leave_the_first_final_word() -> None:
    at = standing("sent", SID)
    arrived = reports.effect(reports.effect(at, told("delivered"), MOMENT).standing, told("failed"), MOMENT).standing
    failed = reports.effect(reports.effect(at, told("failed"), MOMENT).standing, told("delivered"), MOMENT).standing

    assert (arrived.row.state, failed.row.state) == ("sent", "refused")


def test_last_word_on_a_number_counts_whatever_came_first_and_of_two_at_once_the_one_that_blocks() -> None:
    out = SmsOptedOutV1(
        tenant_id="acme", occurred_at=MOMENT, number_digest="a" * 64, key_mark="0" * 8, word_class="wish"
    )
    back = SmsOptedInV1(tenant_id="acme", occurred_at=MOMENT, number_digest="a" * 64, key_mark="0" * 8)
    words = [block_list.word(out), block_list.word(back)]

    assert [block_list.last(order)[0].blocked for order in (words, words[::-1])] == [True, True]


def test_block_list_knows_a_number_under_each_key_towards_each_sender_of_its_tenant() -> None:
    found = BlockList(("k" * 32, "o" * 32), {"+1": ("acme",), "+2": ("acme", "globex")})

    assert (len(found.of("acme", "+44")), len(found.of("globex", "+44")), found.of("initech", "+44")) == (4, 2, [])
    assert not set(found.of("acme", "+44")) & set(found.of("globex", "+44"))
    assert BlockList().of("acme", "+44") == []
    assert "k" * 32 not in repr(found)

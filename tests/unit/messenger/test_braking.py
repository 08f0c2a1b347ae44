"""The rules of brakes: names, what counts as an error, what is far more than usual."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from messenger.channel import Accepted, Answer, InDoubt, RefusedForGood, RefusedForNow, Withheld
from messenger.domain import Outreach
from messenger.limits import braking
from messenger.limits.braking import ALL, KILL_SWITCH, PROVIDER, SEND_RATE, Brake, Signs

NOW = datetime(2026, 3, 18, 9, 59, tzinfo=UTC)


def row(tenant: str = "acme", number: int = 1, channel: str = "mail") -> Outreach:
    """Return a message that is due."""
    values: dict[str, str] = {}
    return Outreach(
        tenant, UUID(int=number), "p", "a", "7", "m", values, (), NOW, NOW, "due", "requested", 0, channel=channel
    )


def brake(kind: str, tenant: str = "acme", channel: str = "", probe: int | None = None, *, holds: bool = True) -> Brake:
    """Return a brake."""
    which = None if probe is None else UUID(int=probe)
    return Brake(1, tenant, kind, channel, "why", None, NOW, holds, 0, which, None, None)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("kill-switch", (KILL_SWITCH, ALL, "")),
        ("kill-switch:acme", (KILL_SWITCH, "acme", "")),
        ("provider:acme:slack", (PROVIDER, "acme", "slack")),
        ("send-rate:acme", (SEND_RATE, "acme", "")),
    ],
)
def test_name_of_a_brake_is_read_as_it_is_written(name: str, parts: tuple[str, str, str]) -> None:
    assert (braking.parsed(name), braking.name(*parts)) == (parts, name)


@pytest.mark.parametrize("name", ["", "dead-letters", "provider:a:b:c", ":acme"])
def test_name_that_is_no_brake_of_ours_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a brake"):
        braking.parsed(name)


@pytest.mark.parametrize(
    ("one", "covers"),
    [
        (brake(KILL_SWITCH), True),
        (brake(KILL_SWITCH, ALL), True),
        (brake(KILL_SWITCH, "globex"), False),
        (brake(PROVIDER, channel="mail"), True),
        (brake(PROVIDER, channel="slack"), False),
        (brake(PROVIDER, channel="mail", probe=1), False),
        (brake(PROVIDER, channel="mail", probe=2), True),
        (brake(PROVIDER, channel="mail", holds=False), False),
        (brake(SEND_RATE), False),
    ],
)
def test_brake_covers_its_tenant_and_channel_but_for_its_probe(one: Brake, covers: bool) -> None:
    assert one.covers(row()) is covers


def test_persons_word_holds_what_a_probe_would_let_pass() -> None:
    both = [brake(KILL_SWITCH), brake(PROVIDER, channel="mail", probe=1)]

    assert braking.covering([row()], both)["acme"].kind == KILL_SWITCH


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Accepted("1"), Signs(".")),
        (InDoubt("timeout"), Signs("x")),
        (RefusedForNow("connect_failed"), Signs("x")),
        (RefusedForNow("rate_limited", "429", 3.0), Signs(".")),
        (RefusedForNow("recipient_refused", "450"), Signs(".")),
        (RefusedForNow("auth_failed"), Signs("x", refused_us=True)),
        (RefusedForNow("scope_missing"), Signs("x", refused_us=True)),
        (RefusedForGood("number_invalid", "21211", address=True), Signs(".")),
        (RefusedForGood("content_refused"), Signs(".")),
    ],
)
def test_each_answer_says_something_of_its_provider(answer: Answer, said: Signs) -> None:
    assert braking.signs([(row(), answer)]) == {"acme": said}


def test_what_the_gate_withheld_says_nothing_and_tenants_are_apart() -> None:
    told: list[tuple[Outreach, Answer]] = [
        (row(), Withheld()),
        (row("globex"), InDoubt("cut")),
        (row("globex"), Accepted("1")),
    ]

    assert braking.signs(told) == {"globex": Signs("x.")}


def test_provider_is_held_for_more_than_twenty_errors_or_one_refusal_of_ours() -> None:
    """RELIABILITY 8."""
    assert braking.verdict(Signs("x"), 20) is None
    assert braking.verdict(Signs("x"), 21) == "21 of the last 100 answers were errors"
    assert braking.verdict(Signs("x", refused_us=True), 1) == "the provider refuses our credentials"


@pytest.mark.parametrize(
    ("past", "most"),
    [((), None), ((0, 0, 0, 0), 50), ((17, 17), 51), ((10, 20, 30, 1000), 75), ((100, 0, 0, 0), 50), ((40,), 120)],
)
def test_usual_rate_is_three_medians_and_at_least_the_floor(past: Sequence[int], most: int | None) -> None:
    """RELIABILITY 8: one odd week does not move it."""
    assert braking.rate_max(past, 50) == most


def test_hour_is_the_same_in_every_zone() -> None:
    begin = datetime(2026, 3, 18, 9, tzinfo=UTC)

    assert braking.hour_of(NOW) == braking.hour_of(NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))) == begin

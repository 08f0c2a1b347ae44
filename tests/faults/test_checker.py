"""The checker reports every planted fault by its name, and nothing when all is well."""

import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.faults import checker
from tests.faults.checker import check, report
from tests.faults.evidence import Accepted, Evidence, Faults, Parked
from tests.faults.logs import Log
from tests.oracle.folder import generate
from tests.oracle.oulad import Key, Truth, truth

WHY = "connection lost after the body began"


@pytest.fixture(name="expected")
def expected_fixture(tmp_path: Path) -> Truth:
    return truth(generate(tmp_path / "data", learners=16, seed=3))


@pytest.fixture(name="clean")
def clean_fixture(expected: Truth) -> Evidence:
    """Everything accepted once, at its moment."""
    return Evidence(expected, [mail(key, expected) for key in sorted(expected.reminders)], Faults(), [])


def mail(key: Key, expected: Truth) -> Accepted:
    to, about, step = key
    return Accepted(
        key=key,
        envelope=(to,),
        header_to=to,
        date=expected.reminders[key],
        message_id=f"<{about}-{step}@duly.test>",
        outreach_id=f"{about}-{step}",
    )


def with_first(evidence: Evidence, *instead: Accepted) -> Evidence:
    return dataclasses.replace(evidence, accepted=[*instead, *evidence.accepted[1:]])


def dated(evidence: Evidence, shift: timedelta) -> Evidence:
    """Shift the first mail, one whose assignment stays open for days: nothing but its time is wrong then."""
    first, *others = sorted(evidence.accepted, key=lambda mail: -days_left(evidence, mail))
    assert first.date is not None
    return dataclasses.replace(evidence, accepted=[dataclasses.replace(first, date=first.date + shift), *others])


def days_left(evidence: Evidence, mail: Accepted) -> int:
    assert mail.date is not None
    return (evidence.truth.assignments[mail.key[1]].ends_at - mail.date).days


def rekeyed(evidence: Evidence, *, to: str = "", about: str = "", step: str = "") -> Evidence:
    first = evidence.accepted[0]
    key = (to or first.key[0], about or first.key[1], step or first.key[2])
    return with_first(evidence, dataclasses.replace(first, key=key, envelope=(key[0],), header_to=key[0]))


def changed(evidence: Evidence, **fields: str) -> Evidence:
    return with_first(evidence, dataclasses.replace(evidence.accepted[0], **fields))  # type: ignore[arg-type]


def parked(evidence: Evidence, why: str = WHY, *, kills: int = 0, mails: int = 1) -> Evidence:
    taken = [Parked(mail.key, why) for mail in evidence.accepted[:mails]]
    return dataclasses.replace(evidence, accepted=evidence.accepted[mails:], parked=taken, kills=kills)


def after_stop(evidence: Evidence) -> Evidence:
    first = evidence.accepted[0]
    ends_at = evidence.truth.assignments[first.key[1]].ends_at
    return with_first(evidence, dataclasses.replace(first, date=ends_at))


def cut_and_parked(evidence: Evidence, why: str = WHY) -> Evidence:
    faults = Faults(cut={evidence.accepted[0].key}, hit={evidence.accepted[0].key})
    return dataclasses.replace(parked(evidence, why), faults=faults)


def kinds(evidence: Evidence) -> set[str]:
    return {violation.kind for violation in check(evidence)}


def test_checker_finds_nothing_when_every_mail_went_once_at_its_moment(clean: Evidence) -> None:
    assert len(clean.accepted) > 40
    assert check(clean) == []


PLANTED: dict[str, tuple[Callable[[Evidence], Evidence], set[str]]] = {
    "lost": (with_first, {"lost"}),
    "doubled": (lambda clean: with_first(clean, clean.accepted[0], clean.accepted[0]), {"doubled"}),
    "late by four hours": (lambda clean: dated(clean, timedelta(hours=4)), {"late"}),
    "late by a minute without cause": (lambda clean: dated(clean, timedelta(minutes=1)), {"late"}),
    "early by a second": (lambda clean: dated(clean, timedelta(seconds=-1)), {"early"}),
    "wrong step": (lambda clean: rekeyed(clean, step="7"), {"wrong", "lost"}),
    "wrong assignment": (lambda clean: rekeyed(clean, about="AAA-2013J-1-2"), {"wrong", "lost"}),
    "wrong address": (lambda clean: rekeyed(clean, to="learner1@learners.example"), {"wrong", "lost"}),
    "after the stop": (after_stop, {"after_stop", "late"}),
    "header names another": (lambda clean: changed(clean, header_to="eve@staff.example"), {"misaddressed"}),
    "no message id": (lambda clean: changed(clean, message_id=""), {"no_id"}),
    "another's message id": (
        lambda clean: changed(clean, message_id=clean.accepted[1].message_id),
        {"shared_id"},
    ),
    "another's outreach id": (
        lambda clean: changed(clean, outreach_id=clean.accepted[1].outreach_id),
        {"shared_id"},
    ),
    "undated": (
        lambda clean: with_first(clean, dataclasses.replace(clean.accepted[0], date=None)),
        {"undated"},
    ),
    "parked without a cut or a kill": (parked, {"parked_uncut"}),
    "parked without a reason": (lambda clean: cut_and_parked(clean, why=" "), {"parked_unreasoned"}),
    "33 parked for one kill": (lambda clean: parked(clean, kills=1, mails=33), {"parked_uncut"}),
    "parked though never due": (
        lambda clean: dataclasses.replace(clean, parked=[Parked(("x@learners.example", "A", "3"), WHY)]),
        {"parked_wrong", "parked_uncut"},
    ),
    "parked and accepted without a cut": (
        lambda clean: dataclasses.replace(clean, parked=[Parked(clean.accepted[0].key, WHY)]),
        {"parked_uncut"},
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_checker_reports_the_planted_fault_and_no_other(clean: Evidence, fault: str) -> None:
    plant, expected_kinds = PLANTED[fault]

    assert expected_kinds == kinds(plant(clean))


def test_checker_names_the_mail_it_complains_about(clean: Evidence) -> None:
    missing = clean.accepted[0].key

    (violation,) = check(with_first(clean))

    assert all(part in violation.what for part in missing)


def test_checker_accepts_a_parked_mail_that_was_cut_in_its_body(clean: Evidence) -> None:
    assert check(cut_and_parked(clean)) == []


def test_checker_accepts_one_parked_mail_for_a_cut_after_the_354(clean: Evidence) -> None:
    address = clean.accepted[0].key[0]
    faults = Faults()
    faults.cut_addresses[address] += 1

    assert check(dataclasses.replace(parked(clean), faults=faults)) == []


def test_checker_accepts_32_parked_mails_for_each_kill(clean: Evidence) -> None:
    assert check(parked(clean, kills=1, mails=32)) == []


def test_checker_accepts_a_delay_of_the_mail_that_was_refused(clean: Evidence) -> None:
    late = dated(clean, timedelta(hours=3))
    faults = Faults(hit={late.accepted[0].key})

    assert check(dataclasses.replace(late, faults=faults)) == []


def test_checker_excuses_one_mail_only_for_one_refusal_of_an_address(clean: Evidence) -> None:
    address = clean.accepted[0].key[0]
    faults = Faults()
    faults.hit_addresses[address] += 1
    first, second = (
        dataclasses.replace(mail, date=mail.date and mail.date + timedelta(minutes=1)) for mail in clean.accepted[:2]
    )
    assert {address} == {first.key[0], second.key[0]}
    both = dataclasses.replace(clean, accepted=[first, second, *clean.accepted[2:]], faults=faults)

    assert [violation.kind for violation in check(both)] == ["late"]


def test_checker_excuses_delays_up_to_three_hours_once_something_was_killed(clean: Evidence) -> None:
    killed = dataclasses.replace(clean, kills=1)

    assert set() == kinds(dated(killed, timedelta(hours=3)))
    assert {"late"} == kinds(dated(killed, timedelta(hours=3, seconds=1)))


def test_checker_reports_a_message_id_that_changed_between_two_attempts(clean: Evidence) -> None:
    first = clean.accepted[0]
    faults = Faults(hit={first.key}, message_ids={(first.key, "<other@duly.test>", first.outreach_id)})

    assert {"changing_id"} == kinds(dataclasses.replace(clean, faults=faults))


def test_report_shows_figures_and_no_more_than_ten_cases_of_a_kind(clean: Evidence) -> None:
    empty = dataclasses.replace(clean, accepted=[])

    text = report(empty, check(empty))

    assert f"expected: {len(clean.accepted)}" in text
    assert text.count("  lost: ") == 11
    assert f"and {len(clean.accepted) - 10} more" in text


@pytest.mark.parametrize("dropped", [0, 1])
def test_command_judges_the_logs_of_a_server(
    tmp_path: Path, expected: Truth, monkeypatch: pytest.MonkeyPatch, dropped: int
) -> None:
    log = Log(tmp_path / "accepts")
    for (to, about, step), moment in list(expected.reminders.items())[dropped:]:
        name = f"{about}-{step}"
        headers = {"to": f"Someone <{to}>", "date": format_datetime(moment), "message-id": f"<{name}@duly.test>"}
        headers |= {"duly-outreach-id": name, "duly-about": about, "duly-step": step}
        log.add({"at": 0, "from": "a@b", "to": [to], "headers": headers, "body_sha256": ""})
    outcome = tmp_path / "outcome.json"
    outcome.write_text(json.dumps({"parked": []}), encoding="utf-8")
    words = ["checker", str(tmp_path / "data"), "--log", str(tmp_path / "accepts"), "--outcome", str(outcome)]
    monkeypatch.setattr(sys, "argv", words)

    assert dropped == checker.main()

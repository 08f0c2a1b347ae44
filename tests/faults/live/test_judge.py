"""The live checker reports every planted fault by its name, and nothing when all is well."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition

from tests.faults.live.evidence import Accept, Evidence, Story, acknowledged, deleted, leaks
from tests.faults.live.given import BURST, NOW, POLICY, UNTIL, accept, clean, facts, notices, raw
from tests.faults.live.judge import check, report
from tests.faults.live.place import Diary, Place
from tests.faults.live.policy import Policy
from tests.faults.live.standing import lives, single, stalls
from tests.faults.live.truth import Key, Notice, expected, fold
from tests.faults.live.watching import bounded
from tests.faults.plan import IN_THE_OPEN, NO_TLS, TLS_FAILURES


@pytest.fixture(name="evidence")
def evidence_fixture() -> Evidence:
    return clean(facts())


def kinds(evidence: Evidence) -> set[str]:
    return {violation.kind for violation in check(evidence)}


def sent(evidence: Evidence, verdict: str) -> Key:
    """Have a mail accepted that was not: the first of this verdict."""
    key = next(key for key, notice in evidence.notices.items() if notice.verdict == verdict and notice.stops)
    evidence.ledger[key.tenant]["sent"] += 1
    return key


def lost(evidence: Evidence) -> None:
    gone = evidence.accepts.pop()
    evidence.ledger[gone.key.tenant]["sent"] -= 1


def doubled(evidence: Evidence) -> None:
    evidence.accepts.append(evidence.accepts[0])
    evidence.ledger[evidence.accepts[0].key.tenant]["sent"] += 1


def after_stop(evidence: Evidence) -> None:
    """Ten seconds after messenger had acknowledged what ended it."""
    key = sent(evidence, "may")
    committed_by = max(evidence.stops[event] for event in evidence.notices[key].stops)
    evidence.accepts.append(accept(key, committed_by + 10))


def after_stop_by_a_millisecond(evidence: Evidence) -> None:
    """C10: by one clock, and though the server may have read it late."""
    first = evidence.accepts[0]
    evidence.commits[first.key.tenant, first.key.assignment] = first.begun - 0.003
    evidence.accepts[0] = dataclasses.replace(first, after=first.begun - 0.002)


def after_stop_from_the_start(evidence: Evidence) -> None:
    key = sent(evidence, "never")
    evidence.accepts.append(accept(key, evidence.notices[key].due_at + 1))


def late(evidence: Evidence) -> None:
    evidence.accepts[0] = dataclasses.replace(evidence.accepts[0], begun=evidence.accepts[0].begun + 700)


def early(evidence: Evidence) -> None:
    evidence.accepts[0] = dataclasses.replace(evidence.accepts[0], begun=evidence.accepts[0].begun - 2)


def wrong_tenant(evidence: Evidence) -> None:
    """Send the right person another tenant's words."""
    first = evidence.accepts[0]
    other = next(one for one in evidence.accepts if one.key.tenant != first.key.tenant)
    evidence.accepts[0] = dataclasses.replace(first, tokens=other.tokens)


def foreign_answer(evidence: Evidence) -> None:
    key = evidence.accepts[0].key
    evidence.stories[key] = Story({}, {}, ("TRNGbolta00001x",))


def never_due(evidence: Evidence) -> None:
    first = evidence.accepts[0]
    evidence.accepts.append(accept(first.key._replace(step="99"), first.begun))
    evidence.ledger[first.key.tenant]["sent"] += 1


def silent_without_reason(evidence: Evidence) -> None:
    key = next(iter(evidence.stories))
    evidence.stories[key] = Story({"decisions": []}, {"messages": []})


def stuck(evidence: Evidence) -> None:
    evidence.ledger["acme"]["in_doubt"] += 1


def claimed(evidence: Evidence) -> None:
    """Call something sent that no server ever saw."""
    evidence.ledger["acme"]["sent"] += 1


def partly_applied(evidence: Evidence) -> None:
    """One of those a held file names has left, the others are here."""
    evidence.held = {("acme", "p0001"): "active", ("acme", "p0002"): "departed"}


def under_tls(evidence: Evidence) -> None:
    """Have everything come under TLS, and one mail at its second try: all is well."""
    evidence.tls = True
    evidence.accepts = [dataclasses.replace(accept, secure=True) for accept in evidence.accepts]
    evidence.lies.update(f"{NO_TLS} {where}" for where in TLS_FAILURES)
    evidence.turned_away = {must(evidence).key}


def must(evidence: Evidence) -> Accept:
    """Return a mail that had to come."""
    return next(one for one in evidence.accepts if evidence.notices[one.key].verdict == "must")


def in_the_open(evidence: Evidence) -> None:
    under_tls(evidence)
    evidence.accepts[0] = dataclasses.replace(evidence.accepts[0], secure=False)


def begun_in_the_open(evidence: Evidence) -> None:
    under_tls(evidence)
    evidence.lies[f"{IN_THE_OPEN} mail"] += 1


def turned_away_for_good(evidence: Evidence) -> None:
    under_tls(evidence)
    gone = must(evidence)
    evidence.accepts.remove(gone)
    evidence.ledger[gone.key.tenant]["sent"] -= 1


def turned_away_and_doubled(evidence: Evidence) -> None:
    under_tls(evidence)
    evidence.accepts.append(must(evidence))
    evidence.ledger[must(evidence).key.tenant]["sent"] += 1


def untried(evidence: Evidence) -> None:
    """Have a kind of failure that never came."""
    under_tls(evidence)
    del evidence.lies[f"{NO_TLS} {TLS_FAILURES[-1]}"]


def unmet(evidence: Evidence) -> None:
    """Have failures that no mail met."""
    under_tls(evidence)
    evidence.turned_away = set()


PLANTED: list[tuple[Callable[[Evidence], None], set[str]]] = [
    (lost, {"I1 lost"}),
    (silent_without_reason, {"I1 lost"}),
    (stuck, {"I1 unsettled"}),
    (claimed, {"I1 sent"}),
    (doubled, {"I2 doubled"}),
    (never_due, {"I2 never due"}),
    (after_stop, {"I3 after stop"}),
    (after_stop_by_a_millisecond, {"I3 after stop"}),
    (after_stop_from_the_start, {"I3 after stop"}),
    (early, {"I4 early"}),
    (late, {"I4 late"}),
    (wrong_tenant, {"I8 wrong tenant"}),
    (foreign_answer, {"I8 foreign answer"}),
    (partly_applied, {"I6 partly applied"}),
    (under_tls, set()),
    (in_the_open, {"TLS open"}),
    (begun_in_the_open, {"TLS open"}),
    (turned_away_for_good, {"I1 lost", "TLS turned away"}),
    (turned_away_and_doubled, {"I2 doubled", "TLS turned away"}),
    (untried, {"TLS untried"}),
    (unmet, {"TLS untried"}),
]


def test_checker_finds_nothing_when_all_is_well(evidence: Evidence) -> None:
    verdicts = {notice.verdict for notice in evidence.notices.values()}

    assert verdicts == {"must", "may", "never"}
    assert check(evidence) == []
    assert "violations: none" in report(evidence, [])


@pytest.mark.parametrize(("plant", "found"), PLANTED, ids=lambda one: getattr(one, "__name__", ""))
def test_checker_reports_a_planted_fault_by_its_name_and_no_other(
    evidence: Evidence, plant: Callable[[Evidence], None], found: set[str]
) -> None:
    """RELIABILITY.md section 9 (c): one lost, one double, one after-stop, one late, one wrong-tenant send."""
    plant(evidence)

    assert found == kinds(evidence)


def test_checker_calls_no_send_late_whose_bytes_may_have_arrived_before_the_commit(evidence: Evidence) -> None:
    """C10: a mail server that was slow to read proves nothing."""
    first = evidence.accepts[0]
    evidence.commits[first.key.tenant, first.key.assignment] = first.begun - 0.003
    evidence.accepts[0] = dataclasses.replace(first, after=first.begun - 0.004)

    assert kinds(evidence) == set()


def test_checker_reports_a_canary_in_a_log_a_stall_and_an_unready_replica(evidence: Evidence) -> None:
    evidence.leaks, evidence.stalls, evidence.unwell = ["x"], ["y"], ["z"]

    assert kinds(evidence) == {"I9 leak", "I10 stall", "I10 unwell"}


def test_checker_takes_a_mail_refused_for_good_for_ended_only_when_the_server_says_so(evidence: Evidence) -> None:
    gone = evidence.accepts.pop()
    evidence.ledger[gone.key.tenant]["sent"] -= 1
    evidence.stories[gone.key] = Story({}, {"messages": [{"step": gone.key.step, "state": "refused", "reason": "x"}]})

    assert kinds(evidence) == {"I1 lost"}
    evidence.refused.add(gone.key)
    assert kinds(evidence) == set()


def test_search_finds_a_canary_in_whatever_case_and_between_any_bytes(tmp_path: Path) -> None:
    """I9, RELIABILITY section 4: searched as bytes, not as text."""
    tmp_path.joinpath("core").write_bytes(b"\xff\x00To: CNRYacmep0001x\x00\xfe")
    tmp_path.joinpath("log").write_bytes(b"nothing here")

    assert list(leaks([tmp_path, tmp_path / "none"])) == ["core: CNRYacmep0001 at byte 6"]


def look(at: float, done: int, end: int = 10) -> dict[str, object]:
    return {"at": at, "ends": {"t[0]": end}, "done": {"messenger": {"t[0]": done}}}


def test_stall_is_a_partition_with_lag_that_stands_for_thirty_seconds() -> None:
    """I10, RELIABILITY section 4."""
    looks = [look(float(second), 3) for second in range(32)]

    assert len(list(stalls(looks, []))) == 1
    assert list(stalls(looks[:31], [])) == []
    assert list(stalls([look(float(second), 10) for second in range(100)], [])) == []
    assert list(stalls([look(float(second), second) for second in range(100)], [])) == []


def test_stall_does_not_count_while_a_needed_server_is_away() -> None:
    looks = [look(float(second), 3) for second in range(40)]

    assert list(stalls(looks, [(5.0, 20.0)])) == []
    assert list(stalls(looks, [], [(0.0, {"messenger"}), (5.0, set()), (20.0, {"messenger"})])) == []
    assert len(list(stalls(looks, [], [(0.0, {"messenger"}), (5.0, {"messenger"})]))) == 1


def test_stall_counts_only_while_every_replica_is_ready() -> None:
    """A partition waits for the very replica that has it, and the other one is not to blame."""
    ready = [{"at": 0.0, "ready": ["m-1", "m-2", "r-1"]}, {"at": 5.0, "ready": ["m-1", "r-1"]}]

    assert lives(ready) == [(0.0, {"m", "r"}), (5.0, {"r"})]
    assert single(ready) == {"r"}


def test_stall_of_a_service_that_is_one_process_must_fill_one_life_of_it() -> None:
    """C1b: whoever dies at a point every few seconds has no thirty to move in."""
    looks = [look(float(second), 3) for second in range(64)]
    often = [(float(second), {"messenger"} if second % 10 else set[str]()) for second in range(64)]
    once = [(0.0, {"messenger"}), (20.0, set[str]()), (21.0, {"messenger"})]

    assert list(stalls(looks, [], often, alone={"messenger"})) == []
    assert len(list(stalls(looks, [], often))) == 1
    assert len(list(stalls(looks, [], once, alone={"messenger"}))) == 1


def test_earlier_step_may_be_silent_over_an_unknown_person_until_reminders_has_heard_of_that_person() -> None:
    """Decision 0004, and C6: a brake on people's topic lets trainings overtake them for as long as it holds."""
    lines = fold(raw(facts()))
    by_id = {person.told_by: person for person in lines.people.values()}
    heard = dict.fromkeys(by_id, NOW.timestamp() + 1_000)

    def unknown(known: dict[Key, Notice]) -> set[Key]:
        return {key for key, notice in known.items() if "recipient_unknown" in notice.reasons}

    soon, late = expected(lines, POLICY, UNTIL), expected(lines, POLICY, UNTIL, heard)
    assert unknown(soon) < unknown(late)
    assert unknown(late) == {key for key, notice in late.items() if "superseded" in notice.reasons}
    assert [key for key in late if late[key].verdict != soon[key].verdict] == []


def test_stop_whose_record_was_deleted_may_be_heard_after_what_was_told_later(tmp_path: Path) -> None:
    """C3: all is told again, and until then nobody can know that it is over."""
    place = Place(tmp_path)
    place.create()
    Diary(place.note("acks")).say_all(
        [{"id": "a", "place": ["t", 0], "offset": offset, "cluster": 0} for offset in (4, 9)]
        + [{"id": "b", "place": ["t", 0], "offset": 5, "cluster": 0}]
    )
    Diary(place.note("faults")).say(deed="deleted", target="t[0]", before=5, cluster=0)
    lines = fold(raw(facts()))
    known = expected(lines, POLICY, UNTIL)
    all_stops = {event for notice in known.values() for event in notice.stops}
    again = expected(lines, POLICY, UNTIL, deleted=all_stops)

    assert deleted(place) == {"a"}
    assert {(known[key].verdict, again[key].verdict) for key in known} > {("never", "may"), ("must", "must")}


def test_truth_knows_the_moments_by_heart() -> None:
    """By hand: due at 10:01 in fourteen days, told before: the step of 14 days is due at the burst."""
    policy = Policy.around(BURST)

    assert policy.first_at(BURST, "UTC") == BURST
    assert policy.first_at(BURST, "Asia/Kolkata") == datetime(2026, 3, 3, 4, 31, tzinfo=UTC)
    assert policy.last_before(NOW, "UTC") == datetime(2026, 3, 1, 10, 1, tzinfo=UTC)
    assert policy.last_before(NOW, "Asia/Tokyo") == datetime(2026, 3, 2, 1, 1, tzinfo=UTC)


def test_story_and_truth_repeat_from_their_seed_and_tell_tenants_apart() -> None:
    told = facts(7)

    assert told == facts(7)
    assert told != facts(8)
    known = notices(told)
    assert {key.tenant for key in known} == {"acme", "bolt"}
    by_tenant = [{key[1:] for key in known if key.tenant == tenant} for tenant in ("acme", "bolt")]
    assert by_tenant[0] != by_tenant[1]
    assert POLICY.offsets_days == (14, 3)


@pytest.mark.parametrize(("looked_at", "heard"), [(5.0, True), (30.0, False)], ids=["before", "after"])
def test_stop_counts_as_heard_only_if_it_was_before_its_record_was_deleted(
    tmp_path: Path, looked_at: float, heard: bool
) -> None:
    """C3: a service that goes on behind a gap has acknowledged what it never heard."""
    place = Place(tmp_path)
    place.create()
    Diary(place.note("acks")).say(id="a", place=["t", 0], offset=4, cluster=0)
    place.note("watch").write_text(
        json.dumps({"at": looked_at, "cluster": 0, "done": {"messenger": {"t[0]": 5}}}) + "\n"
    )
    place.note("faults").write_text(
        json.dumps({"at": 20.0, "deed": "deleted", "target": "t[0]", "before": 5, "cluster": 0}) + "\n"
    )

    assert acknowledged(place, "messenger") == ({"a": looked_at} if heard else {})


def test_acknowledgement_in_a_new_cluster_counts_only_as_far_as_its_records_were_applied() -> None:
    """C3: one that was on its way when everything was lost is taken by the broker that comes next."""
    one, two, three = (TopicPartition("t", number) for number in range(3))

    assert bounded({one: 142, two: 7, three: 3}, {two: 9, three: 2}) == {one: 0, two: 7, three: 2}

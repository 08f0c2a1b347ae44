"""What `duly explain` makes of the services' answers: lines for a person, and what comes next."""

from typing import Any

from duly_local.story import next_step, told


def reminders(**changes: Any) -> dict[str, Any]:
    """Return what reminders tells of a case with one step decided and one to come."""
    known = {
        "known": True,
        "facts": {"training": "Fire safety", "due_at": "2026-03-31T23:59:59Z", "completed_at": None},
        "policy": {"version": "7", "offsets_days": [14, 3], "zone": "Europe/Dublin"},
        "planned": [{"step": "14", "at": "2026-03-18T09:00:00Z"}, {"step": "3", "at": "2026-03-29T08:00:00Z"}],
        "decisions": [
            {"step": "14", "requested": True, "reason": "moment_reached", "decided_at": "2026-03-18T09:00:00Z"}
        ],
        "next_look_at": "2026-03-29T08:00:00Z",
    }
    return known | changes


def message(state: str, **changes: Any) -> dict[str, Any]:
    """Return what messenger tells of one message."""
    history = [
        {"at": "2026-03-18T09:00:01Z", "state": "posting", "reason": "sending", "code": ""},
        {"at": "2026-03-18T09:00:02Z", "state": state, "reason": "refused_for_now", "code": "451"},
    ]
    known = {"step": "14", "channel": "mail", "state": state, "reason": "r", "next_due_at": None, "history": history}
    return known | changes


def messenger(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"known": bool(messages), "messages": list(messages)}


def test_story_tells_facts_plan_decisions_messages_and_what_comes_next() -> None:
    story = {"reminders": reminders(), "messenger": messenger(message("due"))}

    assert told(story) == [
        "Facts received",
        "  training         Fire safety",
        "  due at           2026-03-31T23:59:59Z",
        "Planned by policy 7 in Europe/Dublin",
        "   14 days ahead    2026-03-18T09:00:00Z",
        "    3 days ahead    2026-03-29T08:00:00Z",
        "Decisions",
        "   14 days ahead    2026-03-18T09:00:00Z  requested: moment_reached",
        "Messages",
        "   14 days ahead    mail due: r",
        "      2026-03-18T09:00:01Z  posting: sending",
        "      2026-03-18T09:00:02Z  due: refused_for_now 451",
        "Next",
        "  reminders decides again at 2026-03-29T08:00:00Z",
    ]


def test_story_says_why_a_step_stayed_silent() -> None:
    """X-02: silence has a reason, and the story tells it."""
    silent = {"step": "3", "requested": False, "reason": "completed", "decided_at": "2026-03-29T08:00:00Z"}

    lines = told({"reminders": reminders(decisions=[silent]), "messenger": messenger()})

    assert "    3 days ahead    2026-03-29T08:00:00Z  withheld: completed" in lines


def test_story_names_the_trace_of_each_step_where_one_is_known() -> None:
    """LIBRARIES section 3: from a line of the story to the collector, and from an older release without any."""
    decided = reminders()["decisions"][0] | {"trace": "d1"}
    attempt = {"at": "T", "state": "posting", "reason": "sending", "code": "", "trace": "a1"}
    sent = message("sent", trace="d1", history=[attempt])

    lines = told({"reminders": reminders(trace="f1", decisions=[decided]), "messenger": messenger(sent)})

    assert [line for line in lines if "trace" in line] == [
        "  trace            f1",
        "   14 days ahead    2026-03-18T09:00:00Z  requested: moment_reached  trace d1",
        "   14 days ahead    mail sent: r  trace d1",
        "      T  posting: sending  trace a1",
    ]


def test_story_of_nobody_says_that_nothing_is_known() -> None:
    nothing = "Nothing is known of this person and assignment, by those who answered."

    assert told({"reminders": {"known": False}, "messenger": messenger()}) == [nothing]


def test_story_names_the_services_that_were_not_asked_or_did_not_answer() -> None:
    nothing = "Nothing is known of this person and assignment, by those who answered."
    silent = {"reminders": {"known": None, "unanswered": "reminders: no answer"}}

    assert told(silent) == [
        "reminders: no answer",
        "messenger was not asked: nobody knows where it runs",
        nothing,
    ]


def test_next_is_the_message_that_is_looked_at_first() -> None:
    waiting = [message("due", next_due_at=at) for at in ("2026-03-18T09:05:00Z", "2026-03-18T09:01:00Z")]

    said = next_step(reminders(), messenger(*waiting))

    assert said == "messenger looks at a message again at 2026-03-18T09:01:00Z"


def test_next_is_a_person_when_a_message_is_parked() -> None:
    said = next_step(reminders(), messenger(message("sent"), message("parked")))

    assert said == "a parked message waits for a person: duly parked list"


def test_next_is_the_next_step_when_all_messages_are_through() -> None:
    said = next_step(reminders(), messenger(message("sent")))

    assert said == "reminders decides again at 2026-03-29T08:00:00Z"


def test_next_says_that_no_step_lies_ahead_when_none_was_ever_decided() -> None:
    said = next_step(reminders(next_look_at=None, decisions=[]), messenger())

    assert said == "nothing: no step lies ahead of what was told"


def test_next_is_nothing_when_every_step_is_decided() -> None:
    assert next_step(reminders(next_look_at=None), messenger()) == "nothing: every step has been decided"


def test_person_whom_roster_knows_is_told_first() -> None:
    record = {"status": "on_leave", "since": "2026-03-01T00:00:00Z", "run": 7}
    story = {"reminders": reminders(), "messenger": messenger(), "roster": {"known": True, "record": record}}

    assert told(story)[0] == "Person on_leave since 2026-03-01T00:00:00Z, as run 7 of the roster left it"

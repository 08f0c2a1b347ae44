"""The catalogue of channels: what exists in a process, who shares its attempts, and which loops follow."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from duly_chassis.clock import SystemClock
from messenger import app, channels
from messenger.channels import Given, Line, Way
from messenger.limits.pacing import Pace
from messenger.settings import Settings
from tests.support.post import ALWAYS, Notes, Post, Provider


class Box(Post):
    """A channel that holds something."""

    async def close(self) -> None:
        """Give it back."""


def chat(given: Given) -> Way:
    """Make a chat that can be asked."""
    assert given.share in (16, 10)  # of its own 32, or of those it shares with mail where it cannot be asked
    return Way(Box, Notes(), ALWAYS, timedelta(seconds=45), Provider(), Pace(1.0, by_person=True))


CHAT = Line("slack", lambda settings: settings.mail_opens == "06:00", lambda _settings: 2, chat, can_be_asked=True)


@pytest.fixture(name="with_chat")
def with_chat_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a chat where mail opens at six."""
    monkeypatch.setattr(channels, "CATALOGUE", (*channels.CATALOGUE, CHAT))


def built(**changes: Any) -> Any:
    """Build messenger with these settings."""
    return app.build(Settings.sample(**changes), SystemClock())


@pytest.mark.usefixtures("with_chat")
def test_each_channel_that_is_set_up_has_loops_of_its_own_and_its_share_of_the_attempts() -> None:
    """RELIABILITY 6.2: 32 that a crash leaves for people; what can be asked has its own 32, and takes none of these."""
    settings = Settings.sample(mail_opens="06:00")
    lines = channels.set_up(settings)

    assert [loop.name for loop in built(mail_opens="06:00").loops] == [
        "send-mail-1",
        "send-slack-1",
        "send-slack-2",
        "ask-slack",
        "spread",
        "leases",
        "renderer",
    ]
    assert {line.name: channels.share(settings, lines, line) for line in lines} == {"mail": 32, "slack": 16}
    assert channels.unasked(settings) == ["mail", "sms", "teams"]
    assert channels.missing([line.name for line in lines]) == ["sms", "teams"]


@pytest.mark.usefixtures("with_chat")
def test_channel_that_is_not_set_up_does_not_exist_and_takes_nothing() -> None:
    settings = Settings.sample()

    assert [loop.name for loop in built().loops] == ["send-mail-1", "leases", "renderer"]
    [mail] = lines = channels.set_up(settings)
    assert channels.share(settings, lines, mail) == 32
    assert channels.missing(["mail"]) == ["slack", "sms", "teams"]


def test_webhook_for_teams_makes_a_channel_that_cannot_be_asked() -> None:
    """What is in doubt there is parked, as mail is: both share what a crash may leave for people."""
    settings = {"teams_webhooks": "acme=http://127.0.0.1:9/flow"}
    made = Settings.sample(**settings)
    lines = channels.set_up(made)

    assert {line.name: channels.share(made, lines, line) for line in lines} == {"mail": 16, "teams": 16}

    own = ["send-mail-1", "send-teams-1", "spread"]
    assert [loop.name for loop in built(**settings).loops] == [*own, "leases", "renderer"]
    assert "teams" in channels.unasked(made)
    assert "teams" not in channels.missing(["mail", "teams"])


def test_each_channel_has_hours_of_its_own_also_for_what_a_brake_held() -> None:
    opens = {"mail": "06:00", "slack": "07:30", "sms": "09:00", "teams": "10:00"}
    settings = Settings.sample(**{f"{name}_opens": at for name, at in opens.items()})

    assert opens == {name: f"{one.opens:%H:%M}" for name, one in channels.permitted(settings).items()}


def test_line_that_says_something_else_of_its_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise what is in doubt would be parked and asked for at once, or neither."""
    monkeypatch.setattr(channels, "CATALOGUE", (*channels.CATALOGUE, replace(CHAT, can_be_asked=False)))
    with pytest.raises(ValueError, match="slack: can_be_asked"):
        built(mail_opens="06:00")


@pytest.mark.usefixtures("with_chat")
@pytest.mark.parametrize(("said", "waits"), [("wait", True), ("report", False)])
def test_pace_is_waited_for_unless_a_rehearsal_only_reports_it(
    said: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(app, "Rules", lambda *given: seen.setdefault(str(len(seen)), given) and object())
    built(mail_opens="06:00", pacing=said)

    assert [given[4] and given[4].waits for given in seen.values()] == [None, waits]

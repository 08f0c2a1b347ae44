"""The channels, one line each: the catalogue from which app.py makes the loops of this process.

A channel whose settings are not there does not exist in this process; its messages move on to their next channel.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import time, timedelta
from typing import Protocol

from duly_chassis.clock import SystemClock
from messenger.bounces.return_path import ReturnPath
from messenger.channel import Channel, ReadBack
from messenger.domain import CHANNELS, MAIL, SLACK, SMS, TEAMS
from messenger.limits.pacing import Pace
from messenger.planning.hours import Hours
from messenger.settings import Settings
from messenger.slack.channel import SlackChannel
from messenger.smtp.channel import SmtpChannel
from messenger.smtp.relay import parse_smtp_url
from messenger.teams.channel import TeamsChannel
from messenger.twilio.channel import TwilioSms
from messenger.words.letters import Letters, ReturningLetters
from messenger.words.teams_writer import TeamsWriter
from messenger.words.wording import Words
from messenger.writer import Writer

ATTEMPTS_MAX = 32
"""Attempts of one process that may be without an outcome and that nobody can ask about (RELIABILITY 6.2): what a crash
leaves for people. The loops of such channels share them out equally. A channel that can be asked has as many of its
own, for reading back settles what a crash leaves (decision 0028). A slow provider takes nothing from the others."""


SLACK_INTERVAL_S = 1.0
"""Slack takes about one message a second for each place."""

TEAMS_BURST = 3
"""So many more messages may go together with a first one: Teams takes four a second, and far fewer an hour."""


class Adapter(Channel, Protocol):
    """A channel that holds connections."""

    async def close(self) -> None:
        """Give back what it holds; letters under way keep their connections until they are answered."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one channel is used in this process."""

    adapter: Callable[[], Adapter]  # one for each sending loop, each with connections of its own
    writer: Writer
    hours: Hours
    doubt_wait: timedelta  # business clock: until the first check, or without a read-back until it is parked
    readback: ReadBack | None = None
    pace: Pace | None = None
    close: Callable[[], Awaitable[None]] | None = None  # gives back what the read-back holds


@dataclass(frozen=True, slots=True)
class Given:
    """All that a channel is made of."""

    settings: Settings
    words: Words
    path: ReturnPath | None
    share: int  # attempts that one loop may have on their way


@dataclass(frozen=True, slots=True)
class Line:
    """A channel in the catalogue."""

    name: str
    is_set_up: Callable[[Settings], bool]
    loops: Callable[[Settings], int]
    make: Callable[[Given], Way]
    can_be_asked: bool = False  # whether its way has a read-back

    def way(self, given: Given) -> Way:
        """Make its way; raises ValueError where the line says something else of it: a doubt would be nobody's."""
        way = self.make(given)
        if (way.readback is not None) != self.can_be_asked:
            raise ValueError(f"{self.name}: can_be_asked says whether there is a read-back")
        return way


def mail(given: Given) -> Way:
    """Mail by SMTP: no read-back, so what stays in doubt is parked; no pace but the relay's own."""
    settings, words = given.settings, given.words
    smtp = replace(
        parse_smtp_url(settings.smtp_url.get_secret_value()),
        connections=given.share,
        loopback_only=settings.loopback_only,
    )
    writes = words.mails, settings.default_zone
    return Way(
        adapter=lambda: SmtpChannel(smtp),
        writer=Letters(*writes) if given.path is None else ReturningLetters(given.path, *writes),
        hours=hours(settings.mail_opens, settings.mail_closes, settings),
        doubt_wait=timedelta(minutes=settings.in_doubt_wait_min),
    )


def slack(given: Given) -> Way:
    """Slack: one message a second to a person, and a history that settles doubts."""
    settings = given.settings
    found = settings.slack(loopback_only=settings.loopback_only)
    if found is None:
        raise ValueError("slack is not set up")
    asked = SlackChannel(found)
    return Way(
        adapter=lambda: SlackChannel(found),
        writer=Letters(given.words.chats, settings.default_zone),
        hours=hours(settings.slack_opens, settings.slack_closes, settings),
        doubt_wait=asked.bounds.first_check_after,
        readback=asked,
        pace=Pace(SLACK_INTERVAL_S, by_person=True, waits=settings.pacing == "wait"),
        close=asked.close,
    )


def sms(given: Given) -> Way:
    """Texts over Twilio: as many a second as the sender may, and lists that settle doubts."""
    settings = given.settings
    found = settings.twilio(loopback_only=settings.loopback_only)
    if found is None:
        raise ValueError("sms is not set up")
    asked = TwilioSms(found, SystemClock())
    interval_s = 1 / settings.sms_rate
    return Way(
        adapter=lambda: TwilioSms(found, SystemClock()),
        writer=Letters(given.words.texts, settings.default_zone),
        hours=hours(settings.sms_opens, settings.sms_closes, settings),
        doubt_wait=asked.bounds.first_check_after,
        readback=asked,
        pace=Pace(interval_s, by_person=False, burst_s=max(0.0, 1 - interval_s), waits=settings.pacing == "wait"),
        close=asked.close,
    )


def teams(given: Given) -> Way:
    """Microsoft Teams by webhook, best effort: what stays in doubt is parked, for nobody can be asked."""
    settings = given.settings
    found = settings.teams(loopback_only=settings.loopback_only)
    if found is None:
        raise ValueError("teams is not set up")
    interval_s = 60 / settings.teams_per_minute
    return Way(
        adapter=lambda: TeamsChannel(found),
        writer=Letters(TeamsWriter(given.words.chats, found.webhooks), settings.default_zone),
        hours=hours(settings.teams_opens, settings.teams_closes, settings),
        doubt_wait=timedelta(minutes=settings.in_doubt_wait_min),
        pace=Pace(interval_s, by_person=False, burst_s=TEAMS_BURST * interval_s, waits=settings.pacing == "wait"),
    )


CATALOGUE = (
    Line(MAIL, lambda _settings: True, lambda settings: settings.senders, mail),
    Line(SLACK, lambda settings: settings.slack_token is not None, lambda _settings: 1, slack, can_be_asked=True),
    Line(SMS, lambda settings: settings.twilio_account_sid is not None, lambda _settings: 1, sms, can_be_asked=True),
    Line(TEAMS, lambda settings: bool(settings.teams_webhooks), lambda _settings: 1, teams),
)


def permitted(settings: Settings) -> dict[str, Hours]:
    """Return the permitted hours of every channel there may be, set up here or not."""
    return {
        MAIL: hours(settings.mail_opens, settings.mail_closes, settings),
        SLACK: hours(settings.slack_opens, settings.slack_closes, settings),
        SMS: hours(settings.sms_opens, settings.sms_closes, settings),
        TEAMS: hours(settings.teams_opens, settings.teams_closes, settings),
    }


def hours(opens: str, closes: str, settings: Settings) -> Hours:
    """Read a channel's permitted hours."""
    zones = settings.default_zone, settings.tenant_zones
    return Hours(time.fromisoformat(opens), time.fromisoformat(closes), *zones)


def set_up(settings: Settings) -> list[Line]:
    """Return the channels that exist in this process."""
    return [line for line in CATALOGUE if line.is_set_up(settings)]


def missing(names: Sequence[str]) -> list[str]:
    """Return the channels that do not exist in this process, where these do."""
    return sorted(set(CHANNELS) - set(names))


def unasked(settings: Settings) -> list[str]:
    """Return the channels whose provider this process cannot ask; what stays in doubt there waits for a person."""
    return sorted(set(CHANNELS) - {line.name for line in set_up(settings) if line.can_be_asked})


def share(settings: Settings, lines: Sequence[Line], line: Line) -> int:
    """Return how many attempts one loop of a line may have on their way, where these lines are set up."""
    sharing = [line] if line.can_be_asked else [one for one in lines if not one.can_be_asked]
    return min(settings.sender_batch_max, ATTEMPTS_MAX // sum(one.loops(settings) for one in sharing))

"""Intake, wired. Read this first: the tables below are the whole service."""

from datetime import timedelta
from functools import partial

from faststream.asgi import AsgiFastStream

from duly_chassis.clock import Clock, SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_chassis.numbers import keys
from duly_chassis.service import Act, Entry, Hook, Service, When
from duly_contracts.signals import DeliveryReportedV1, SmsOptedInV1, SmsOptedOutV1
from intake import answers, doctor, handlers, orders, reading, timers
from intake.handlers import Rules
from intake.settings import Settings, owned
from intake.slack_door import SlackDoor
from intake.store import PURGE_CALLBACKS, PURGE_PRESSES, PURGE_WORDS, Store
from intake.twilio_door import TwilioDoor

TWILIO_DEADLINE_S = 10.0  # Twilio itself waits for 15 s
SLACK_DEADLINE_S = 2.0  # Slack wants its answer within 3 s


def build(settings: Settings, _clock: Clock) -> Service[Store]:
    """Wire the service; production and tests differ by these arguments and nothing else."""
    twilio = TwilioDoor(settings.public_url, owned(settings.twilio_auth_tokens), settings.sms_senders)
    slack = SlackDoor(owned(settings.slack_signing_secrets), settings.slack_workspaces)
    text = partial(handlers.text, rules=rules(settings))
    rate = settings.callbacks_per_minute_max
    return Service(
        name="intake",
        work=Store,
        listens=(),
        timers=(When("lapse", Store.claim, timers.lapse),),
        emits=(DeliveryReportedV1, SmsOptedOutV1, SmsOptedInV1),
        answers={
            "/v1/explain": answers.explain,
            "/v1/reviews": answers.reviews,
            "/v1/starts": answers.starts,
            "/v1/reports": answers.reports,
            "/v1/summary": answers.summary,
        },
        acts=(Act("/v1/starts/confirm", orders.confirm), Act("/v1/reviews/close", orders.close)),
        hooks=(
            Hook(
                "/v1/twilio/status/{tenant}/{outreach_id}",
                "twilio_status",
                twilio.verify,
                twilio.report,
                handlers.report,
                rate,
                TWILIO_DEADLINE_S,
            ),
            Hook("/v1/twilio/inbound", "twilio_inbound", twilio.verify, twilio.text, text, rate, TWILIO_DEADLINE_S),
            Hook("/v1/slack/interactivity", "slack", slack.verify, slack.press, handlers.press, rate, SLACK_DEADLINE_S),
        ),
        purges={"callbacks": PURGE_CALLBACKS, "presses": PURGE_PRESSES, "words": PURGE_WORDS},
        gauges=reading.GAUGES,
        waits=("starts",),
    )


def rules(settings: Settings) -> Rules:
    """Read what an operator set for texts."""
    written_with = keys(settings.numbers_key)
    return Rules(written_with[0] if written_with else "", settings.help_text, timedelta(days=settings.start_days_max))


ENTRY = Entry("intake", Settings, build, "intake.migrations", doctor.checks)


def create_app() -> AsgiFastStream:
    """For `faststream run --factory intake.app:create_app`; reads settings, opens no connection.

    Only the inner side: the hooks are served by `duly run intake`, at an address of their own.
    """
    settings, clock = Settings(), SystemClock()
    configure(settings.log_level)
    return Host(build(settings, clock), settings, clock).app

"""What `duly doctor` asks about messenger: its mail relay, Slack, Twilio. Nothing is sent to anybody."""

from collections.abc import Sequence

from duly_chassis.doctor import Check
from messenger import slack_doctor, smtp_doctor, twilio_doctor
from messenger.settings import Settings


def checks(settings: Settings) -> Sequence[Check]:
    """Return the checks of every provider, set up or not."""
    return (*smtp_doctor.checks(settings), *slack_doctor.checks(settings), *twilio_doctor.checks(settings))

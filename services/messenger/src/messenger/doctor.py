"""What `duly doctor` asks about messenger: its mail relay, Slack, Twilio, Teams. Nothing is sent to anybody."""

from collections.abc import Sequence

from duly_chassis.doctor import Check
from messenger.settings import Settings
from messenger.slack import doctor as slack_doctor
from messenger.smtp import doctor as smtp_doctor
from messenger.teams import doctor as teams_doctor
from messenger.twilio import doctor as twilio_doctor


def checks(settings: Settings) -> Sequence[Check]:
    """Return the checks of every provider, set up or not."""
    vendors = smtp_doctor, slack_doctor, twilio_doctor, teams_doctor
    return tuple(check for vendor in vendors for check in vendor.checks(settings))

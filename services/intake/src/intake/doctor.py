"""What `duly doctor` asks of intake: its secrets are there; whether they are right only a callback shows."""

from collections.abc import Sequence

from duly_chassis.doctor import Check, present
from intake.settings import Settings


def checks(settings: Settings) -> Sequence[Check]:
    """Name the checks of these settings."""
    return (
        present(
            "Twilio's callbacks",
            settings.twilio_auth_tokens,
            "every callback of Twilio's is refused, and no STOP is heard",
            "set DULY_INTAKE_TWILIO_AUTH_TOKENS if texts are sent",
        ),
        present(
            "Slack's requests",
            settings.slack_signing_secrets,
            "every request of Slack's is refused",
            "set DULY_INTAKE_SLACK_SIGNING_SECRETS if Slack is used",
        ),
        present(
            "numbers",
            settings.numbers_key,
            "no number can be blocked, so no text may be taken",
            "set DULY_NUMBERS_KEY, the same for intake and messenger",
        ),
    )

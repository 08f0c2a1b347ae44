"""What an operator sets for texts: half of it is refused at the start, by the setting's name and never by its value."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from messenger.http.client import HttpUrlError
from messenger.settings import Settings

ACCOUNT, SERVICE = "AC" + "a" * 32, "MG" + "b" * 32
NUMBER = "+447400999999"
WHOLE: dict[str, Any] = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": "a-secret-token", "sms_from": NUMBER}


def settings(**given: Any) -> Settings:
    own: dict[str, Any] = {"database_url": "postgresql://duly@127.0.0.1/duly", "kafka_bootstrap": "127.0.0.1:9092"}
    return Settings(**own, smtp_url=SecretStr("smtp://127.0.0.1:25"), **given)


def test_without_an_account_there_is_no_such_channel() -> None:
    assert settings().twilio(loopback_only=False) is None


@pytest.mark.parametrize(
    ("change", "sender"),
    [
        ({}, NUMBER),
        ({"sms_from": "12345"}, "12345"),
        ({"sms_from": "Acme 2"}, "Acme 2"),
        ({"sms_from": None, "twilio_messaging_service_sid": SERVICE}, SERVICE),
    ],
)
def test_account_token_and_one_sender_make_the_channel(change: dict[str, Any], sender: str) -> None:
    given = settings(**WHOLE | change)
    twilio = given.twilio(loopback_only=False)

    assert twilio is not None
    assert (twilio.account_sid, twilio.auth_token, given.text_sender) == (ACCOUNT, "a-secret-token", sender)
    assert "a-secret" not in repr(given) + repr(twilio)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"twilio_auth_token": None}, "set both or none"),
        ({"twilio_account_sid": None}, "set both or none"),
        ({"twilio_account_sid": "AC1"}, "twilio_account_sid: AC and 32"),
        ({"sms_from": None}, "set one of them"),
        ({"twilio_messaging_service_sid": SERVICE}, "set one of them"),
        ({"sms_from": "07400999999"}, "sms_from"),
        ({"sms_from": "a name too long"}, "sms_from"),
        ({"twilio_messaging_service_sid": "MG1", "sms_from": None}, "twilio_messaging_service_sid"),
        ({"public_url": "http://duly.example"}, "public_url"),
        ({"public_url": "https://duly_intake.example"}, "public_url"),
        ({"public_url": "https://duly.example/?a=b"}, "public_url"),
        ({"public_url": "https://[duly"}, "public_url"),
        ({"sms_segments_max": 0}, "sms_segments_max"),
        ({"sms_opens": "8:00"}, "sms_opens"),
    ],
)
def test_settings_are_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as error:
        settings(**WHOLE | change)

    assert "a-secret-token" not in str(error.value)


def test_replay_takes_a_stand_in_on_this_machine_only() -> None:
    stand_in = settings(**WHOLE, twilio_url="http://127.0.0.1:4101", public_url="http://127.0.0.1:8000")

    assert stand_in.twilio(loopback_only=True) is not None
    with pytest.raises(HttpUrlError):
        settings(**WHOLE).twilio(loopback_only=True)

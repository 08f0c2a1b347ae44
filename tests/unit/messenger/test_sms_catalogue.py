"""The line of texts in the catalogue: what a row becomes, and how the channel is used in this process."""

from datetime import timedelta
from typing import Any

import pytest

from messenger import channels
from messenger.channels import Given
from messenger.words.wording import Words
from tests.unit.messenger.test_sms_settings import WHOLE, settings

STAND_IN: dict[str, Any] = WHOLE | {"twilio_url": "http://127.0.0.1:1", "loopback_only": True, "sms_rate": 4}


def test_texts_exist_where_an_account_is_set() -> None:
    assert "sms" not in [line.name for line in channels.set_up(settings())]
    assert "sms" in [line.name for line in channels.set_up(settings(**STAND_IN))]
    assert "sms" not in channels.unasked(settings(**STAND_IN))


async def test_line_of_texts_reads_back_keeps_hours_and_pace() -> None:
    given = settings(**STAND_IN)
    line = next(line for line in channels.CATALOGUE if line.name == "sms")
    way = line.way(Given(given, Words(given), None, 16))

    assert way.readback is not None
    assert way.pace is not None
    assert (way.pace.interval, way.pace.by_person) == (timedelta(seconds=0.25), False)
    assert way.doubt_wait == timedelta(seconds=90)
    assert (way.hours.opens.hour, way.hours.closes.hour) == (8, 21)
    assert way.close is not None
    await way.close()


def test_replay_refuses_to_start_with_the_real_twilio() -> None:
    given = settings(**WHOLE, loopback_only=True)
    line = next(line for line in channels.CATALOGUE if line.name == "sms")
    with pytest.raises(ValueError, match="only this machine"):
        line.way(Given(given, Words(given), None, 16))

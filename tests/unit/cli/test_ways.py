"""The way of a replay's messages: one channel, on this machine, with logins of no worth."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from duly_cli.main import app
from duly_cli.rehearsal.ways import By, Way
from duly_local.stack import Endpoints

HERE = "http://127.0.0.1:4100"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--channel", "slack"), "give --slack http://127.0.0.1:PORT"),
        (("--channel", "slack", "--slack", "https://slack.com"), "give --slack http://127.0.0.1:PORT"),
        (("--channel", "sms", "--twilio", "https://api.twilio.com"), "give --twilio http://127.0.0.1:PORT"),
        (("--channel", "sms", "--twilio", "http://127.0.0.1@203.0.113.7"), "give --twilio http://127.0.0.1:PORT"),
        (("--channel", "sms", "--twilio", "http://[::bad"), "give --twilio http://127.0.0.1:PORT"),
        (("--slack", HERE), "--slack goes with --channel slack, and this replay sends by mail"),
        (("--channel", "slack", "--twilio", HERE), "--twilio goes with --channel sms"),
        (("--channel", "sms", "--smtp", "smtp://127.0.0.1:25", "--twilio", HERE), "--smtp goes with --channel mail"),
        (("--channel", "pigeon"), "pigeon"),
    ],
)
def test_replay_refuses_a_way_that_is_not_whole_before_anything_starts(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    state = tmp_path / "state"
    ended = CliRunner().invoke(app, ["replay", "oulad", str(tmp_path), *options, "--state", str(state)])

    assert ended.exit_code == 2
    assert said in ended.output
    assert not state.exists()


@pytest.mark.parametrize("by", By)
def test_way_knows_one_channel_alone_whatever_the_environment_says(tmp_path: Path, by: By) -> None:
    """A real login must not be shown to whatever listens on this machine, nor a person be reached beside the replay."""
    url = "smtp://127.0.0.1:2525" if by is By.MAIL else HERE
    told = Way(by, url).settings(tmp_path, Endpoints("127.0.0.1:9092", "postgresql://x", "smtp://127.0.0.1:25", None))

    logins = {name for name in ("slack_token", "twilio_account_sid", "twilio_auth_token") if told[name] is not None}
    assert (
        logins
        == {
            By.MAIL: set(),
            By.SLACK: {"slack_token"},
            By.SMS: {"twilio_account_sid", "twilio_auth_token"},
        }[by]
    )
    assert told["pacing"] == "report"
    assert told["not_there_after_s"] > 0
    assert told["teams_webhooks"] == {}
    if by is not By.MAIL:
        assert yaml.safe_load(told["channel_policy_file"].read_text())["default"] == [by.value]

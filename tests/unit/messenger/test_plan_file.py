"""The channel policy's file: what is accepted, and every fault told with its line."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from duly_chassis.policy_file import PolicyError
from messenger.domain import Leg
from messenger.plan_file import PlanFile, load
from messenger.planning.plans import ChannelPolicy

POLICIES = Path(__file__).parents[3] / "policies"
SHIPPED = POLICIES / "channels.yaml"
SCHEMA = POLICIES / "channels.schema.json"
WAY = "[slack, {channel: sms, after_min: 30, when: [undelivered, unanswered]}, mail]"


def write(at: Path, default: str = "[mail]", more: str = "") -> Path:
    """Write a policy with this way."""
    path = at / "channels.yaml"
    path.write_text(f"name: channels\nversion: 2\ndefault: {default}\n{more}", encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    """Load the file and return what is wrong with it, its path left out."""
    with pytest.raises(PolicyError) as caught:
        load(path)
    return [line.removeprefix(f"{path}:") for line in caught.value.lines]


def test_shipped_policy_sends_everything_by_mail_alone() -> None:
    """What existed before there were channels behaves as before."""
    assert load(SHIPPED) == ChannelPolicy("1", (Leg("mail"),), {})
    assert ChannelPolicy().way("deadline-reminder") == (Leg("mail"),)


def test_published_schema_is_the_models_and_accepts_what_the_model_accepts() -> None:
    """After a change: python -m messenger.plan_file --schema > policies/channels.schema.json."""
    assert SCHEMA.read_text(encoding="utf-8") == PlanFile.schema_text()

    schema = json.loads(PlanFile.schema_text())
    Draft202012Validator.check_schema(schema)
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    assert Draft202012Validator(schema).is_valid(shipped)
    assert Draft202012Validator(schema).is_valid(shipped | {"default": yaml.safe_load(WAY)})
    misspelt = {"channel": "sms", "after": 3}
    for wrong in ("default: []", "default: [pigeon]", f"default: [{json.dumps(misspelt)}]", "more: 1"):
        assert not Draft202012Validator(schema).is_valid(shipped | yaml.safe_load(wrong))


def test_way_of_a_message_is_its_own_or_the_default(tmp_path: Path) -> None:
    policy = load(write(tmp_path, more=f"messages:\n  deadline-reminder: {WAY}\n"))

    assert policy.way("welcome") == (Leg("mail"),)
    assert policy.way("deadline-reminder") == (
        Leg("slack"),
        Leg("sms", 30, ("undelivered", "unanswered")),
        Leg("mail"),
    )


SMS = Leg("sms", 30, ("undelivered",))
TEAMS = Leg("teams", 10, ("undelivered", "unanswered"))
PROVABLE = {
    "no best effort": ((Leg("slack"), SMS, Leg("mail")), (Leg("slack"), SMS, Leg("mail"))),
    "first": ((Leg("teams"), SMS, Leg("mail")), (Leg("sms"), Leg("mail"))),
    "between": ((Leg("slack"), TEAMS, Leg("mail")), (Leg("slack"), Leg("mail", 10, ("undelivered", "unanswered")))),
    "between, with a wait after it": ((Leg("slack"), TEAMS, SMS), (Leg("slack"), Leg("sms", 10, TEAMS.when))),
    "last": ((Leg("slack"), SMS, Leg("teams")), (Leg("slack"), SMS)),
    "alone": ((Leg("teams"),), (Leg("mail"),)),
}


@pytest.mark.parametrize(("legs", "left"), PROVABLE.values(), ids=PROVABLE)
def test_mandatory_message_goes_over_no_best_effort_channel_and_comes_neither_sooner_nor_later(
    legs: tuple[Leg, ...], left: tuple[Leg, ...]
) -> None:
    """RELIABILITY 6, apprise channels: never for compliance notices."""
    policy = ChannelPolicy("1", legs)

    assert policy.way("deadline-reminder") == policy.way("deadline-reminder", mandatory=True) == left
    assert policy.way("deadline-reminder", mandatory=False) == legs


def test_policy_is_the_same_after_it_was_a_row(tmp_path: Path) -> None:
    policy = load(write(tmp_path, WAY))

    assert msgspec.json.decode(msgspec.json.encode(policy), type=ChannelPolicy) == policy


@pytest.mark.parametrize(
    ("default", "said"),
    [
        ("[pigeon]", "3: default: channel: 'pigeon' is none of 'mail', 'slack', 'sms' or 'teams'"),
        ("mail", "3: default: 'mail' is not a list, as [slack, mail]"),
        ("[]", "3: default: give 1 to 4 channels"),
        ("[mail, slack, mail]", "3: default: mail stands there twice"),
        ("[{channel: mail, after_min: 5}]", "3: default: the first channel waits for none before it: no after_min"),
        ("[mail, {channel: sms, after_min: 0}]", "3: default: after_min: 0 is not from 1 to 10080"),
        ("[mail, {channel: sms, after_min: soon}]", "3: default: after_min: 'soon' is not a whole number"),
        ("[mail, {channel: sms, whenn: [unanswered]}]", "3: unknown key 'whenn', did you mean 'when'?"),
        ("[teams]", "3: default: teams takes no mandatory message: add a channel that does"),
        ("[mail, 7]", "3: default: 7 is not a channel, as mail, nor a step, as {channel: sms, after_min: 30}"),
    ],
)
def test_fault_is_told_with_its_line_and_in_plain_words(tmp_path: Path, default: str, said: str) -> None:
    assert said in faults(write(tmp_path, default))


def test_unknown_key_and_missing_version_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "channels.yaml"
    path.write_text("name: channels\ndefault: [mail]\nmesages: {}\n", encoding="utf-8")

    assert faults(path) == ["1: missing key 'version'", "3: unknown key 'mesages', did you mean 'messages'?"]


def test_command_checks_a_file_and_prints_the_schema(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "messenger.plan_file"]
    good = subprocess.run([*command, "--check", str(SHIPPED)], capture_output=True, text=True, check=False)
    bad = subprocess.run(
        [*command, "--check", str(write(tmp_path, "[pigeon]"))], capture_output=True, text=True, check=False
    )
    schema = subprocess.run([*command, "--schema"], capture_output=True, text=True, check=False)

    assert (good.returncode, good.stdout) == (0, f"{SHIPPED}: version 1 is in order\n")
    assert (bad.returncode, "'pigeon' is none of" in bad.stderr) == (1, True)
    assert schema.stdout == SCHEMA.read_text(encoding="utf-8")

"""The policy file: what is accepted, and every fault told with its line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from duly_chassis.policy_file import FILE_BYTES_MAX, PolicyError
from reminders.policy import PolicyFile, load
from reminders.schedule import Policy

POLICIES = Path(__file__).parents[3] / "policies"
SHIPPED = POLICIES / "reminders.yaml"
SCHEMA = POLICIES / "reminders.schema.json"
GOOD = {
    "name": "reminders",
    "version": '"7"',
    "offsets_days": "[30, 14, 3]",
    "local_time": '"09:00"',
    "default_zone": "Europe/London",
}


def write(at: Path, **changes: str | None) -> Path:
    """Write a policy of one line per key, with other values where given; None leaves a key out."""
    path = at / "policy.yaml"
    lines = [f"{key}: {value}\n" for key, value in (GOOD | changes).items() if value is not None]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    """Load the file and return what is wrong with it, its path left out."""
    with pytest.raises(PolicyError) as caught:
        load(path)
    return [line.removeprefix(f"{path}:") for line in caught.value.lines]


def test_shipped_policy_reminds_30_14_and_3_days_ahead_at_nine() -> None:
    """G-09."""
    expected = Policy(version="1", offsets_days=(30, 14, 3), local_hour=9, default_zone="UTC")

    assert load(SHIPPED) == expected


def test_published_schema_is_the_models_and_accepts_the_shipped_policy() -> None:
    """After a change: python -m reminders.policy --schema > policies/reminders.schema.json."""
    assert SCHEMA.read_text(encoding="utf-8") == PolicyFile.schema_text()

    schema = json.loads(PolicyFile.schema_text())
    Draft202012Validator.check_schema(schema)
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))

    assert Draft202012Validator(schema).is_valid(shipped)
    for wrong in ({"offsets_days": [3, 3]}, {"offsets_days": [-3]}, {"local_time": "25:00"}, {"ofsets_days": [3]}):
        assert not Draft202012Validator(schema).is_valid(shipped | wrong)


def test_offsets_are_put_in_order_so_that_their_order_is_no_edit(tmp_path: Path) -> None:
    assert load(write(tmp_path, offsets_days="[3, 30, 14]")) == load(write(tmp_path))


@pytest.mark.parametrize(
    ("written", "hour", "minute"), [('"09:00"', 9, 0), ("10:30", 10, 30), ("00:00", 0, 0), ("'23:59'", 23, 59)]
)
def test_local_time_is_read_as_written_with_quotes_or_without(
    tmp_path: Path, written: str, hour: int, minute: int
) -> None:
    """YAML 1.1 would read 10:30 as 630."""
    policy = load(write(tmp_path, local_time=written))

    assert (policy.local_hour, policy.local_minute) == (hour, minute)


@pytest.mark.parametrize(("written", "expected"), [("3", "3"), ("1.10", "1.10"), ("2026-01-01", "2026-01-01")])
def test_version_is_read_as_written(tmp_path: Path, written: str, expected: str) -> None:
    assert load(write(tmp_path, version=written)).version == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"offsets_days": None, "ofsets_days": "[3]"},
            ["5: unknown key 'ofsets_days', did you mean 'offsets_days'?"],
        ),
        ({"lokal_time": "1"}, ["6: unknown key 'lokal_time', did you mean 'local_time'?"]),
        ({"qqq": "1"}, ["6: unknown key 'qqq'"]),
        ({"version": None, "name": None}, ["1: missing key 'name'", "1: missing key 'version'"]),
        ({"offsets_days": "[30, -3]"}, ["3: offsets_days: -3 is not from 1 to 365"]),
        ({"offsets_days": "[0]"}, ["3: offsets_days: 0 is not from 1 to 365"]),
        ({"offsets_days": "[366]"}, ["3: offsets_days: 366 is not from 1 to 365"]),
        ({"offsets_days": "[30, 3, 30]"}, ["3: offsets_days: 30 stands there twice"]),
        ({"offsets_days": "[]"}, ["3: offsets_days: give 1 to 20 numbers"]),
        ({"offsets_days": str(list(range(1, 22)))}, ["3: offsets_days: give 1 to 20 numbers"]),
        ({"offsets_days": "30"}, ["3: offsets_days: 30 is not a list, as [30, 14, 3]"]),
        ({"offsets_days": "[1.5]"}, ["3: offsets_days: '1.5' is not a whole number"]),
        ({"offsets_days": "[yes]"}, ["3: offsets_days: 'yes' is not a whole number"]),
        ({"offsets_days": '["30"]'}, ["3: offsets_days: '30' is not a whole number"]),
        ({"offsets_days": "[99999999999999999999]"}, ["3: offsets_days: '99999999999999999999' is not a whole number"]),
        ({"offsets_days": "{a: 1}"}, ["3: offsets_days: {'a': 1} is not a list, as [30, 14, 3]"]),
        ({"offsets_days": "\n  - 30\n  - -14"}, ["5: offsets_days: -14 is not from 1 to 365"]),
        ({"local_time": "25:00"}, ["4: local_time: '25:00' is not an hour of the day, as '09:00'"]),
        ({"local_time": "9:00"}, ["4: local_time: '9:00' is not an hour of the day, as '09:00'"]),
        ({"local_time": "09:60"}, ["4: local_time: '09:60' is not an hour of the day, as '09:00'"]),
        ({"local_time": "9"}, ["4: local_time: 9 is not a text"]),
        ({"local_time": ""}, ["4: local_time: None is not a text"]),
        (
            {"default_zone": "Europe/Londn"},
            ["5: default_zone: 'Europe/Londn' is not a known zone, did you mean 'Europe/London'?"],
        ),
        ({"default_zone": "../../etc/passwd"}, ["5: default_zone: '../../etc/passwd' is not a known zone"]),
        ({"default_zone": '"{zone}"'}, ["5: default_zone: '{zone}' is not a known zone"]),
        ({"version": '"a b"'}, ["2: version: 'a b' is not a short name without blanks"]),
        ({"name": '"\\e[2J"'}, ["1: name: '\\x1b[2J' is not a short name without blanks"]),
    ],
)
def test_fault_is_told_with_its_line_and_the_nearest_key(
    tmp_path: Path, changes: dict[str, str | None], expected: list[str]
) -> None:
    told = faults(write(tmp_path, **changes))

    assert told == expected


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    told = faults(write(tmp_path, default_zone="Mars/Olympus", offsets_days="[-1, -2]", nam="x"))

    assert [line.split(":")[0] for line in told] == ["3", "3", "5", "6"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\nversion: b\nname: c\n", ["3: key 'name' stands here twice, first in line 1"]),
        ("name: [a\nversion: b\n", ["2: not YAML: expected ',' or ']', but got ':'"]),
        ("name: a\n\tversion: b\n", ["2: not YAML: found character '\\t' that cannot start any token"]),
        ("name: a\nversion: \x07\n", ["2: not YAML: character 0x7 is not allowed"]),
        ("name: &x a\nversion: *x\n", ["1: anchors and aliases are not allowed"]),
        ("name: *x\n", ["1: anchors and aliases are not allowed"]),
        ("name: a\nversion: !!python/object/apply:os.system [ls]\n", ["2: tags are not allowed"]),
        ("name: !secret a\n", ["1: tags are not allowed"]),
        ("[" * 3000, ["1: nested too deeply"]),
        ("name: a\n---\nname: b\n", ["2: not YAML: but found another document"]),
        ("- a\n", ["1: not a policy: expected keys and values, as 'offsets_days: [30, 14, 3]'"]),
        ("", ["1: not a policy: expected keys and values, as 'offsets_days: [30, 14, 3]'"]),
        ("x" * (FILE_BYTES_MAX + 1), ["1: larger than 64 KB"]),
    ],
)
def test_text_that_is_no_harmless_yaml_is_refused_by_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")

    assert faults(path) == expected


def test_bytes_that_are_not_utf_8_are_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"name: a\nversion: \xff\n")

    assert faults(path) == ["2: not UTF-8"]


def test_missing_file_is_told(tmp_path: Path) -> None:
    assert faults(tmp_path / "nowhere.yaml") == ["1: cannot be read (No such file or directory)"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="ab:[]{}&*!-#|>'\"%?,\n \t0\x00é", max_size=60), whole=st.booleans())
def test_any_text_is_a_policy_or_refused_by_line(tmp_path: Path, text: str, *, whole: bool) -> None:
    path = write(tmp_path)
    path.write_text(text if whole else path.read_text(encoding="utf-8") + text, encoding="utf-8")
    told: tuple[str, ...] = (f"{path}:",)
    try:
        load(path)
    except PolicyError as error:
        told = error.lines

    assert told
    assert all(line.startswith(f"{path}:") and line.isprintable() for line in told)


def test_command_checks_a_file_and_prints_the_schema(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reminders.policy"]
    broken = write(tmp_path, local_time="25:00")
    good = subprocess.run([*command, "--check", SHIPPED], capture_output=True, text=True, check=False)
    bad = subprocess.run([*command, "--check", broken], capture_output=True, text=True, check=False)
    schema = subprocess.run([*command, "--schema"], capture_output=True, text=True, check=False)

    assert (good.returncode, good.stderr) == (0, "")
    assert (bad.returncode, bad.stderr) == (
        1,
        f"{broken}:4: local_time: '25:00' is not an hour of the day, as '09:00'\n",
    )
    assert schema.stdout == SCHEMA.read_text(encoding="utf-8")

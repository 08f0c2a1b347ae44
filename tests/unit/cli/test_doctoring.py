"""`duly doctor`: how it ends, and that nothing it is told comes out again."""

import json
import os
import subprocess
import sys

import pytest

from tests.journeys.command import ask, environment

CANARY = "canary-4711"
NOWHERE = {
    "DULY_DATABASE_URL": f"postgresql://u-{CANARY}:{CANARY}@127.0.0.1:1/{CANARY}",
    "DULY_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "DULY_SMTP_URL": f"smtp://u-{CANARY}:{CANARY}@127.0.0.1:1",
    "DULY_MAIL_SENDER": f"{CANARY}@acme.org",
    "DULY_HTTP_TOKEN": CANARY,
    "DULY_BOUNCE_DOMAIN": f"{CANARY}.acme.org",
    "DULY_BOUNCE_KEYS": CANARY * 4,
    "DULY_SLACK_TOKEN": CANARY,
    "DULY_SLACK_URL": "http://127.0.0.1:1/",
    "DULY_TWILIO_ACCOUNT_SID": "AC" + "4711" * 8,
    "DULY_TWILIO_AUTH_TOKEN": CANARY,
    "DULY_TWILIO_URL": "http://127.0.0.1:1/",
    "DULY_SMS_FROM": "+15005554711",
}


def test_nothing_secret_no_address_and_no_number_comes_out_of_doctor() -> None:
    told = ask("doctor", **NOWHERE)
    machine = ask("doctor", "--json", **NOWHERE)
    said = told.stdout + told.stderr + machine.stdout + machine.stderr

    assert (told.returncode, machine.returncode) == (1, 1)
    assert "4711" not in said
    assert "127.0.0.1" not in said
    wanted = {"database", "broker", "mail relay", "Slack", "Twilio"}
    problems = {one["name"] for one in json.loads(machine.stdout)["findings"] if one["state"] == "problem"}
    assert wanted <= problems


def test_broken_settings_are_a_problem_told_without_their_values() -> None:
    told = ask("doctor", "--json", **NOWHERE | {"DULY_SMTP_URL": CANARY, "DULY_DATABASE_URL": CANARY})
    findings = json.loads(told.stdout)["findings"]

    assert told.returncode == 1
    assert "not of the form postgresql://" in findings[0]["wrong"]
    assert CANARY not in told.stdout


def test_settings_that_are_missing_are_named_once_for_all_services() -> None:
    told = ask("doctor")

    assert told.returncode == 1
    assert told.stdout.count("DULY_DATABASE_URL: Field required") == 1


def test_service_that_is_not_there_is_wrong_usage() -> None:
    told = ask("doctor", "--service", "nobody")

    assert told.returncode == 2
    assert "messenger" in told.stderr


def test_one_service_is_examined_alone() -> None:
    told = ask("doctor", "--service", "roster", "--json", **NOWHERE)

    assert {name for one in json.loads(told.stdout)["findings"] for name in one["services"]} == {"roster"}


@pytest.mark.timeout(150)  # a process that imports a service
def test_one_service_is_found_without_the_others_and_examined_without_what_migrates() -> None:
    code = "import sys; from duly_chassis import entries, examine; entries.named('roster'); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    loaded = set(told.stdout.split())

    assert {"roster", "duly_chassis.examine"} <= loaded
    assert not {"intake", "messenger", "reminders", "alembic", "sqlalchemy"} & loaded


@pytest.mark.timeout(150)  # two processes, each with the imports of a service
def test_image_of_one_service_examines_itself() -> None:
    """In an image there is no command `duly`; the chassis alone asks, with the same exit codes."""
    command = [sys.executable, "-m", "duly_chassis.examine"]
    given = environment(NOWHERE) | {"PATH": os.environ["PATH"]}
    told = subprocess.run([*command, "roster"], env=given, capture_output=True, text=True, check=False, timeout=50)
    wrong = subprocess.run([*command, "nobody"], env=given, capture_output=True, text=True, check=False, timeout=50)

    assert (told.returncode, wrong.returncode) == (1, 2)
    assert "nobody answers there" in told.stdout
    assert "4711" not in told.stdout + told.stderr + wrong.stderr

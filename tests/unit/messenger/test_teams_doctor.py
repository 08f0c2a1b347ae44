"""`duly doctor` and Teams: hosts are asked for their first page, and no webhook is ever called."""

import pytest

from duly_chassis.doctor import Finding, State, found
from messenger import doctor
from messenger.settings import Settings
from messenger.teams import doctor as teams_doctor
from tests.unit.messenger.scripted_http import Act, said, scripted_http

SECRET = "sig=canary-4711"  # noqa: S105 - nobody's


async def asked(**values: object) -> list[Finding]:
    (check,) = teams_doctor.checks(Settings.sample(**values))
    return list(await found(check))


async def test_teams_without_a_webhook_is_not_set_up_and_not_asked() -> None:
    (finding,) = await asked()

    assert (finding.state, "teams_webhooks" in finding.wrong) == (State.NOT_SET_UP, True)


async def test_host_that_answers_anything_is_fine_and_its_clock_is_compared() -> None:
    async with scripted_http(said(b"", "404 Not Found", "Date: Fri, 17 Jan 2014 09:00:00 GMT")) as http:
        hooks = "; ".join(f"{tenant}={http.url}flow/{tenant}?{SECRET}" for tenant in ("acme", "globex"))
        findings = await asked(teams_webhooks=hooks)
        requests = [request.split(b"\r\n")[0] for request in http.requests]

    assert requests == [b"GET / HTTP/1.1"]
    assert [(one.name, one.state) for one in findings] == [("Teams", State.OK), ("Teams clock", State.PROBLEM)]
    assert "canary" not in repr(findings)


@pytest.mark.parametrize("act", ["cut", said(b"", "302 Found", "Location: https://portal.example/")])
async def test_host_that_is_not_reached_is_a_problem_with_what_to_do(act: Act) -> None:
    async with scripted_http(act) as http:
        (finding,) = await asked(teams_webhooks=f"acme={http.url}flow?{SECRET}")

    assert finding.state is State.PROBLEM
    assert finding.remedy
    assert "canary" not in repr(finding)


async def test_webhook_elsewhere_is_not_asked_where_only_this_machine_may_be() -> None:
    (finding,) = await asked(teams_webhooks=f"acme=https://a.logic.azure.com/flow?{SECRET}", loopback_only=True)

    assert finding.state is State.PROBLEM
    assert "canary" not in repr(finding)


def test_teams_is_among_what_is_checked_of_messenger() -> None:
    assert "Teams" in [check.name for check in doctor.checks(Settings.sample())]

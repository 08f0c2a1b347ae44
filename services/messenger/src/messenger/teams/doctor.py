"""What `duly doctor` asks for Microsoft Teams: whether the webhooks' hosts are reached. A webhook is never called."""

from collections.abc import Sequence

from aiohttp import ClientError

from duly_chassis.clock import SystemClock
from duly_chassis.doctor import Check, Finding, not_set_up, ok
from messenger.http import doctor as http_doctor
from messenger.http.client import HttpClient, HttpSettings, HttpUrlError
from messenger.settings import Settings
from messenger.teams.channel import origin

NAME = "Teams"
DEADLINE_S = 8.0
HOSTS_ASKED_MAX = 5
SET_IT = "set DULY_MESSENGER_TEAMS_WEBHOOKS; docs/teams.md says how"
UNKNOWN = "whether a webhook still takes messages is seen only by posting to it"


def checks(settings: Settings) -> tuple[Check, ...]:
    """Return what is asked for Teams."""

    async def ask() -> Sequence[Finding]:
        try:
            teams = settings.teams(loopback_only=settings.loopback_only)
        except HttpUrlError as error:
            return [http_doctor.unreached(NAME, error)]
        if teams is None:
            return [not_set_up(NAME, "teams_webhooks is not set: no team hears by Microsoft Teams", SET_IT)]
        hosts = {origin(url): teams.http(url) for url in teams.webhooks.values()}
        found: list[Finding] = []
        for one in list(hosts.values())[:HOSTS_ASKED_MAX]:
            found += await _asked(one)
        return list(dict.fromkeys(found))

    return (Check(NAME, ask, DEADLINE_S),)


async def _asked(settings: HttpSettings) -> list[Finding]:
    """Ask one host for its first page, whatever it says of it."""
    wall, http = SystemClock(), HttpClient(settings)
    before = wall.now()
    try:
        async with http.session.get(settings.url) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
    except ClientError as error:
        return [http_doctor.unreached(NAME, error)]
    finally:
        await http.close()
    return [ok(NAME, UNKNOWN), *http_doctor.clock("Teams clock", headers, before, wall.now())]

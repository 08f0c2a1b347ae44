"""What `duly doctor` asks Slack: who we are (auth.test), what we may do, and what time it is."""

from collections.abc import Mapping, Sequence

from aiohttp import ClientError

from duly_chassis.clock import SystemClock
from duly_chassis.doctor import Check, Finding, not_set_up, ok, problem, warning
from messenger.http import doctor as http_doctor
from messenger.http.client import HttpClient, HttpUrlError
from messenger.settings import Settings
from messenger.slack.answers import OF_THE_ACCOUNT, RATE_LIMITED, TOO_MANY, Reply
from messenger.slack.client import SlackClient, SlackSettings, answered

NAME = "Slack"
DEADLINE_S = 8.0
SCOPES: Mapping[str, str] = {
    "chat:write": "post",
    "users:read": "look people up",
    "users:read.email": "find people by their mail address",
    "im:write": "open a direct message",
    "im:history": "see whether a direct message arrived, when its answer was lost",
    "channels:history": "see the same in a channel",
}
"""What the app needs, each for what."""
REINSTALL = "add them under OAuth & Permissions of the app, and install it again"
NEW_TOKEN = "set DULY_SLACK_TOKEN to the app's Bot User OAuth Token (xoxb-)"  # noqa: S105 - advice
INTERNAL = "keep the app internal to your workspace: Slack lets apps that are distributed read one page a minute"


def checks(settings: Settings) -> tuple[Check, ...]:
    """Return what is asked of Slack."""

    async def ask() -> Sequence[Finding]:
        slack = settings.slack(loopback_only=settings.loopback_only)
        if slack is None:
            return [not_set_up(NAME, "DULY_SLACK_TOKEN is not set: nobody hears by Slack", NEW_TOKEN)]
        return await _asked(slack)

    return (Check(NAME, ask, DEADLINE_S),)


async def _asked(settings: SlackSettings) -> list[Finding]:
    wall = SystemClock()
    try:
        http = HttpClient(settings.http())
    except HttpUrlError as error:
        return [http_doctor.unreached(NAME, error)]
    before = wall.now()
    try:
        reply, headers = await answered(SlackClient(settings, http).auth_test())
    except ClientError as error:
        return [http_doctor.unreached(NAME, error)]
    finally:
        await http.close()
    clock = http_doctor.clock("Slack clock", headers, before, wall.now())
    if not reply.fine:
        return [_refused(reply), *clock]
    return [_token(reply), scopes(headers.get("x-oauth-scopes")), ok("Slack history", INTERNAL), *clock]


def _refused(reply: Reply) -> Finding:
    """Read an answer that is no yes."""
    code = reply.code
    if reply.status == TOO_MANY or code in RATE_LIMITED:
        return warning(NAME, "Slack asks us to wait, so nothing more is known", "ask again in a minute")
    if code in OF_THE_ACCOUNT["auth_failed"]:
        return problem(NAME, f"Slack refuses the token ({code})", NEW_TOKEN)
    if code in OF_THE_ACCOUNT["scope_missing"]:
        return problem(NAME, f"Slack does not let this token ask who it is ({code})", NEW_TOKEN)
    if not reply.data:
        wrong = f"what answers is not Slack (HTTP {reply.status})"
        return problem(NAME, wrong, "correct DULY_SLACK_URL, or see whether a proxy or a portal stands between")
    return problem(NAME, f"Slack answers {code}", "try again later; Slack's documentation of auth.test has this word")


def _token(reply: Reply) -> Finding:
    if not isinstance(reply.data.get("bot_id"), str):
        return problem(NAME, "the token is a person's, not the app's", NEW_TOKEN)
    return ok(NAME)


def scopes(granted: str | None) -> Finding:
    """Compare what was granted with what is needed."""
    name = "Slack scopes"
    if granted is None:
        return warning(name, "Slack did not say what this token may do", "ask again; behind a proxy: see what it drops")
    have = {word.strip() for word in granted.split(",")}
    missing = [f"{scope} (to {purpose})" for scope, purpose in SCOPES.items() if scope not in have]
    return problem(name, f"the token lacks {', '.join(missing)}", REINSTALL) if missing else ok(name)

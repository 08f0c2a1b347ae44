"""What is refused of the settings for Teams, and that no webhook is said anywhere."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from messenger.http.client import HttpUrlError
from messenger.settings import Settings
from messenger.teams.channel import TeamsSettings
from tests.unit.messenger.test_bounce_effects import BASE

FLOW = "/powerautomate/automations/direct/workflows/1/triggers/manual/paths/invoke?sig=canary"
NEW = f"https://default1.57.environment.api.powerplatform.com:443{FLOW}"
OLDER = "https://prod-31.westus.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=canary"
OLD = "https://acme.webhook.office.com/webhookb2/canary/IncomingWebhook/1/2"
HERE = "http://127.0.0.1:4300/flow?sig=canary"


def read(**said: Any) -> Settings:
    return Settings(**BASE, **said)


def test_teams_is_not_set_up_without_a_webhook() -> None:
    assert read().teams(loopback_only=False) is None


@pytest.mark.parametrize("url", [NEW, OLDER, OLD, HERE])
def test_webhook_makes_the_channel_and_is_shown_nowhere(url: str) -> None:
    settings = read(teams_webhooks=f"acme={url}; globex={HERE}")
    found = settings.teams(loopback_only=False)

    assert found == TeamsSettings({"acme": url, "globex": HERE})
    assert settings.teams_webhooks["acme"] == SecretStr(url)
    assert "canary" not in repr(settings) + repr(found)


def test_webhooks_are_read_from_a_file_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "webhooks"
    path.write_text(f"acme={NEW}\nglobex={OLDER}\n", encoding="utf-8")
    monkeypatch.setenv("DULY_MESSENGER_TEAMS_WEBHOOKS_FILE", str(path))

    assert read().teams(loopback_only=False) == TeamsSettings({"acme": NEW, "globex": OLDER})


@pytest.mark.parametrize(
    "said",
    [
        "canary",
        f"*={NEW}",
        f"acme={NEW}; acme={OLDER}",
        "acme=",
        f"acme={NEW.replace('https', 'http')}",
        "acme=https://canary.example/hook",
        "acme=https://logic.azure.com.canary.example/hook",
        "acme=https://canarylogic.azure.com/hook",
        "acme=https://a.logic.azure.com:8443/canary",
        "acme=https://canary:x@a.logic.azure.com/hook",
        "acme=https://canary.example#.logic.azure.com",
        "acme=https://canary.example\\.logic.azure.com/hook",
        "acme=https://a.logic.azure.com/canary hook",
        "acme=https://a.logic.azure.com/canary\r\nX: y",
        "acme=https://[canary",
        f"acme=https://a.logic.azure.com/canary{'x' * 2000}",
    ],
)
def test_webhook_that_cannot_be_used_is_refused_and_not_repeated(said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(teams_webhooks=said)

    assert "teams_webhooks" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_replay_refuses_a_webhook_that_is_elsewhere() -> None:
    with pytest.raises(HttpUrlError):
        read(teams_webhooks=f"acme={NEW}").teams(loopback_only=True)

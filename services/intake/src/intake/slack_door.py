"""Slack's interactivity: verified on its raw bytes and kept; buttons get their meaning with later work.

Its signature covers time and body; the same request within its five minutes is known by its own id (S-05).
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from slack_sdk.signature import Clock, SignatureVerifier

from duly_chassis.service import Knock, Unproved
from intake import forms
from intake.domain import NOBODY, Press

EVERYBODY = "*"
STAMP = re.compile(r"[0-9]{1,12}")
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
PAYLOAD_CHARACTERS_MAX = 60_000
Id = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*$")]
Value = Annotated[str, Meta(max_length=2_000, pattern=r"^[^\x00]*$")]


class Named(Struct, frozen=True):
    """A user, team or channel; its name is not read."""

    id: Id = ""


class Action(Struct, frozen=True):
    """One pressed element."""

    action_id: Id = ""
    block_id: Id = ""
    type: Id = ""
    value: Value = ""
    action_ts: Id = ""


class Container(Struct, frozen=True):
    """The message in which it was pressed."""

    message_ts: Id = ""
    channel_id: Id = ""


class Payload(Struct, frozen=True):
    """What is read of an interaction; the message's text, names and entered words are not."""

    type: Id
    user: Named
    team: Named | None = None
    trigger_id: Id = ""
    response_url: Id = ""
    api_app_id: Id = ""
    container: Container = Container()
    actions: Annotated[tuple[Action, ...], Meta(max_length=25)] = ()


class SlackDoor:
    """Verifies and reads what Slack sends."""

    def __init__(
        self, secrets: Mapping[str, Sequence[str]], workspaces: Mapping[str, str], clock: Clock | None = None
    ) -> None:
        self._workspaces = workspaces
        self._verifiers = {
            owner: [SignatureVerifier(secret, clock or Clock()) for secret in found] for owner, found in secrets.items()
        }

    def verify(self, knock: Knock) -> str:
        """Return whose secret signed; raises Unproved, or whatever the verifier raises on odd input."""
        stamp, signature = knock.header("x-slack-request-timestamp"), knock.header("x-slack-signature")
        if not self._verifiers:
            raise Unproved("not_set_up")
        if not STAMP.fullmatch(stamp):
            raise Unproved("timestamp")
        if not SIGNATURE.fullmatch(signature):
            raise Unproved("signature")
        for owner, verifiers in self._verifiers.items():
            if any(one.is_valid(knock.body, stamp, signature) for one in verifiers):
                return owner
        raise Unproved("signature")

    def press(self, knock: Knock, owner: str) -> Press:
        """Read an interaction, with the tenant its workspace is bound to; raises ValueError."""
        if forms.content_type(knock) != forms.FORM:
            raise ValueError("not_a_form")
        payload = forms.single(forms.fields(knock.body), "payload", PAYLOAD_CHARACTERS_MAX)
        found = msgspec.json.decode(payload, type=Payload)
        workspace = found.team.id if found.team else ""
        signature = knock.header("x-slack-signature").encode()
        facts = {
            "type": found.type,
            "app": found.api_app_id,
            "response_url": found.response_url,
            "container": found.container,
            "actions": found.actions,
        }
        return Press(
            tenant_id=self._tenant(workspace, owner),
            key=found.trigger_id or hashlib.sha256(signature).hexdigest(),
            workspace=workspace,
            user_id=found.user.id,
            facts=msgspec.json.encode(facts).decode(),
        )

    def _tenant(self, workspace: str, owner: str) -> str:
        """Return whose a workspace is, if the secret that signed may speak for them."""
        tenant = self._workspaces.get(workspace) or self._workspaces.get(EVERYBODY, NOBODY)
        allowed = tenant if tenant in self._verifiers else EVERYBODY
        return tenant if allowed == owner else NOBODY

"""Twilio's callbacks: how a message fares, and what people answer. Its words and codes stop in this file.

Its signature covers the address as Twilio has it and the sorted fields, so it is tested against the configured public
address, whatever a proxy made of it (S-14). It has no timestamp: a replay is known by the message's id (S-13).
"""

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from twilio.request_validator import RequestValidator, get_signature_algorithm
from twilio.twiml.messaging_response import MessagingResponse

from duly_chassis.service import Knock, Reply, Unproved
from intake import forms
from intake.domain import Report, Text
from intake.look_alikes import latin
from intake.stop_words import Heard, Wish, heard

SID = re.compile(r"[A-Za-z0-9]{2,60}")
WORD = re.compile(r"[A-Za-z0-9_.-]{1,60}")
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
TENANT = re.compile(r"[a-z0-9-]{1,40}")
EVERYBODY = "*"
SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"
TWIML = b"text/xml; charset=utf-8"
BODY_CHARACTERS_MAX = 20_000
OF_TWILIO = {"STOP": Wish.STOP, "START": Wish.START, "HELP": Wish.HELP}
"""`OptOutType`, where Twilio itself took the text for one of these (its Advanced Opt-Out)."""


class TwilioDoor:
    """Verifies and reads what Twilio sends."""

    def __init__(
        self, public_url: str | None, tokens: Mapping[str, Sequence[str]], senders: Mapping[str, Sequence[str]]
    ) -> None:
        self._public_url = public_url
        self._validators = {owner: [RequestValidator(token) for token in found] for owner, found in tokens.items()}
        self._senders = senders

    def verify(self, knock: Knock) -> str:
        """Return whose token signed; raises Unproved, or whatever the validator raises on odd input."""
        signature = knock.header("x-twilio-signature")
        if self._public_url is None or not self._validators:
            raise Unproved("not_set_up")
        signed, algorithm = self._signed(knock), self._algorithm(knock)
        for owner in self._owners(knock.words.get("tenant")):
            for validator in self._validators[owner]:
                if validator.validate(self._public_url + knock.target, signed, signature, algorithm):
                    return owner
        raise Unproved("signature")

    def _signed(self, knock: Knock) -> object:
        """Return what the signature covers beside the address: the fields, or JSON by its hash in the address."""
        if forms.content_type(knock) == forms.FORM:
            return forms.fields(knock.body)
        if "bodySHA256=" not in knock.target:
            raise Unproved("body_unsigned")
        return knock.body.decode("utf-8")

    def _algorithm(self, knock: Knock) -> str:
        """Return what the signature is made with: newer accounts announce a shared key with SHA-256."""
        announced = any(name == SETTINGS_HEADER for name, _ in knock.headers)
        return str(get_signature_algorithm(knock.header(SETTINGS_HEADER) if announced else None))

    def _owners(self, tenant: str | None) -> list[str]:
        """Name whose tokens may have signed: the tenant's own in its address, else everybody's; unnamed, any."""
        if tenant is None:
            return list(self._validators)
        owner = tenant if tenant in self._validators else EVERYBODY
        return [owner] if owner in self._validators else []

    def report(self, knock: Knock, _owner: str) -> Report:
        """Read how a message fares; raises ValueError."""
        form = forms.fields(knock.body)
        sid, status = forms.single(form, "MessageSid", 60), forms.single(form, "MessageStatus", 60)
        code = forms.single(form, "ErrorCode", 60)
        if not SID.fullmatch(sid) or not status or not TENANT.fullmatch(knock.words["tenant"]):
            raise ValueError("fields")
        return Report(knock.words["tenant"], UUID(knock.words["outreach_id"]), sid, word(status), word(code))

    def text(self, knock: Knock, owner: str) -> Text:
        """Read what somebody wrote, with the tenants that use the sender it went to; raises ValueError."""
        form = forms.fields(knock.body)
        sid, number = forms.single(form, "MessageSid", 60), forms.single(form, "From", 60)
        words = forms.single(form, "Body", BODY_CHARACTERS_MAX)
        own, service = forms.single(form, "To", 60), forms.single(form, "MessagingServiceSid", 60)
        if not SID.fullmatch(sid):
            raise ValueError("fields")
        told = OF_TWILIO.get(forms.single(form, "OptOutType", 60))
        sender = service if service in self._senders else own
        tenants = tuple(one for one in self._senders.get(sender, ()) if self._owner_of(one) == owner)
        return Text(
            sid,
            number if NUMBER.fullmatch(number) else "",
            sender,
            tenants,
            words,
            heard(words, latin) if told is None else Heard(told, "keyword"),
        )

    def _owner_of(self, tenant: str) -> str:
        return tenant if tenant in self._validators else EVERYBODY


def word(text: str) -> str:
    """Return a word of Twilio's if it has the form of one, `other` for anything else."""
    return text if not text or WORD.fullmatch(text) else "other"


def answer(heard_: Heard, help_text: str | None, outcome: str) -> Reply:
    """Answer a text in TwiML: nothing, or help. STOP is answered by Twilio itself, which then sends nothing more."""
    response = MessagingResponse()
    if heard_.wish is Wish.HELP and help_text:
        response.message(help_text)
    return Reply(str(response).encode(), TWIML, outcome)

"""A request becomes a message in Slack: plain text and blocks, out of the same words. No clock, no network."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from messenger.channel import Letter, Note
from messenger.chat_layout import Part, parts, plain
from messenger.counts import Counts
from messenger.drafts import Drafts
from messenger.mail_body import NAME_MARK
from messenger.renderer import Renderer
from messenger.sandbox import Rendered
from messenger.slack import TEXT_CHARACTERS_MAX
from messenger.slack_blocks import blocks
from messenger.slack_people import reachable
from messenger.template_files import Wording
from messenger.templates import Catalogue, load
from messenger.unsendable import AddressRefused, TooLarge


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who is written to, by mail address; or a channel, by #name or id."""

    address: str = field(repr=False)
    name: str = field(default="", repr=False)
    zone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """All that a message is made of; `now` is the business clock's."""

    tenant: str
    outreach_id: UUID
    about: str
    step: str
    message: str  # the name of the template
    values: Mapping[str, str]
    recipient: Member
    now: datetime


class SlackWriter:
    """Writes messages for Slack; what many of them have in common is rendered once."""

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        renderer: Renderer | None = None,
        counts: Counts | None = None,
        hosts: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._drafts = Drafts("slack", _said, load() if catalogue is None else catalogue, renderer, counts, hosts)

    async def prepare(self, requests: Sequence[ChatRequest]) -> None:
        """Render what these need and no message needed before; `write` tells what came of it."""
        await self._drafts.prepare(requests)

    def write(self, request: ChatRequest) -> Letter:
        """Write one; raises Unsendable for what is wrong with this request alone, Later if it is unprepared."""
        address = request.recipient.address
        if not reachable(address):
            raise AddressRefused("not_an_address")
        wording, said = self.said(request)
        text = plain(said)
        if len(text) > TEXT_CHARACTERS_MAX:
            raise TooLarge
        return Letter(
            outreach_id=request.outreach_id,
            sender="",  # the app's own name and picture, which the workspace sets
            recipient=address,
            wording=wording.version,
            note=Note(request.tenant, request.about, request.step, text, blocks(said)),
        )

    def said(self, request: ChatRequest) -> tuple[Wording, tuple[Part, ...]]:
        """Return the wording and all that it says; raises Unsendable as `write` does."""
        wording, draft, name = self._drafts.find(request)
        return wording, tuple(Part(one.kind, one.text.replace(NAME_MARK, name), one.url) for one in draft)

    def wording(self, request: ChatRequest) -> Wording:
        """Choose the wording for a request; raises UnknownTemplate or NotWorded."""
        return self._drafts.choice(request).wording.on("slack")


def _said(rendered: Rendered) -> tuple[Part, ...]:
    return parts(rendered.text)

"""A request becomes a text: the brand first, then the wording, the token last. No clock, no network.

A text greets nobody by name: whoever holds the telephone reads it, and so does the operator of the network.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from messenger.channel import Letter, Note, short_token
from messenger.counts import Counts
from messenger.drafts import Drafts
from messenger.headers import clean
from messenger.numbers import mobile
from messenger.renderer import Renderer
from messenger.sandbox import Rendered
from messenger.sms_segments import plain, size_of
from messenger.template_files import Wording
from messenger.templates import Catalogue, load
from messenger.unsendable import TextTooLong

SEGMENTS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the telephone."""

    mobile: str = field(repr=False)
    zone: str | None = None
    locale: str | None = None
    name: str = field(default="", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """All that a text is made of; `now` and `useful_until` are the business clock's."""

    tenant: str
    outreach_id: UUID
    about: str
    step: str
    message: str  # the name of the template
    values: Mapping[str, str]
    recipient: Holder
    now: datetime
    useful_until: datetime | None = None


class TextWriter:
    """Writes texts from one sender: a number, a name, or the SID of a messaging service."""

    def __init__(
        self,
        sender: str,
        brand: str,
        segments_max: int = SEGMENTS_MAX,
        catalogue: Catalogue | None = None,
        renderer: Renderer | None = None,
        counts: Counts | None = None,
        hosts: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._sender = sender
        self._brand = clean(brand)
        self._segments_max = segments_max
        self._drafts = Drafts("sms", said, load() if catalogue is None else catalogue, renderer, counts, hosts)

    async def prepare(self, requests: Sequence[TextRequest]) -> None:
        """Render what these texts need and no text needed before; `write` tells what came of it."""
        await self._drafts.prepare(requests)

    def write(self, request: TextRequest) -> Letter:
        """Write one text; raises Unsendable for what is wrong with this request alone, Later if it is unprepared."""
        number = mobile(request.recipient.mobile)
        wording, text = self.text(request)
        if (segments := size_of(text).segments) > self._segments_max:
            raise TextTooLong(segments)
        useful_s = None if request.useful_until is None else int((request.useful_until - request.now).total_seconds())
        return Letter(
            outreach_id=request.outreach_id,
            sender=self._sender,
            recipient=number,
            wording=wording.version,
            note=Note(request.tenant, request.about, request.step, text, valid_for_s=useful_s),
        )

    def text(self, request: TextRequest) -> tuple[Wording, str]:
        """Return the wording and all that would be sent, however long; raises Unsendable as `write` does."""
        wording, body, _ = self._drafts.find(request)
        return wording, plain(f"{self._brand}: {body} {short_token(request.tenant, request.outreach_id)}")

    def wording(self, request: TextRequest) -> Wording:
        """Choose the wording for a request; raises UnknownTemplate or NotWorded."""
        return self._drafts.choice(request).wording.on("sms")


def said(rendered: Rendered) -> str:
    """Leave out what costs room and says nothing: empty lines, and spaces around lines."""
    return "\n".join(line.strip() for line in rendered.text.splitlines() if line.strip())

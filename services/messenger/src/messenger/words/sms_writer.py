"""A request becomes a text: the brand first, then the wording, the token last. No clock, no network.

A text greets nobody by name: whoever holds the telephone reads it, and so does the operator of the network.
"""

from typing import Unpack

from messenger.channel import Letter, Note, short_token
from messenger.domain import SMS
from messenger.templating.files import Wording
from messenger.templating.sandbox import Rendered
from messenger.words.drafts import Drafts, Shared
from messenger.words.headers import clean
from messenger.words.numbers import mobile
from messenger.words.request import Request
from messenger.words.sms_segments import plain, size_of
from messenger.words.unsendable import TextTooLong

SEGMENTS_MAX = 3


class TextWriter(Drafts[str]):
    """Writes texts from one sender: a number, a name, or the SID of a messaging service."""

    channel = SMS
    greets = False

    def __init__(self, sender: str, brand: str, segments_max: int = SEGMENTS_MAX, **shared: Unpack[Shared]) -> None:
        super().__init__(**shared)
        self._sender = sender
        self._brand = clean(brand)
        self._segments_max = segments_max

    def made(self, rendered: Rendered) -> str:
        """Leave out what costs room and says nothing: empty lines, and spaces around lines."""
        return "\n".join(line.strip() for line in rendered.text.splitlines() if line.strip())

    def write(self, request: Request) -> Letter:
        """Write one text; raises Unsendable for what is wrong with this request alone, Later if it is unprepared."""
        number = mobile(request.recipient.address)
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

    def text(self, request: Request) -> tuple[Wording, str]:
        """Return the wording and all that would be sent, however long; raises Unsendable as `write` does."""
        wording, body, _ = self.find(request)
        return wording, plain(f"{self._brand}: {body} {short_token(request.tenant, request.outreach_id)}")

"""A request becomes a message in Slack: plain text and blocks, out of the same words. No clock, no network."""

from messenger.channel import Letter, Note
from messenger.domain import SLACK
from messenger.slack.channel import TEXT_CHARACTERS_MAX
from messenger.slack.people import reachable
from messenger.templating.files import Wording
from messenger.templating.sandbox import Rendered
from messenger.words.chat_layout import Part, parts, plain
from messenger.words.drafts import Drafts
from messenger.words.mail_body import NAME_MARK
from messenger.words.request import Request
from messenger.words.slack_blocks import blocks
from messenger.words.unsendable import AddressRefused, TooLarge


class SlackWriter(Drafts[tuple[Part, ...]]):
    """Writes messages for Slack, to a mail address, or to a place by #name or id."""

    channel = SLACK

    def made(self, rendered: Rendered) -> tuple[Part, ...]:
        """Take the rendered text apart."""
        return parts(rendered.text)

    def write(self, request: Request) -> Letter:
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

    def said(self, request: Request) -> tuple[Wording, tuple[Part, ...]]:
        """Return the wording and all that it says; raises Unsendable as `write` does."""
        wording, draft, name = self.find(request)
        return wording, tuple(Part(one.kind, one.text.replace(NAME_MARK, name), one.url) for one in draft)

"""A request becomes a card in a team's channel, in the words of chats (words/slack_writer.py)."""

from collections.abc import Collection, Sequence

from messenger.channel import Letter, Note
from messenger.domain import TEAM
from messenger.words.chat_layout import plain
from messenger.words.request import Request
from messenger.words.slack_writer import SlackWriter
from messenger.words.teams_card import body
from messenger.words.unsendable import NotSetUp


class TeamsWriter:
    """Writes the cards of the tenants that have a webhook; who is greeted is the person it is about."""

    def __init__(self, chats: SlackWriter, tenants: Collection[str]) -> None:
        self._chats = chats
        self._tenants = tenants

    async def prepare(self, requests: Sequence[Request]) -> None:
        """Render what these cards need and no message needed before; `write` tells what came of it."""
        await self._chats.prepare([request for request in requests if request.tenant in self._tenants])

    def write(self, request: Request) -> Letter:
        """Write one card; raises Unsendable for what is wrong with this one alone, NotSetUp without a webhook."""
        if request.tenant not in self._tenants:
            raise NotSetUp
        wording, said = self._chats.said(request)
        return Letter(
            outreach_id=request.outreach_id,
            sender="",  # the workflow posts in its own name
            recipient=TEAM,
            wording=wording.version,
            note=Note(request.tenant, request.about, request.step, plain(said), body(said)),
        )

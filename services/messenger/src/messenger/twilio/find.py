"""Ask Twilio which texts it took: its list by recipient, searched for the token at the end of each text.

Listed once from the day of the first attempt on, and once without a date, for a text that waits has none. There is no
later end: a text may be taken long after it was sent, and here the clock may be a driven one.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from twilio.base import values
from twilio.rest import Client

from messenger.channel import Accepted, Found, NotThere, RefusedForGood, Sought, Unclear
from messenger.twilio import answers as twilio_answers
from messenger.twilio.client import listen

PAGE_TEXTS = 50  # as Twilio does by itself
PAGES_MAX = 20
ASKED_AT_ONCE_MAX = 4
EARLIER = timedelta(days=1)  # midnight in GMT, and clocks that differ
LIST_WITHIN_S = 60.0  # machine clock, for all pages of one recipient


class TwilioTexts:
    """What an account took; a page is answered within `page_within_s` (machine clock), or was not asked."""

    def __init__(self, client: Client, page_within_s: float) -> None:
        self._client = client
        self._page_within_s = page_within_s

    async def find(self, sought: Sequence[Sought]) -> list[Found]:
        """Return what Twilio knows of each, in their order; a recipient of several is asked about once."""
        by_recipient: dict[str, list[Sought]] = defaultdict(list)
        for one in sought:
            by_recipient[one.recipient].append(one)
        turn = asyncio.Semaphore(ASKED_AT_ONCE_MAX)

        async def ask(those: Sequence[Sought]) -> dict[tuple[str, UUID], Found]:
            async with turn:
                return await self._asked(those)

        answers = await asyncio.gather(*(ask(those) for those in by_recipient.values()))
        found = {key: one for answer in answers for key, one in answer.items()}
        return [found[one.tenant_id, one.outreach_id] for one in sought]

    async def _asked(self, those: Sequence[Sought]) -> dict[tuple[str, UUID], Found]:
        search = Search(those[0].recipient, min(one.first_posted_at for one in those))
        wanted = {one.token for one in those}
        heard = listen()
        otherwise: Found = NotThere()
        try:
            async with asyncio.timeout(LIST_WITHIN_S):
                for since in (search.since.strftime("%Y-%m-%d"), values.unset):
                    async with aclosing(self._pages(search.recipient, since)) as pages:
                        whole = await search.read(pages, wanted)
                    if search.knows(wanted):
                        break
                    if not whole:
                        otherwise = Unclear("too_many_texts")
        except Exception as error:  # noqa: BLE001 - whatever a list makes of Twilio's client, what is sought needs its answer
            otherwise = twilio_answers.unread(error, heard)
        return {(one.tenant_id, one.outreach_id): search.result(one.token, otherwise) for one in those}

    async def _pages(self, recipient: str, since: str | object) -> AsyncGenerator[list[Any], None]:
        """Give page after page, newest first as Twilio has them."""
        async with asyncio.timeout(self._page_within_s):
            page = await self._client.messages.page_async(to=recipient, date_sent_after=since, page_size=PAGE_TEXTS)
        while page is not None:
            yield list(page)
            async with asyncio.timeout(self._page_within_s):
                page = await page.next_page_async()


@dataclass(slots=True)
class Search:
    """What was found of one recipient's texts so far."""

    recipient: str = field(repr=False)
    first_posted_at: datetime
    found: dict[str, Found] = field(default_factory=dict, repr=False)  # by token
    hidden: bool = False  # a text of that time whose words were not shown

    @property
    def since(self) -> datetime:
        """Return the moment before which none of these can have been sent."""
        return self.first_posted_at - EARLIER

    async def read(self, pages: AsyncIterator[list[Any]], wanted: set[str]) -> bool:
        """Read pages until all is known or nothing more can come; False where more might."""
        number = 0
        async for texts in pages:
            number += 1
            for text in texts:
                self._look(text, wanted)
            if self.knows(wanted) or self._past(texts):
                return True
            if number == PAGES_MAX:
                return False
        return True

    def knows(self, wanted: set[str]) -> bool:
        """Tell whether each is known to be accepted: nothing that is listed later could change that."""
        return all(isinstance(self.found.get(token), Accepted) for token in wanted)

    def result(self, token: str, otherwise: Found) -> Found:
        """Return what is known of one; where its own text was not found, what the lists allow to say."""
        found = self.found.get(token)
        if isinstance(found, RefusedForGood) and not isinstance(otherwise, NotThere):
            return otherwise  # another attempt of it may stand in what could not be read
        if found is None and self.hidden and isinstance(otherwise, NotThere):
            return Unclear("text_hidden")
        return found or otherwise

    def _look(self, text: Any, wanted: set[str]) -> None:
        if not isinstance(text.body, str) or not text.body:
            created = text.date_created
            self.hidden |= text.to in {self.recipient, None} and (created is None or created >= self.since)
            return
        for token in wanted.intersection(text.body.split()):
            sid = twilio_answers.sid_of(text)
            if not sid or text.to != self.recipient:
                seen: Found = Unclear("text_of_another" if sid else "sid_missing")
            else:
                seen = twilio_answers.settled(sid, text)
            if not isinstance(self.found.get(token), Accepted):
                self.found[token] = seen

    def _past(self, texts: Sequence[Any]) -> bool:
        """Tell whether a page, visibly newest first, is older than anything sought."""
        moments = [text.date_created for text in texts if isinstance(text.date_created, datetime)]
        return len(moments) == len(texts) > 1 and max(moments) < self.since and moments[0] > moments[-1]

"""Every address of the page: pages for people, `/api` for machines, and a mail's HTML behind its own wall."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from duly_local.page import search
from duly_local.page.guard import OF_A_BODY, disarmed
from duly_local.page.letter import Head, Letter
from duly_local.page.search import Search
from duly_local.page.services import Services
from duly_local.page.shelf import Shelf

PER_PAGE = 50
NUMBER_DIGITS_MAX = 12
AT_ONCE_MAX = 4
"""How many mails are read and taken apart at a time, so that many questions do not starve the SMTP side."""
VIEWS = {"text": "Text", "html": "HTML", "headers": "Headers", "story": "Story"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of the list."""

    mails: int
    """How many there are."""
    found: int
    """How many the search found; all without one."""
    searched: int
    reading: bool
    page: int
    pages: int
    items: list[Head]


class Views:
    """The handlers, each a question to the shelf, the search or the services."""

    def __init__(self, shelf: Shelf, services: Services) -> None:
        self._shelf = shelf
        self._services = services
        self.search = Search(shelf)
        self._room = asyncio.Semaphore(AT_ONCE_MAX)
        self._pages = Environment(
            loader=PackageLoader("duly_local.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._style = files("duly_local.page").joinpath("templates", "style.css").read_bytes()

    def routes(self) -> list[web.RouteDef]:
        """Name every path; all are GET, and nothing here changes anything."""
        table = {
            "/": self.list,
            r"/mails/{number:\d+}": self.mail,
            r"/mails/{number:\d+}/{view:text|html|headers|story}": self.mail,
            r"/mails/{number:\d+}/body": self.body,
            "/style.css": self.style,
            "/api/mails": self.api_list,
            r"/api/mails/{number:\d+}": self.api_mail,
        }
        return [web.get(path, handler, allow_head=False) for path, handler in table.items()]

    async def list(self, request: web.Request) -> web.Response:
        """Show a page of the list, or of what a search found."""
        query, page = asked(request.query)
        listed = await self._listed(query, page)
        limits = {"mails_max": search.MAILS_MAX, "text_max": search.TEXT_CHARACTERS_MAX}
        return self._html("list.html", listed=listed, query=query, link=link, limits=limits)

    async def mail(self, request: web.Request) -> web.Response:
        """Show one mail from one side: text, HTML, headers or story."""
        number, view = number_of(request), request.match_info.get("view", "text")
        letter = await self._letter(number)
        async with self._room:
            beside = await asyncio.to_thread(self._shelf.beside, number)
        story = await self._services.story(letter.head) if view == "story" else None
        return self._html("mail.html", letter=letter, view=view, views=VIEWS, beside=beside, story=story)

    async def body(self, request: web.Request) -> web.Response:
        """Give a mail's HTML as it is, behind a wall that lets it fetch, run, send and leave nothing."""
        letter = await self._letter(number_of(request))
        return web.Response(text=disarmed(letter.html), content_type="text/html", headers=OF_A_BODY)

    async def style(self, _request: web.Request) -> web.Response:
        """Give the one stylesheet."""
        return web.Response(body=self._style, content_type="text/css", charset="utf-8")

    async def api_list(self, request: web.Request) -> web.Response:
        """Give a page of the list as JSON."""
        return web.json_response(asdict(await self._listed(*asked(request.query))))

    async def api_mail(self, request: web.Request) -> web.Response:
        """Give one mail as JSON."""
        return web.json_response(asdict(await self._letter(number_of(request))))

    def refused(self, request: web.Request, status: int, sentence: str) -> web.Response:
        """Write a refusal, for people or for machines."""
        if request.path.startswith("/api/"):
            return web.json_response({"error": sentence}, status=status)
        return self._html("refused.html", status, sentence=sentence)

    async def _listed(self, query: str, page: int) -> Listed:
        numbers = await asyncio.to_thread(self._shelf.numbers)
        found, searched, reading = numbers[::-1], len(numbers), False
        if query:
            outcome = await self.search.find(query)
            found, searched, reading = outcome.numbers, outcome.searched, outcome.reading
        pages = max(1, -(-len(found) // PER_PAGE))
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
        async with self._room:
            heads = await asyncio.to_thread(lambda: [self._shelf.head(number) for number in shown])
        items = [head for head in heads if head]
        return Listed(len(numbers), len(found), searched, reading, page, pages, items)

    async def _letter(self, number: int) -> Letter:
        """Read a mail; raises 404 for one that is not there."""
        async with self._room:
            letter = await asyncio.to_thread(self._shelf.letter, number)
        if letter is None:
            raise web.HTTPNotFound(text="There is no such mail.")
        return letter

    def _html(self, template: str, status: int = HTTPStatus.OK, **words: Any) -> web.Response:
        text = self._pages.get_template(template).render(words)
        return web.Response(text=text, status=status, content_type="text/html")


def asked(query: Mapping[str, str]) -> tuple[str, int]:
    """Read what a list was asked for; raises 400 for anything else (S-52)."""
    words, page = query.get("search", "").strip(), query.get("page", "1")
    if query.keys() - {"search", "page"} or len(words) > search.QUERY_CHARACTERS_MAX:
        raise web.HTTPBadRequest(
            text=f"A list takes search, of up to {search.QUERY_CHARACTERS_MAX} characters, and page."
        )
    if not (page.isascii() and page.isdecimal() and len(page) <= NUMBER_DIGITS_MAX and int(page)):
        raise web.HTTPBadRequest(text="A page is a number from 1 on.")
    return words, int(page)


def number_of(request: web.Request) -> int:
    """Read a mail's number; raises 404 for one that cannot be."""
    text = request.match_info["number"]
    if len(text) > NUMBER_DIGITS_MAX or not text.isascii():
        raise web.HTTPNotFound(text="There is no such mail.")
    return int(text)


def link(query: str, page: int) -> str:
    """Return the address of a page of the list."""
    wanted = {name: value for name, value in (("search", query), ("page", page)) if value and value != 1}
    return f"/?{urlencode(wanted)}" if wanted else "/"

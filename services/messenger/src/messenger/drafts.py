"""Words filled in and kept: what is the same for many people is rendered once, whatever channel it goes on.

`prepare` renders beforehand, where waiting is allowed; `find` only looks up, and says what is wrong with one request.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from messenger.counts import Counts
from messenger.headers import clean, shortened
from messenger.mail_body import NAME_MARK
from messenger.mail_words import ANY_HOST, days_ahead, words
from messenger.renderer import HereRenderer, Renderer
from messenger.sandbox import Rendered
from messenger.template_files import Wording
from messenger.templates import Catalogue, Choice
from messenger.unsendable import Later, Unsendable

NAME_CHARACTERS_MAX = 100
DRAFTS_MAX = 256  # of some 15 kB: few trainings, deadlines, zones and locales are shared by many people
RENDERING_S_MAX = 2.0
"""How long one `prepare` goes on beginning to render (machine clock): rows are locked meanwhile."""

Key = tuple[str, tuple[str, ...], str | None, str, tuple[int, ...], str]
"""All that a draft may depend on: wording, values, zone, locale, days ahead, and the name or the mark in its place."""

Draft = TypeVar("Draft")


class Reader(Protocol):
    """Who reads it; without a zone or a locale that we know it says UTC and speaks the tenant's language."""

    @property
    def name(self) -> str:
        """Return the name to greet by, or nothing."""

    @property
    def zone(self) -> str | None:
        """Return the IANA zone that moments are said in."""

    @property
    def locale(self) -> str | None:
        """Return the locale."""


class Request(Protocol):
    """What any message is made of, whatever it goes on."""

    @property
    def tenant(self) -> str:
        """Return whose message it is."""

    @property
    def message(self) -> str:
        """Return the name of the template."""

    @property
    def values(self) -> Mapping[str, str]:
        """Return what whoever asked for it sent with it."""

    @property
    def recipient(self) -> Reader:
        """Return who reads it."""

    @property
    def now(self) -> datetime:
        """Return the business clock's moment."""


class Drafts(Generic[Draft]):
    """The drafts of one channel; `made` turns what was rendered into what the channel keeps."""

    def __init__(
        self,
        channel: str,
        made: Callable[[Rendered], Draft],
        catalogue: Catalogue,
        renderer: Renderer | None = None,
        counts: Counts | None = None,
        hosts: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._channel = channel
        self._made = made
        self._catalogue = catalogue
        self._renderer = renderer or HereRenderer()
        self._counts = counts or Counts()
        self._hosts = hosts or {}
        self._kept: OrderedDict[Key, Draft | Unsendable] = OrderedDict()

    def choice(self, request: Request) -> Choice:
        """Choose the language for a request; raises UnknownTemplate."""
        return self._catalogue.choose(request.tenant, request.message, request.recipient.locale)

    async def prepare(self, requests: Sequence[Request]) -> None:
        """Render what these need and none needed before; `find` tells what came of it."""
        until_s = time.monotonic() + RENDERING_S_MAX
        tried: set[Key] = set()
        for request in requests:
            with suppress(Unsendable):  # what is wrong with one request, `find` says of that one
                wording, key, _ = self._key(request)
                if key not in tried and not self._ready(key) and time.monotonic() < until_s:
                    tried.add(key)
                    self._keep(key, await self._rendered(request, wording, key))

    def find(self, request: Request) -> tuple[Wording, Draft, str]:
        """Return wording, draft and the name to put in; raises Unsendable for this request, Later if unprepared."""
        wording, key, name = self._key(request)
        draft = self._kept.get(key)
        if isinstance(draft, Unsendable):
            raise draft
        if draft is None:
            said = self._words(request, wording, key)  # a value that is missing or wrong is known without rendering
            if not isinstance(self._renderer, HereRenderer):
                raise Later("not_rendered_yet")
            draft = self._made(self._renderer.now(wording, said))
            self._keep(key, draft)
        else:
            self._kept.move_to_end(key)
        if missing := self.choice(request).missing:
            self._counts.missing.labels("messenger", wording.message, missing).inc()
        return wording, draft, name

    def _ready(self, key: Key) -> bool:
        return key in self._kept and not isinstance(self._kept[key], Unsendable)

    async def _rendered(self, request: Request, wording: Wording, key: Key) -> Draft | Unsendable:
        try:
            return self._made(await self._renderer.render(wording, self._words(request, wording, key)))
        except Unsendable as error:
            return error

    def _key(self, request: Request) -> tuple[Wording, Key, str]:
        """Name the draft that a request needs; raises UnknownTemplate, NotWorded, MissingValue or BadValue."""
        to, choice = request.recipient, self.choice(request)
        wording = choice.wording.on(self._channel)
        name = shortened(clean(to.name), NAME_CHARACTERS_MAX)
        key = (
            f"{request.tenant}{wording.key}",  # the hosts of links are each tenant's own
            tuple(request.values.get(one, "") for one in wording.values),
            to.zone,
            choice.locale,
            days_ahead(wording.values, request.values, request.now, to.zone),
            NAME_MARK if name and wording.name_apart else name,
        )
        return wording, key, name

    def _words(self, request: Request, wording: Wording, key: Key) -> dict[str, object]:
        _, _, zone, locale, days, name = key
        hosts = self._hosts.get(request.tenant, self._hosts.get("*", ANY_HOST))
        return words(wording.values, request.values, zone, locale, days, hosts) | {"name": name}

    def _keep(self, key: Key, draft: Draft | Unsendable) -> None:
        self._kept[key] = draft
        self._kept.move_to_end(key)
        if len(self._kept) > DRAFTS_MAX:
            self._kept.popitem(last=False)

"""Words filled in and kept: what is the same for many people is rendered once, whatever channel it goes on.

`prepare` renders beforehand, where waiting is allowed; `find` only looks up, and says what is wrong with one request.
"""

import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Generic, TypedDict, TypeVar, Unpack

from messenger.counts import Counts
from messenger.templates import Catalogue, Choice, load
from messenger.templating.files import Wording
from messenger.templating.renderer import HereRenderer, Renderer
from messenger.templating.sandbox import Rendered
from messenger.words.headers import clean, shortened
from messenger.words.mail_body import NAME_MARK
from messenger.words.mail_words import ANY_HOST, days_ahead, words
from messenger.words.request import Request
from messenger.words.unsendable import Later, Unsendable

NAME_CHARACTERS_MAX = 100
DRAFTS_MAX = 256  # of some 15 kB: few trainings, deadlines, zones and locales are shared by many people
RENDERING_S_MAX = 2.0
"""How long one `prepare` goes on beginning to render (machine clock): rows are locked meanwhile."""

Key = tuple[str, tuple[str, ...], str | None, str, tuple[int, ...], str]
"""All that a draft may depend on: wording, values, zone, locale, days ahead, and the name or the mark in its place."""

Draft = TypeVar("Draft")


class Shared(TypedDict, total=False):
    """What all writers of a process have in common."""

    catalogue: Catalogue | None  # the shipped one, where none is given
    renderer: Renderer | None  # renders here, where none is given
    counts: Counts | None
    hosts: Mapping[str, Collection[str]] | None
    """Where links may lead, by tenant; `*` is everybody else."""


class Drafts(ABC, Generic[Draft]):
    """What every channel's writer has: its wordings, and the drafts that many messages have in common."""

    channel: ClassVar[str]
    """Whose words it says."""
    greets: ClassVar[bool] = True
    """Whether it greets people by their names."""

    def __init__(self, **shared: Unpack[Shared]) -> None:
        catalogue = shared.get("catalogue")
        self._catalogue = load() if catalogue is None else catalogue
        self._renderer = shared.get("renderer") or HereRenderer()
        self._counts = shared.get("counts") or Counts()
        self._hosts = shared.get("hosts") or {}
        self._kept: OrderedDict[Key, Draft | Unsendable] = OrderedDict()

    @abstractmethod
    def made(self, rendered: Rendered) -> Draft:
        """Turn what was rendered into what this channel keeps of it; raises Unsendable."""

    def wording(self, request: Request) -> Wording:
        """Choose the wording for a request; raises UnknownTemplate or NotWorded."""
        return self.choice(request).wording.on(self.channel)

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
            draft = self.made(self._renderer.now(wording, said))
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
            return self.made(await self._renderer.render(wording, self._words(request, wording, key)))
        except Unsendable as error:
            return error

    def _key(self, request: Request) -> tuple[Wording, Key, str]:
        """Name the draft that a request needs; raises UnknownTemplate, NotWorded, MissingValue or BadValue."""
        to, choice = request.recipient, self.choice(request)
        wording = choice.wording.on(self.channel)
        name = shortened(clean(to.name), NAME_CHARACTERS_MAX) if self.greets else ""
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

"""Everything about words, wired for one process: wordings loaded, the child that renders them, what is counted."""

from collections.abc import Mapping
from typing import Any

from duly_chassis.addresses import parse_mailbox
from duly_chassis.clock import Clock
from duly_chassis.database import Connection
from duly_chassis.service import Answer, Context, Loop, Step, Troubled
from messenger import preview
from messenger.counts import Counts
from messenger.settings import Settings
from messenger.templates import load
from messenger.templating.renderer import ChildRenderer
from messenger.words.drafts import Shared
from messenger.words.mail import MailWriter
from messenger.words.preview_layouts import Writers
from messenger.words.slack_writer import SlackWriter
from messenger.words.sms_writer import TextWriter
from messenger.words.unsendable import Later

LOOK_S = 5.0  # machine clock: how soon a child that was killed while nobody needed it is replaced


class Words:
    """What messenger says and how; raises TemplateRefused where a template is broken, so that the start fails."""

    def __init__(self, settings: Settings) -> None:
        self._zone = settings.default_zone
        self._counts = Counts()
        self._renderer = ChildRenderer(self._counts)
        catalogue = load(settings.templates_dir, settings.default_locale, settings.tenant_locales)
        self.close = self._renderer.close
        shared = Shared(catalogue=catalogue, renderer=self._renderer, counts=self._counts, hosts=settings.link_hosts)
        sender = parse_mailbox(settings.mail_sender)
        self.mails = MailWriter(sender, **shared)
        self.chats = SlackWriter(**shared)
        self.texts = TextWriter(
            settings.text_sender, settings.sms_brand or sender.name, settings.sms_segments_max, **shared
        )

    @property
    def loop(self) -> Loop:
        """The loop that starts the rendering process and keeps one at hand."""
        return Loop("renderer", self._start, LOOK_S, self.close, woken=False)

    def preview(self, clock: Clock) -> Answer:
        """Return the answer that says what a person would be sent now."""

        async def answer(connection: Connection, query: Mapping[str, str]) -> Any:
            writers = Writers(self.mails, self.chats, self.texts, self._zone)
            return await preview.of_person(connection, query, writers, clock.now())

        return answer

    def _start(self, context: Context) -> Step:
        self._counts.register(context.metrics.registry)
        return self._look

    async def _look(self) -> bool:
        try:
            await self._renderer.ready()
        except Later:
            raise Troubled("no rendering process can be started") from None
        return False

"""Slack at its fake of deploy/local."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from duly_local import accept_log
from duly_local.lies import Lie, Lies
from duly_local.slack_fake import serving
from duly_local.slack_methods import POST, SlackFake
from duly_local.slack_state import Workspace
from messenger.channel import Bounds, Letter, Note
from messenger.slack.channel import SlackChannel
from messenger.slack.client import SlackSettings
from tests.compliance.bench import CANARY, Deed
from tests.support.waiting import until

TOKEN = "xoxb-canary-1"  # noqa: S105 - nobody's
MAIL = f"{CANARY}@learners.example"
ANSWER_S, SLOW_S, LATE_S = 2.0, 4.0, 4.5
LIES: Mapping[Deed, Lie | None] = {
    Deed.ACCEPT: None,
    Deed.REFUSE_FOR_NOW: Lie.TOO_MANY_SILENT,
    Deed.WAIT_1_S: Lie.TOO_MANY,
    Deed.FAIL_BEFORE: Lie.ERROR_BEFORE,
    Deed.ACCEPT_AND_CUT: Lie.CUT_AFTER,
    Deed.ACCEPT_AND_FAIL: Lie.ERROR_AFTER,
    Deed.ACCEPT_IN_SILENCE: Lie.SLOW,
    Deed.ACCEPT_AND_BABBLE: Lie.HTML,
    Deed.ACCEPT_AS_ANOTHER: Lie.OTHER_ID,
    Deed.REDIRECT: Lie.REDIRECT,
    Deed.CUT: Lie.CUT_BEFORE,
    Deed.ACCEPT_LATE: Lie.LATE,
}
REFUSALS = {Deed.REFUSE_FOR_GOOD: "invalid_blocks", Deed.NO_LOGIN: "token_revoked"}


@dataclass
class SlackBench:
    """See Bench."""

    fake: SlackFake
    channel: SlackChannel
    secrets: Collection[str] = (TOKEN,)

    @property
    def read_back(self) -> SlackChannel:
        return self.channel

    @property
    def bounds(self) -> Bounds:
        return self.channel.bounds

    def letter(self) -> Letter:
        note = Note("acme", "course-7", "first", f"{CANARY} is due", ({"type": "divider"},))
        return Letter(uuid4(), "duly@duly.example", MAIL, note=note)

    def tell(self, *deeds: Deed) -> None:
        for deed in deeds:
            if deed is Deed.NOBODY:
                self.fake.workspace.unknown = {MAIL}
            elif deed in REFUSALS:
                self.fake.workspace.refuses.append(REFUSALS[deed])
            else:
                self.fake.liar.lies.planned.append(LIES[deed])

    def accepted(self) -> Sequence[UUID]:
        log = accept_log.read(self.fake.workspace.folder / "accepted.jsonl")
        return [UUID(one["metadata"]["event_payload"]["outreach_id"]) for one in log]

    def requests(self) -> int:
        return self.fake.asked.count(POST)

    async def let_late_arrive(self) -> None:
        # It is in the log a moment before it is shown, and a search in between would not find it.
        await until(lambda: any(self.fake.workspace.messages.values()))


@asynccontextmanager
async def slack_bench(folder: Path) -> AsyncIterator[SlackBench]:
    """Slack at its fake, which takes one token."""
    lies = Lies(slow_s=SLOW_S, late_s=LATE_S)
    async with serving(Workspace(folder, token=TOKEN), lies=lies) as (fake, url):
        channel = SlackChannel(SlackSettings(TOKEN, url, loopback_only=True, answer_timeout_s=ANSWER_S))
        try:
            yield SlackBench(fake, channel)
        finally:
            await channel.close()

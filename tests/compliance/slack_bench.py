"""Slack at its stand-in of deploy/local."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from duly_local.accepts import entries
from duly_local.lies import Lie, Lies, RetryAfter
from duly_local.slack_fake import serving
from duly_local.slack_methods import SlackFake
from duly_local.slack_state import Workspace
from messenger.channel import Bounds, Letter, Note
from messenger.slack import SlackChannel
from messenger.slack_client import SlackSettings
from tests.compliance.bench import CANARY, Deed

TOKEN = "xoxb-canary-1"  # noqa: S105 - nobody's
ANSWER_S, SLOW_S = 0.5, 1.0
LIES: Mapping[Deed, Lie | None] = {
    Deed.ACCEPT: None,
    Deed.REFUSE_FOR_NOW: Lie.TOO_MANY,
    Deed.WAIT_7_S: Lie.TOO_MANY,
    Deed.FAIL_BEFORE: Lie.ERROR_BEFORE,
    Deed.ACCEPT_AND_CUT: Lie.CUT_AFTER,
    Deed.ACCEPT_AND_FAIL: Lie.ERROR_AFTER,
    Deed.ACCEPT_IN_SILENCE: Lie.SLOW,
    Deed.ACCEPT_AND_BABBLE: Lie.NOT_JSON,
    Deed.CUT: Lie.CUT_BEFORE,
    Deed.ACCEPT_LATE: Lie.LATE,
}


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
        return Letter(uuid4(), "duly@duly.example", f"{CANARY}@learners.example", note=note)

    def tell(self, *deeds: Deed) -> None:
        workspace, lies = self.fake.workspace, self.fake.lies
        for deed in deeds:
            match deed:
                case Deed.REFUSE_FOR_GOOD:
                    workspace.refuses.append("invalid_blocks")
                case Deed.NOBODY:
                    workspace.unknown = {f"{CANARY}@learners.example"}
                case Deed.NO_LOGIN:
                    workspace.refuses.append("token_revoked")
                case _:
                    lies.forms = (RetryAfter.SECONDS,) if deed is Deed.WAIT_7_S else (RetryAfter.ABSENT,)
                    lies.told.append(LIES[deed])

    def accepted(self) -> Sequence[UUID]:
        log = entries(self.fake.workspace.log)
        return [UUID(one["metadata"]["event_payload"]["outreach_id"]) for one in log]

    def requests(self) -> int:
        return self.fake.asked.count("chat.postMessage")

    async def let_late_arrive(self) -> None:
        self.fake.hurry.set()
        await asyncio.gather(*self.fake.late)


@asynccontextmanager
async def slack_bench(folder: Path) -> AsyncIterator[SlackBench]:
    """Slack at its stand-in, which takes one token."""
    fake = SlackFake(Workspace(folder / "accepts.jsonl", token=TOKEN), Lies(), slow_s=SLOW_S, late_s=600)
    async with serving(fake) as url:
        channel = SlackChannel(SlackSettings(TOKEN, url, loopback_only=True, answer_timeout_s=ANSWER_S))
        yield SlackBench(fake, channel)
        await channel.close()
        fake.hurry.set()

"""Texts at the Twilio of deploy/local."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from duly_chassis.clock import DrivenClock
from duly_local import accept_log
from duly_local.lies import Lie, Lies
from duly_local.twilio_fake import ACCEPTED, ACCOUNT, serving
from duly_local.twilio_methods import TwilioFake
from messenger.channel import Bounds, Letter, Note, short_token
from messenger.twilio.channel import TwilioSms
from messenger.twilio.client import TwilioSettings
from tests.compliance.bench import CANARY, Deed
from tests.support.waiting import until

TOKEN, NUMBER, SENDER = "canary-token-1", "+447400000001", "+447400999999"
ANSWER_S, SLOW_S, LATE_S = 1.5, 3.0, 4.0
NOW = datetime(2014, 1, 17, 9, tzinfo=UTC)
"""A driven clock: nothing of a text's way may go by it."""
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
REFUSALS = {Deed.REFUSE_FOR_GOOD: 21606, Deed.NOBODY: 21211}


@dataclass
class SmsBench:
    """See Bench."""

    fake: TwilioFake
    log: Path
    channel: TwilioSms
    secrets: Collection[str] = (TOKEN, NUMBER, NUMBER.removeprefix("+"))

    @property
    def read_back(self) -> TwilioSms:
        return self.channel

    @property
    def bounds(self) -> Bounds:
        return self.channel.bounds

    def letter(self) -> Letter:
        outreach_id = uuid4()
        note = Note("acme", "course-7", "first", f"{CANARY} is due {short_token('acme', outreach_id)}")
        return Letter(outreach_id, SENDER, NUMBER, note=note)

    def tell(self, *deeds: Deed) -> None:
        for deed in deeds:
            if deed in REFUSALS:
                self.fake.texts.refused[NUMBER] = REFUSALS[deed]
            elif deed is Deed.NO_LOGIN:
                self.fake.token = "another"  # noqa: S105 - nobody's
            else:
                self.fake.liar.lies.planned.append(LIES[deed])

    def accepted(self) -> Sequence[UUID]:
        return [UUID(line["callback"].rpartition("/")[2]) for line in accept_log.read(self.log)]

    def requests(self) -> int:
        return self.fake.texts.asked

    async def let_late_arrive(self) -> None:
        await until(lambda: self.fake.texts.by_sid)


@asynccontextmanager
async def sms_bench(folder: Path) -> AsyncIterator[SmsBench]:
    """Twilio at its stand-in, which takes one token; nobody listens where it tells what became of a text."""
    lies = Lies(slow_s=SLOW_S, late_s=LATE_S)
    async with serving(folder, lies=lies, token=TOKEN) as (fake, url):
        told_at = "http://127.0.0.1:1"
        settings = TwilioSettings(ACCOUNT, TOKEN, url, told_at, loopback_only=True, answer_timeout_s=ANSWER_S)
        channel = TwilioSms(settings, DrivenClock(NOW))
        try:
            yield SmsBench(fake, folder / ACCEPTED, channel)
        finally:
            await channel.close()

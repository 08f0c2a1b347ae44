"""Mail on the scripted SMTP server: what it accepted is a body with its final dot that it said 250 to."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from messenger.channel import Bounds, Letter
from messenger.smtp.channel import SmtpChannel
from messenger.smtp.relay import SmtpSettings
from tests.compliance.bench import CANARY, Deed
from tests.unit.messenger.scripted_smtp import OK, Act, ScriptedSmtp, scripted_smtp

ANSWER_S = 1.5
WORDS: Mapping[Deed, tuple[str, Act]] = {
    Deed.ACCEPT: ("BODY", OK),
    Deed.REFUSE_FOR_NOW: ("BODY", b"451 4.3.0 canary@learners.example later\r\n"),
    Deed.REFUSE_FOR_GOOD: ("BODY", b"554 5.6.0 canary@learners.example no\r\n"),
    Deed.ACCEPT_AND_CUT: ("BODY", "cut"),
    Deed.ACCEPT_IN_SILENCE: ("BODY", "silence"),
    Deed.ACCEPT_AND_BABBLE: ("BODY", b"canary!\r\n"),
    Deed.CUT: ("BODY", "cut"),
    Deed.ACCEPT_LATE: ("BODY", "cut"),
}
CANNOT = {
    Deed.WAIT_1_S: "SMTP has no words for it",
    Deed.FAIL_BEFORE: "a whole reply to the final dot is certain in SMTP",
    Deed.ACCEPT_AND_FAIL: "a whole reply to the final dot is certain in SMTP",
    Deed.ACCEPT_AS_ANOTHER: "the 250 names no message that we would know",
    Deed.REDIRECT: "SMTP has no such thing",
    Deed.NOBODY: "the next channel is tried after a bounce, not after a relay's word",
    Deed.NO_LOGIN: "a relay's login is refused before there is a letter",
}
ACCEPTED = frozenset({Deed.ACCEPT, Deed.ACCEPT_AND_CUT, Deed.ACCEPT_IN_SILENCE, Deed.ACCEPT_AND_BABBLE})
OUTREACH = re.compile(rb"Outreach: (\S+)")


@dataclass
class MailBench:
    """See Bench."""

    smtp: ScriptedSmtp
    channel: SmtpChannel
    read_back: None = None
    bounds: Bounds | None = None
    secrets: Collection[str] = ()
    deeds: list[Deed] = field(default_factory=list)
    late: list[UUID] = field(default_factory=list)

    def letter(self) -> Letter:
        identity = uuid4()
        content = f"Subject: {CANARY}\r\nOutreach: {identity}\r\n\r\n{CANARY}\r\n".encode()
        return Letter(identity, "duly@duly.example", f"{CANARY}@learners.example", content)

    def tell(self, *deeds: Deed) -> None:
        self.deeds += deeds
        for deed in deeds:
            word, act = WORDS[deed]
            planned = self.smtp.script.setdefault(word, [])
            assert isinstance(planned, list)
            planned.append(act)

    def accepted(self) -> Sequence[UUID]:
        after_body = [deed for deed in self.deeds if WORDS[deed][0] == "BODY"]
        found = []
        for number, body in enumerate(self.smtp.bodies):
            identity = OUTREACH.search(body)
            assert identity is not None
            if number >= len(after_body) or after_body[number] in ACCEPTED:
                found.append(UUID(identity[1].decode()))
        return [*found, *self.late]

    def requests(self) -> int:
        return len(self.smtp.bodies) + len([scrap for scrap in self.smtp.scraps if scrap])

    async def let_late_arrive(self) -> None:
        last = OUTREACH.search(self.smtp.bodies[-1])
        assert last is not None
        self.late.append(UUID(last[1].decode()))
        await asyncio.sleep(0)


@asynccontextmanager
async def mail_bench(_folder: Path) -> AsyncIterator[MailBench]:
    """Mail at its scripted relay."""
    async with scripted_smtp() as smtp:
        settings = SmtpSettings("127.0.0.1", smtp.port, connections=1, timeout_s=ANSWER_S, loopback_only=True)
        channel = SmtpChannel(settings)
        try:
            yield MailBench(smtp, channel)
        finally:
            await channel.close()

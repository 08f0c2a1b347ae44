"""Microsoft Teams at a stand-in for a workflow's webhook, which takes one signature."""

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from aiohttp import web

from duly_local.lies import Lie, Lies
from duly_local.lying import Deed as Asked
from duly_local.lying import Liar, Reply
from duly_local.standing_in import listening
from messenger.channel import Letter, Note
from messenger.teams.channel import TeamsChannel, TeamsSettings
from messenger.words.chat_layout import Part
from messenger.words.teams_card import body
from tests.compliance.bench import CANARY, Deed
from tests.support.waiting import until

SIGNATURE = "canary%2Fsig%2B1"
FLOW = "/workflows/1/triggers/manual/paths/invoke"
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
    Deed.REDIRECT: Lie.REDIRECT,
    Deed.CUT: Lie.CUT_BEFORE,
    Deed.ACCEPT_LATE: Lie.LATE,
}
REFUSALS = {Deed.REFUSE_FOR_GOOD: 400, Deed.NO_LOGIN: 401}
CANNOT = {
    Deed.NOBODY: "it goes to a team's place: no person's address is ever asked for",
    Deed.ACCEPT_AS_ANOTHER: "the 202 names no message that we would know",
}


@dataclass(frozen=True, slots=True)
class Taken(Reply):
    """The answer of a workflow that has begun: 202, the run in a header, and no body."""

    def response(self, headers: Mapping[str, str] | None = None) -> web.Response:
        return web.Response(status=202, headers={"x-ms-workflow-run-id": "08584CU00", **(headers or {})})


@dataclass
class Workflow:
    """One webhook, and the cards that it took."""

    liar: Liar
    refusals: list[int] = field(default_factory=list)
    cards: list[dict[str, object]] = field(default_factory=list)
    asked: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if request.raw_path.partition("?")[2] != f"sp=%2Ftriggers%2Fmanual%2Frun&sig={SIGNATURE}":
            return refused(401)
        if self.refusals:
            return refused(self.refusals.pop(0))
        said = await request.json()

        async def accept() -> Reply:
            self.cards.append(said["attachments"][0]["content"])
            return Taken({})

        broken, too_many = Reply({"error": {"code": CANARY}}, 500), Reply({"error": {"code": CANARY}}, 429)
        return await self.liar.answer(request, Asked(accept, too_many, broken, lambda reply: reply))


def refused(status: int) -> web.Response:
    """Refuse as a workflow does, which says more than anybody may repeat."""
    return web.json_response({"error": {"code": "Refused", "message": CANARY}}, status=status)


@dataclass
class TeamsBench:
    """See Bench."""

    workflow: Workflow
    channel: TeamsChannel
    read_back: None = None
    bounds: None = None
    secrets: Collection[str] = (SIGNATURE, "canary/sig+1")

    def letter(self) -> Letter:
        identity = uuid4()
        said = body([Part("heading", f"{CANARY} is due"), Part("text", str(identity))])
        note = Note("acme", "course-7", "first", f"{CANARY} is due", said)
        return Letter(identity, "", "team", note=note)

    def tell(self, *deeds: Deed) -> None:
        for deed in deeds:
            if deed in REFUSALS:
                self.workflow.refusals.append(REFUSALS[deed])
            else:
                self.workflow.liar.lies.planned.append(LIES[deed])

    def accepted(self) -> Sequence[UUID]:
        bodies = [json.loads(json.dumps(card["body"])) for card in self.workflow.cards]
        return [UUID(one[1]["inlines"][0]["text"]) for one in bodies]

    def requests(self) -> int:
        return self.workflow.asked

    async def let_late_arrive(self) -> None:
        await until(lambda: self.workflow.cards)


@asynccontextmanager
async def workflow(lies: Lies | None = None) -> AsyncIterator[tuple[Workflow, str]]:
    """Serve one webhook on a free port; gives it and its URL."""
    flow = Workflow(Liar(lies or Lies()))
    app = web.Application()
    app.add_routes([web.post(FLOW, flow.answer)])
    async with listening(app) as at:
        try:
            yield flow, f"{at}{FLOW}?sp=%2Ftriggers%2Fmanual%2Frun&sig={SIGNATURE}"
        finally:
            await flow.liar.close()


@asynccontextmanager
async def teams_bench(_folder: Path) -> AsyncIterator[TeamsBench]:
    """Teams at its stand-in."""
    async with workflow(Lies(slow_s=SLOW_S, late_s=LATE_S)) as (flow, url):
        channel = TeamsChannel(TeamsSettings({"acme": url}, loopback_only=True, answer_timeout_s=ANSWER_S))
        try:
            yield TeamsBench(flow, channel)
        finally:
            await channel.close()

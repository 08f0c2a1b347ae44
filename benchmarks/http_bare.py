"""Baseline: aiohttp over one shared session, side by side; no ledger, no gate, no vendor's client, no code of ours.

What it says is rendered beforehand and about as long as Duly's; who it is for, and the JSON or form, is made each time.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession, TCPConnector, encode_basic_auth

from benchmarks import child

TEXT = "Fire safety 2026 is due soon. Hello Person, your training ends soon. Please finish it before its last day. " * 3
BLOCKS = [
    {"type": "header", "block_id": "duly", "text": {"type": "plain_text", "text": "Fire safety 2026: due soon"}},
    {"type": "section", "text": {"type": "mrkdwn", "text": TEXT}},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "You are told because you are enrolled in it."}]},
]
BODY = "Training: Fire safety 2026 is due on 6 December 2026, in 14 days. Please finish it before its last day. d0d0d0"
Send = Callable[[int], Awaitable[None]]


def slack(session: ClientSession, url: str) -> Send:
    """Post to one person; whose place is not known is looked up first, and kept."""
    places: dict[int, str] = {}

    async def ask(method: str, **said: Any) -> Any:
        async with session.post(f"{url}/api/{method}", **said) as response:
            return await response.json()

    async def send(number: int) -> None:
        if number not in places:
            found = await ask("users.lookupByEmail", data={"email": f"e-{number}@people.example"})
            opened = await ask("conversations.open", data={"users": found["user"]["id"]})
            places[number] = opened["channel"]["id"]
        payload = {"outreach_id": str(uuid4()), "about": f"a-2026-{number}", "step": "14"}
        metadata = {"event_type": "duly_outreach", "event_payload": payload}
        said = {"channel": places[number], "text": TEXT, "blocks": BLOCKS, "metadata": metadata}
        answer = await ask("chat.postMessage", json=said)
        assert answer["ok"]

    return send


def sms(session: ClientSession, url: str) -> Send:
    """Send a text to one person."""
    path = f"{url}/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"

    async def send(number: int) -> None:
        said = {"To": f"+{447_400_100_000 + number}", "From": "+447400000000", "Body": BODY, "ValidityPeriod": "36000"}
        async with session.post(path, data=said) as response:
            answer = await response.json()
        assert answer["sid"]

    return send


async def main(arguments: dict[str, Any]) -> None:
    """Open all connections by a few messages, then take the time for all messages, as often as asked."""
    in_flight, messages = arguments["in_flight"], arguments["messages"]
    login = {"Authorization": encode_basic_auth("AC" + "0" * 32, "bench")}
    async with ClientSession(connector=TCPConnector(limit=in_flight), headers=login) as session:
        send = {"slack": slack, "sms": sms}[arguments["channel"]](session, f"http://127.0.0.1:{arguments['port']}")
        await _all(send, range(messages, messages + arguments["warmup"]), in_flight)
        await child.go()
        for _ in range(arguments["times"]):
            began, cpu = time.monotonic(), time.process_time()
            await _all(send, range(messages), in_flight)
            seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
            child.say(seconds=seconds, cpu_seconds=cpu_seconds, messages=messages)


async def _all(send: Send, numbers: range, in_flight: int) -> None:
    left = iter(numbers)

    async def some() -> None:
        for number in left:
            await send(number)

    await asyncio.gather(*(some() for _ in range(in_flight)))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

"""Baseline: prerendered mails over reused aiosmtplib connections, side by side; no ledger, no gate, no code of ours."""

import asyncio
import json
import sys
import time
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from typing import Any

from aiosmtplib import SMTP

from benchmarks import child

SENDER = "training@duly.example"
TEXT = "Hello Person,\n\nyour training ends soon. Please finish it before its last day.\n" * 6
HTML = "<html><body>" + "<p>Hello Person, your training ends soon. Please finish it.</p>\n" * 24 + "</body></html>\n"


def mail() -> bytes:
    """Render one mail of about the size of Duly's."""
    message = EmailMessage(policy=WIRE)
    message["From"], message["To"], message["Subject"] = SENDER, "e-1@people.example", "Fire safety 2026: due soon"
    message.set_content(TEXT)
    message.add_alternative(HTML, subtype="html")
    return message.as_bytes()


async def connection(port: int) -> SMTP:
    """Open one connection that stays."""
    client = SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    await client.connect()
    await client.ehlo()
    return client


async def main(arguments: dict[str, Any]) -> None:
    """Open all connections, send one mail over each, then take the time for all mails."""
    clients = [await connection(arguments["port"]) for _ in range(arguments["connections"])]
    content = mail()
    await asyncio.gather(*(client.sendmail(SENDER, ["warm@people.example"], content) for client in clients))
    left = iter(range(arguments["mails"]))

    async def send(client: SMTP) -> None:
        for number in left:
            await client.sendmail(SENDER, [f"e-{number}@people.example"], content)

    await child.go(bytes=len(content))
    began, cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*(send(client) for client in clients))
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    child.say(seconds=seconds, cpu_seconds=cpu_seconds, mails=arguments["mails"])
    for client in clients:
        client.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

"""The inbox's page over a folder of mails, in this process, and mails to put there."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import aiohttp

from duly_local.page.server import serving
from duly_local.page.services import Services

HOST = "127.0.0.1"


@asynccontextmanager
async def shown(folder: Path, services: Services | None = None, names: Collection[str] = ()) -> AsyncIterator[str]:
    """Serve the mails of a mailbox's folder; gives the address."""
    asking = services or Services(None, None)
    async with serving(folder / "new", HOST, 0, services=asking, names=names) as port:
        yield f"http://{HOST}:{port}"


async def got(address: str, path: str, **headers: str) -> tuple[int, str, "dict[str, str]"]:
    """GET a path as it is written; return status, text and headers."""
    async with aiohttp.ClientSession() as http, http.get(address + path, headers=headers) as response:
        return response.status, await response.text(), dict(response.headers)


def mail(text: str = "In 14 days.", html: str = "", **headers: str) -> bytes:
    """Write a mail as a well-behaved sender would; `duly_about=...` becomes the header Duly-About."""
    message = EmailMessage(policy=SMTP)
    known = {"From": "Training <training@duly.example>", "To": "Ada Evans <ada@acme.example>", "Subject": "Due"}
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    for name, value in (known | {"Date": "Wed, 18 Mar 2026 09:00:00 +0100"} | named).items():
        message[name] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()

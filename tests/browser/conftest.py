"""One Chromium for all tests of this ring, and a fresh profile with a record of its requests for each."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from duly_local.mailbox import Mailbox
from duly_local.page.services import Services
from duly_local.places import ADDRESSES
from tests.browser import chromium
from tests.support.page import shown


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Start Chromium, or say what to install: a skip at home, a failure where CI is set."""
    program = chromium.place()
    if program is None:
        if chromium.must_be_there():
            pytest.fail(chromium.MISSING)
        pytest.skip(chromium.MISSING)
    async with chromium.started(program) as found:
        yield found


@dataclass
class Looked:
    """A page of the inbox as somebody has it before them."""

    page: Page
    address: str
    box: Mailbox
    requests: list[str]
    """Every address that Chromium asked for, in order."""

    async def open(self, path: str) -> None:
        answer = await self.page.goto(self.address + path)
        assert answer is not None
        assert answer.status == 200


@pytest.fixture
async def looked(browser: Browser, tmp_path: Path) -> AsyncIterator[Looked]:
    """Show an empty mailbox in a new profile; the services are those of `addresses` in its folder."""
    box = Mailbox(tmp_path)
    async with shown(tmp_path, Services(tmp_path / ADDRESSES, None)) as address:
        context = await browser.new_context(viewport={"width": 1_000, "height": 800})
        try:
            page = await context.new_page()
            requests: list[str] = []
            context.on("request", lambda request: requests.append(request.url))
            yield Looked(page, address, box, requests)
        finally:
            await context.close()

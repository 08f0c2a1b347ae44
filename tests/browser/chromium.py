"""The Chromium of this machine: where it is, how it is started, and what is said where there is none."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium on this machine, so no page was looked at: apt-get install chromium"
QUIET = (
    "--no-sandbox",  # root has none; the pages are our own, and what mails bring is kept out by the page
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def place() -> str | None:
    """Return the program, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def must_be_there() -> bool:
    """Tell whether its absence is a failure: on a machine that builds, nobody reads what was left out."""
    return os.environ.get("CI", "").lower() in {"true", "1"}


@asynccontextmanager
async def started(program: str) -> AsyncIterator[Browser]:
    """Run it without a window, with a profile of its own that goes with it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*QUIET])
        try:
            yield browser
        finally:
            await browser.close()

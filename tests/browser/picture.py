"""Takes the picture that the runbook shows: `python -m tests.browser.picture ADDRESS`, of a demo that stays."""

import argparse
import asyncio
from pathlib import Path

from tests.browser import chromium

PLACE = Path(__file__).parents[2] / "docs" / "pictures" / "inbox.png"


async def taken(address: str) -> None:
    """Show the newest mail of the step in the middle, from its story's side."""
    program = chromium.place()
    if program is None:
        raise SystemExit(chromium.MISSING)
    async with chromium.started(program) as browser:
        page = await browser.new_page(viewport={"width": 900, "height": 700})
        await page.goto(f"{address.rstrip('/')}/?search=step:14")
        await page.locator(".mails a").first.click()
        await page.get_by_role("link", name="Story").click()
        last = await page.locator(".view .note").bounding_box()  # below it stands where the state lies, here
        height = last["y"] if last else 700
        await page.screenshot(path=PLACE, full_page=True, clip={"x": 0, "y": 0, "width": 900, "height": height})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="of a page that runs, as `duly demo --stay` names it")
    asyncio.run(taken(parser.parse_args().address))

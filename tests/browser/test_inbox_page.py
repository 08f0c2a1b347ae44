"""The page of the mails in a real Chromium: what a person does with it, and what a mail cannot."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Frame

from duly_local.places import ADDRESSES
from tests.browser.conftest import Looked
from tests.browser.remote import WAYS, Remote, evil, listening
from tests.support import told
from tests.support.page import mail
from tests.support.told import telling
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

TABS_MAX = 60
CONTRAST_MIN = 4.5
"""Of text against what it stands on: WCAG 2.2, level AA."""
CONTRAST = """() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(color)) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own) continue;
    const pair = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
    found.push([(pair[0] + 0.05) / (pair[1] + 0.05), element.textContent.trim().slice(0, 30)]);
  }
  return found;
}"""
OUTLINE = """() => {
  const one = document.activeElement;
  return [getComputedStyle(one), getComputedStyle(one, '::after')]
    .some((style) => style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2);
}"""


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    async with listening() as found:
        yield found


@pytest.fixture
async def filled(looked: Looked, tmp_path: Path) -> AsyncIterator[Looked]:
    """Put three mails there, the last one with a story behind it."""
    async with telling() as tellers:
        (tmp_path / ADDRESSES).write_text(json.dumps(tellers.addresses), encoding="utf-8")
        fire = {"duly_about": told.ASSIGNMENT, "duly_step": "14", "duly_tenant": told.TENANT}
        looked.box.put("t@duly.example", ["b@acme.example"], mail(subject="Anti-bribery is due"))
        looked.box.put("t@duly.example", ["c@acme.example"], mail("Über 14 days", subject="Forklift is due"))
        html = '<p style="color: rgb(1, 2, 3)">Due in <b>14</b> days</p>'
        whole = mail("Due in 14 days", html, subject="Fire safety is due", duly_outreach_id=told.OUTREACH_ID, **fire)
        looked.box.put("t@duly.example", ["ada@acme.example"], whole)
        yield looked


async def test_person_lists_searches_opens_and_reads_every_side_of_a_mail(filled: Looked) -> None:
    page = filled.page
    await filled.open("/")
    assert await page.locator(".mails a").all_inner_texts() == [
        "Fire safety is due",
        "Forklift is due",
        "Anti-bribery is due",
    ]

    await page.get_by_label("Search").fill("fire safety")
    await page.get_by_role("button", name="Search").click()
    assert await page.get_by_role("heading", level=1).inner_text() == "Found"
    await page.get_by_role("link", name="Fire safety is due").click()
    assert await page.get_by_role("heading", level=1).inner_text() == "Fire safety is due"
    assert "Due in 14 days" in await page.locator("pre.text").inner_text()

    await page.get_by_role("link", name="HTML").click()
    shown = page.frame_locator("iframe").locator("p")
    assert await shown.inner_text() == "Due in 14 days"
    assert await shown.evaluate("one => getComputedStyle(one).color") == "rgb(1, 2, 3)"

    await page.get_by_role("link", name="Headers").click()
    assert told.OUTREACH_ID in await page.locator("dl.headers").inner_text()

    await page.get_by_role("link", name="Story").click()
    headings = await page.get_by_role("heading", level=3).all_inner_texts()
    assert headings == ["Facts received", "Planned by policy 7 in Europe/Dublin", "Decisions", "Messages", "Next"]
    assert "mail sent: accepted" in await page.locator("section.view").inner_text()
    assert {url.startswith((filled.address, "data:")) for url in filled.requests} == {True}


async def test_everything_can_be_done_with_the_keyboard_alone(filled: Looked) -> None:
    await filled.open("/")

    await press_tab_to(filled, "To the content")
    await press_tab_to(filled, "search")
    await filled.page.keyboard.type("forklift")
    await go(filled, "Enter", "/?search=forklift")
    await press_tab_to(filled, "Forklift is due")
    await go(filled, "Enter", "/mails/1")
    for side in ("html", "headers", "story"):
        await press_tab_to(filled, "HTML" if side == "html" else side.capitalize())
        await go(filled, "Enter", f"/mails/1/{side}")
    await press_tab_to(filled, "Newer")
    await go(filled, "Enter", "/mails/2/story")
    await press_tab_to(filled, "All mails")
    await go(filled, "Enter", "/")
    await press_tab_to(filled, "To the content")
    await filled.page.keyboard.press("Enter")
    await press_tab_to(filled, "Fire safety is due", tabs_max=1)


async def press_tab_to(looked: Looked, name: str, tabs_max: int = TABS_MAX) -> None:
    """Press Tab until what has this text, or this id, has the focus, and can be seen to have it."""
    here = "() => [document.activeElement.innerText, document.activeElement.id]"
    for _ in range(tabs_max):
        await looked.page.keyboard.press("Tab")
        if name in await looked.page.evaluate(here):
            assert await looked.page.evaluate(OUTLINE), f"{name}: the focus cannot be seen"
            return
    pytest.fail(f"{name!r} was not reached with {tabs_max} Tabs")


async def go(looked: Looked, key: str, path: str) -> None:
    """Press a key that leads to another page."""
    await looked.page.keyboard.press(key)
    await looked.page.wait_for_url(looked.address + path)


async def test_malicious_mail_changes_nothing_and_requests_nothing(looked: Looked, remote: Remote) -> None:
    """Script, onerror, remote pictures and styles, forms, refresh, links to the top: not one connection."""
    looked.box.put("evil@example.org", ["ada@acme.example"], mail("x", evil(remote.url), subject="Evil"))
    await looked.open("/mails/0/html")
    frame = await frame_of(looked)
    seen = frame.locator("#seen")
    color = await seen.evaluate("one => getComputedStyle(one).color")
    own = await frame.locator("#own").evaluate("one => one.complete && one.naturalWidth")
    inside = await frame.evaluate("() => [origin, document.title]")

    for way in WAYS:
        await frame.locator(f"#{way}").click(no_wait_after=True, force=True)
    await looked.page.wait_for_load_state("networkidle")

    assert (color, own, inside) == ("rgb(1, 2, 3)", 1, ["null", ""])
    assert looked.page.url == f"{looked.address}/mails/0/html"
    assert await looked.page.title() == "Evil · Duly inbox"
    assert len(looked.page.context.pages) == 1
    assert remote.heard == []


@pytest.mark.parametrize("path", ["/mails/0/body", "/mails/0"])
async def test_malicious_mail_requests_nothing_when_its_html_is_opened_by_itself(
    looked: Looked, remote: Remote, path: str
) -> None:
    html = evil(remote.url)
    looked.box.put("evil@example.org", ["ada@acme.example"], mail(html, html, subject=html[:60]))
    await looked.open(path)
    await looked.page.wait_for_load_state("networkidle")

    assert looked.page.url == looked.address + path
    assert remote.heard == []


async def test_malicious_mail_would_be_heard_of_without_the_walls(browser: Browser, remote: Remote) -> None:
    """The proof that the two tests above can fail: the same HTML, opened as a page of its own."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.set_content(evil(remote.url), wait_until="commit")
    await until(lambda: any(line.startswith("GET /") for line in remote.heard))
    await context.close()


async def frame_of(looked: Looked) -> Frame:
    handle = await looked.page.locator("iframe").element_handle()
    assert handle is not None
    frame = await handle.content_frame()
    assert frame is not None
    return frame


SIDES = ["/", "/?search=due", "/?search=nothing", "/mails/2", "/mails/2/html", "/mails/2/headers", "/mails/2/story"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_is_readable_narrow_and_in_both_schemes(browser: Browser, filled: Looked, scheme: str) -> None:
    """400 px wide without scrolling sideways; contrast; one language and one first heading."""
    chosen = "dark" if scheme == "dark" else "light"
    context = await browser.new_context(viewport={"width": 400, "height": 800}, color_scheme=chosen)  # type: ignore[arg-type]
    page = await context.new_page()
    grounds = set()
    for path in SIDES:
        await page.goto(filled.address + path)
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        low = [one for one in await page.evaluate(CONTRAST) if one[0] < CONTRAST_MIN]
        grounds.add(await page.evaluate("() => getComputedStyle(document.body).backgroundColor"))

        assert (path, await page.evaluate(wide)) == (path, 0)
        assert (path, low) == (path, [])
        assert await page.locator("html").get_attribute("lang") == "en"
        assert await page.get_by_role("heading", level=1).count() == 1
    await context.close()

    assert grounds == {"rgb(22, 24, 28)" if scheme == "dark" else "rgb(251, 250, 247)"}


async def test_mail_with_endless_words_stays_within_a_narrow_page(browser: Browser, looked: Looked) -> None:
    word = "x" * 900
    looked.box.put("a@b.example", ["b@c.example"], mail(word, f"<p>{word}</p>", subject=word, duly_about=word))
    context = await browser.new_context(viewport={"width": 400, "height": 800})
    page = await context.new_page()
    for path in ("/", "/mails/0", "/mails/0/headers", "/mails/0/html"):
        await page.goto(looked.address + path)
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

        assert (path, await page.evaluate(wide)) == (path, 0)
    await context.close()

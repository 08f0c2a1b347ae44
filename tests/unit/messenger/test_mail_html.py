"""The HTML of mails: readable by all, on light and on dark, and asking for nothing from elsewhere."""

import re

import pytest

from tests.unit.messenger.given_mails import (
    PEOPLE,
    WRITER,
    a_request,
    part,
)
from tests.unit.messenger.seen_html import Texts, contrast


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_html_can_be_read_by_all(locale: str) -> None:
    """WCAG: language, title, headings in order, tables for layout only, no images, 16 px, contrast of 4.5 to 1."""
    page = Texts.read(part(WRITER.write(a_request(PEOPLE[locale], link="https://lms.example/")), "html"))
    tags = [tag for tag, _ in page.tags]

    assert (page.tags[0][0], page.tags[0][1]["lang"], page.tags[0][1]["dir"]) == ("html", locale[:2], "ltr")
    assert "title" in tags
    assert [tag for tag in tags if re.fullmatch(r"h\d", tag)] == ["h1", "h2"]
    assert {attributes.get("role") for tag, attributes in page.tags if tag == "table"} == {"presentation"}
    assert not {"img", "script", "iframe", "form", "link", "input", "object", "svg"} & set(tags)
    looks = [look for _, look in page.seen if look.shown]
    assert len(looks) > 8
    assert min(look.size for look in looks) >= 16
    assert min(contrast(look.colour, look.ground) for look in looks) >= 4.5


def test_html_can_be_read_by_all_in_the_dark() -> None:
    """The colours that a dark mail program gets: text on card, on the facts' ground, and what stands aside."""
    html = part(WRITER.write(a_request(link="https://lms.example/")), "html")
    dark = dict(re.findall(r"^ +(\S.*?) \{ (?:background|color): (#\w{6}) !important; \}$", html, re.MULTILINE))

    assert 'name="color-scheme" content="light dark"' in html
    assert contrast(dark[".card div"], dark[".card, .card table"]) >= 4.5
    assert contrast(dark[".card div"], dark[".facts"]) >= 4.5
    assert contrast(dark[".aside div"], dark[".card, .card table"]) >= 4.5


def test_button_is_large_enough_for_a_thumb_and_says_where_it_leads() -> None:
    """44 px: its line and the room above and below it."""
    page = Texts.read(part(WRITER.write(a_request(link="https://lms.example/")), "html"))
    (style,) = [attributes["style"] for tag, attributes in page.tags if tag == "a"]
    line, above = (int(re.findall(rf"{what}:(\d+)px", style)[0]) for what in ("line-height", "padding"))

    assert line + 2 * above >= 44
    assert "Open the training" in [text.strip() for text in page.texts]


def test_html_begins_with_a_hidden_line_for_the_list_of_mails() -> None:
    html = part(WRITER.write(a_request()), "html")

    assert re.search(r"<body[^>]*>\s*<div style=\"display:none[^>]*>\s*Due on <bdi>31 January 2014</bdi> at", html)


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_html_asks_for_nothing_from_elsewhere(locale: str) -> None:
    """S-49: no remote stylesheet, image or font, in the comments for old Outlook neither."""
    html = part(WRITER.write(a_request(PEOPLE[locale], link="https://lms.example/")), "html")
    named = set(re.findall(r"(?:https?:)?//[^\s\"'<>]+", html))

    assert not re.search(r"url\(|@import|@font-face|\ssrc=|\sbackground=|<link\b", html)
    assert {one for one in named if "w3.org" not in one} == {"https://lms.example/"}


def test_plain_text_says_all_that_the_html_says() -> None:
    letter = WRITER.write(a_request(link="https://lms.example/a?b=1&c=2"))
    plain = " ".join(part(letter, "plain").split())
    page = Texts.read(part(letter, "html"))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]

    assert links == ["https://lms.example/a?b=1&c=2"]
    for fact in (*links, "Fire safety & first aid", "31 January 2014", "23:59 GMT", "23:59 UTC", "in 14 days"):
        assert fact in plain
        assert fact in " ".join(page.texts) or fact in links

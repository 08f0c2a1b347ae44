"""Mails as people and machines read them: golden files, zones and locales, and hostile values."""

import os
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from duly_chassis.addresses import Mailbox
from messenger.channel import Letter
from messenger.mail import MailRequest, MailWriter, Recipient
from messenger.moments import zone_name
from messenger.template_files import Wording
from messenger.templates import Catalogue, load, shipped
from messenger.unsendable import AddressRefused, BadValue, MissingValue, TooLarge, UnknownTemplate, Unsendable

GOLDEN = Path(__file__).parent / "golden"
RECORD = os.environ.get("DULY_GOLDEN") == "1"  # the diff is then reviewed as prose
OUTREACH_ID = UUID("0192f0c1-7a3b-7cde-8f01-23456789abcd")
NOW = datetime(2014, 1, 17, 9, 0, 3, 250, tzinfo=UTC)
WRITER = MailWriter()
ANN = Recipient(mail="ann@learners.example", name="Ann Learner", zone="Europe/London", locale="en-GB")
VALUES = {"training_title": "Fire safety & first aid", "due_at": "2014-01-31T23:59:00Z"}


def a_request(
    to: Recipient = ANN, *, about: str = "assignment-7", now: datetime | None = None, **values: str
) -> MailRequest:
    return MailRequest(
        tenant="acme",
        outreach_id=OUTREACH_ID,
        about=about,
        step="14",
        message="deadline-reminder",
        values=VALUES | values,
        recipient=to,
        sender=Mailbox("Duly", "duly@duly.example"),
        now=now or NOW,
    )


def parsed(letter: Letter) -> EmailMessage:
    return message_from_bytes(letter.content, policy=SMTP)


def part(letter: Letter, kind: str) -> str:
    body = parsed(letter).get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def check_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if RECORD:
        path.write_text(text, "utf-8")
    expected = path.read_text("utf-8")

    assert expected == text, f"{name} differs; if that is meant, record it with DULY_GOLDEN=1 and read the diff"


PEOPLE = {
    "en-GB": ANN,
    "de-DE": Recipient(mail="jo@learners.example", name="Jörg Müller", zone="Europe/Berlin", locale="de-DE"),
    "ja-JP": Recipient(mail="taro@learners.example", name="山田 太郎", zone="Asia/Tokyo", locale="ja-JP"),
}


@pytest.mark.parametrize("locale", PEOPLE)
def test_deadline_reminder_looks_as_reviewed_in(locale: str) -> None:
    """D-13, X-02: the deadline in the recipient's zone and locale, the zone shown, UTC beside it."""
    letter = WRITER.write(a_request(PEOPLE[locale], link="https://lms.example/courses/7?from=mail&x=1"))
    headers = letter.content.partition(b"\r\n\r\n")[0].decode().replace("\r\n", "\n")

    check_golden(f"deadline-reminder.{locale}.txt", f"{headers}\n\n{part(letter, 'plain')}")
    check_golden(f"deadline-reminder.{locale}.html", part(letter, "html"))


NUMBERS = {"today": 31, "1-day": 30, "2-days": 29, "passed": 32}


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_days_left_read_as_reviewed_in(locale: str) -> None:
    """Whole sentences for today, one day and several, by the plural rules of the language."""
    zone = ZoneInfo(str(PEOPLE[locale].zone))
    due = datetime(2014, 1, 31, 17, tzinfo=zone)
    said = [
        f"{number}\n{part(WRITER.write(a_request(PEOPLE[locale], now=now, due_at=due.isoformat())), 'plain')}"
        for number, day in NUMBERS.items()
        for now in [datetime(2014, 1, 1, 9, tzinfo=zone) + timedelta(days=day - 1)]
    ]

    check_golden(f"deadline-reminder.numbers.{locale}.txt", "\n".join(said))


def due_line(letter: Letter) -> str:
    found = re.search(r"^(?:Due|Fällig): (.*)$", part(letter, "plain"), re.MULTILINE)
    assert found is not None
    return found[1]


DUE_LINES = [
    ("Europe/London", "en-GB", "31 January 2014 at 23:59 GMT (23:59 UTC)"),
    ("Europe/Dublin", "en-IE", "31 January 2014 at 23:59 GMT (23:59 UTC)"),
    ("Europe/Dublin", "en-GB", "31 January 2014 at 23:59 GMT (23:59 UTC)"),
    ("Europe/Berlin", "de-DE", "am 1. Februar 2014 um 00:59 MEZ (31. Januar 2014, 23:59 UTC)"),
    ("Asia/Tokyo", "ja-JP", "February 1, 2014 at 8:59 AM GMT+09:00 (January 31, 2014, 11:59 PM UTC)"),
    ("Asia/Kolkata", "en-IN", "1 February 2014 at 5:29 am GMT+05:30 (31 January 2014, 11:59 pm UTC)"),
    ("Asia/Kolkata", "en-GB", "1 February 2014 at 05:29 GMT+05:30 (31 January 2014, 23:59 UTC)"),
    ("UTC", "en-GB", "31 January 2014 at 23:59 UTC"),
    ("Europe/London", None, "January 31, 2014 at 11:59 PM GMT (11:59 PM UTC)"),
    ("Europe/London", "no such locale!", "January 31, 2014 at 11:59 PM GMT (11:59 PM UTC)"),
    ("Europe/London", "root", "January 31, 2014 at 11:59 PM GMT (11:59 PM UTC)"),
    ("Europe/London", "de-DE-u-co-phonebk", "am 31. Januar 2014 um 23:59 GMT (23:59 UTC)"),
    ("Europe/London", "../../etc/passwd", "January 31, 2014 at 11:59 PM GMT (11:59 PM UTC)"),
]


@pytest.mark.parametrize(("zone", "locale", "line"), DUE_LINES)
def test_deadline_is_said_in_the_recipients_zone_and_locale_with_the_zone(
    zone: str, locale: str | None, line: str
) -> None:
    """B-18, B-22: no time without its zone, and never the server's zone."""
    letter = WRITER.write(a_request(replace(ANN, zone=zone, locale=locale)))

    assert line == due_line(letter).replace("\u202f", " ")


@pytest.mark.parametrize(
    "zone", [None, "", "Mars/Olympus", "Europe", "../../etc/passwd", "Europe/London\0", "x" * 9_999]
)
def test_deadline_is_said_in_utc_and_the_mail_says_so_when_the_zone_is_unknown(zone: str | None) -> None:
    letter = WRITER.write(a_request(replace(ANN, zone=zone)))

    assert due_line(letter) == "31 January 2014 at 23:59 UTC"
    for kind in ("plain", "html"):
        assert "We do not know your time zone" in part(letter, kind)


@pytest.mark.parametrize(
    ("due_at", "line"),
    [
        ("2014-07-31T22:59:00Z", "31 July 2014 at 23:59 BST (22:59 UTC)"),
        ("2014-06-30T23:59:00Z", "1 July 2014 at 00:59 BST (30 June 2014, 23:59 UTC)"),
        ("2014-03-30T00:59:59Z", "30 March 2014 at 00:59 GMT (00:59 UTC)"),
        ("2014-03-30T01:00:00Z", "30 March 2014 at 02:00 BST (01:00 UTC)"),
    ],
)
def test_deadline_follows_daylight_saving_at_its_own_date(due_at: str, line: str) -> None:
    """B-20."""
    assert line == due_line(WRITER.write(a_request(due_at=due_at)))


def test_name_of_a_zone_means_one_offset_wherever_it_is_shown() -> None:
    """B-18: Babel alone calls Dublin's July GMT, and names 2014's zones as they are today."""
    zones = [ZoneInfo(name) for name in sorted(available_timezones()) if "/" in name]
    for locale in map(Locale.parse, ("en", "en_GB", "de", "fr")):
        offsets: dict[str, set[timedelta | None]] = defaultdict(set)
        for zone, year, month in product(zones, (2014, 2027), (1, 7)):
            local = datetime(year, month, 15, 12, tzinfo=zone)
            offsets[zone_name(local, locale)].add(local.utcoffset())

        assert [name for name, found in offsets.items() if len(found) > 1] == []


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (datetime(2014, 1, 17, 9, tzinfo=UTC), "That is in 14 days."),
        (datetime(2014, 1, 30, 23, tzinfo=UTC), "That is tomorrow."),
        (datetime(2014, 1, 31, 0, tzinfo=UTC), "That is today."),
    ],
)
def test_days_left_are_midnights_in_the_recipients_zone(now: datetime, sentence: str) -> None:
    """B-19: tomorrow is tomorrow where the recipient is."""
    letter = WRITER.write(a_request(now=now))

    assert sentence in part(letter, "plain")
    assert sentence in part(letter, "html")


def test_nothing_is_said_of_days_left_when_the_deadline_has_passed() -> None:
    letter = WRITER.write(a_request(now=datetime(2014, 2, 3, tzinfo=UTC)))

    assert "That is" not in part(letter, "plain") + part(letter, "html")


def test_headers_name_the_outreach_the_assignment_the_step_and_the_business_moment() -> None:
    message = parsed(WRITER.write(a_request()))

    assert {
        "From": "Duly <duly@duly.example>",
        "To": "Ann Learner <ann@learners.example>",
        "Subject": "Reminder: Fire safety & first aid is due on 31 January 2014",
        "Date": "Fri, 17 Jan 2014 09:00:03 +0000",
        "Message-ID": f"<{OUTREACH_ID}@duly.example>",
        "Duly-Tenant": "acme",
        "Duly-Outreach-Id": str(OUTREACH_ID),
        "Duly-About": "assignment-7",
        "Duly-Step": "14",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="=_duly"',
        "Content-Language": "en",
    } == dict(message.items())


def test_about_survives_its_header_when_it_is_not_ascii() -> None:
    assert parsed(WRITER.write(a_request(about="Prüfung 課題-7")))["Duly-About"] == "Prüfung 課題-7"


def test_same_request_gives_the_same_bytes() -> None:
    assert MailWriter().write(a_request()) == WRITER.write(a_request())


def test_letter_is_fit_for_every_relay() -> None:
    letter = WRITER.write(a_request(PEOPLE["ja-JP"], training_title="情報セキュリティ研修 " * 20))
    lines = letter.content.split(b"\r\n")

    assert letter.content.isascii()
    assert max(len(line) for line in lines) <= 78
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert parsed(letter).defects == []


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "{% raw %}"]
)
def test_values_are_shown_and_never_understood(hostile: str) -> None:
    """S-32: escaped in HTML, as they are in plain text, never rendered twice."""
    letter = WRITER.write(a_request(replace(ANN, name=hostile), training_title=hostile))

    assert "<script" not in part(letter, "html")
    assert "<img" not in part(letter, "html")
    assert part(letter, "plain").count(hostile) == 2
    assert hostile in parsed(letter)["Subject"]
    assert hostile in " ".join(Texts.of(part(letter, "html")))


def test_overrides_of_direction_are_removed_from_the_mail() -> None:
    """S-32."""
    letter = WRITER.write(a_request(replace(ANN, name="Ann\u202egpj"), training_title="a\u2066b"))

    assert not {"\u202e", "\u2066"} & set(part(letter, "plain") + part(letter, "html") + parsed(letter)["Subject"])


def test_title_with_line_breaks_stays_one_line_and_adds_no_header() -> None:
    """S-35."""
    letter = WRITER.write(a_request(training_title="Fire\r\nBcc: evil@z.org\u2028x\x85y\x0bz"))

    assert "Bcc" not in parsed(letter)
    assert parsed(letter)["Subject"] == "Reminder: Fire Bcc: evil@z.org x y z is due on 31 January 2014"


def test_title_cannot_end_its_part_of_the_mail() -> None:
    letter = WRITER.write(a_request(training_title="x --=_duly-- --=_duly"))

    assert [each.get_content_type() for each in parsed(letter).iter_parts()] == ["text/plain", "text/html"]
    assert "x --=_duly-- --=_duly" in part(letter, "html")


@pytest.mark.parametrize("missing", ["training_title", "due_at"])
@pytest.mark.parametrize("instead", [None, "", " \u2028 "])
def test_only_this_message_is_refused_when_a_value_is_missing(missing: str, instead: str | None) -> None:
    """S-33: by the value's name, so that the message can be parked with it."""
    values = {name: value for name, value in VALUES.items() if name != missing}
    values |= {} if instead is None else {missing: instead}
    request = replace(a_request(), values=values)

    with pytest.raises((MissingValue, BadValue)) as refused:
        WRITER.write(request)

    assert missing == refused.value.name


@pytest.mark.parametrize("name", ["due_day", "zone_known", "due_in_days"])
def test_what_is_derived_cannot_be_given(name: str) -> None:
    request = replace(a_request(), values={"training_title": "x", name: "y"})

    with pytest.raises(MissingValue, match="due_at"):
        WRITER.write(request)


@pytest.mark.parametrize(
    "due_at", ["soon", "2014-01-31", "2014-01-31T23:59:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "1e9"]
)
def test_message_is_refused_when_its_deadline_is_no_instant(due_at: str) -> None:
    with pytest.raises(BadValue, match="due_at"):
        WRITER.write(a_request(due_at=due_at))


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "http://lms.example/",
        "//lms.example/",
        "https://",
        "https://user:pw@lms.example/",
        "https://lms.example@evil.example/",
        "https://lms.example/ x",
        'https://lms.example/"onclick=',
        "https://lms.example/\nBcc: x",
        "https://[::1/",
        "data:text/html,x",
        "https://lms.example/" + "x" * 2_000,
    ],
)
def test_message_is_refused_when_its_link_is_not_plain_https(link: str) -> None:
    """S-31."""
    with pytest.raises(BadValue, match="link"):
        WRITER.write(a_request(link=link))


@pytest.mark.parametrize(
    "mail", ['"a@x.org, evil"@y.org, evil@z.org', "a@x.org\r\nBcc: evil@z.org", "Ann <a@x.org>", "a@x.org, b@x.org", ""]
)
def test_message_is_refused_when_its_address_is_not_exactly_one(mail: str) -> None:
    """S-36, S-37: addresses with header injection."""
    with pytest.raises(AddressRefused):
        WRITER.write(a_request(replace(ANN, mail=mail)))


def test_message_is_refused_when_no_template_has_its_name() -> None:
    with pytest.raises(UnknownTemplate):
        WRITER.write(replace(a_request(), message="../secrets"))


def with_html(source: str) -> MailWriter:
    return changed(lambda one: replace(one, key=source, sources=replace(one.sources, html=source)))


def changed(change: Callable[[Wording], Wording]) -> MailWriter:
    """Return a writer whose wordings were not loaded but made."""
    return MailWriter(Catalogue({key: [change(one) for one in there] for key, there in shipped().items()}))


@pytest.mark.parametrize("source", ["{{ nobody }}", "{{ name.__class__.__mro__ }}", "{{ training_title.x.y }}"])
def test_only_this_message_is_refused_when_its_wording_is_broken(source: str) -> None:
    """S-30: what the sandbox stops is a typed refusal too."""
    with pytest.raises(Unsendable, match="template_failed"):
        with_html(source).write(a_request())


def test_message_is_refused_when_it_would_be_larger_than_256_kilobytes() -> None:
    assert len(with_html("x" * 256 * 1024).write(a_request()).content) > 256 * 1024
    with pytest.raises(TooLarge):
        with_html("x" * (256 * 1024 + 1)).write(a_request())


RENDERED_WHOLE = changed(lambda one: replace(one, name_apart=False))


@given(st.text(max_size=120), st.text(max_size=120))
def test_letter_has_the_same_bytes_whether_the_name_is_rendered_or_put_in_afterwards(name: str, title: str) -> None:
    """What people have in common is rendered once; no name and no title may show that."""
    request = a_request(replace(ANN, name=name), training_title=f"x {title}")

    assert RENDERED_WHOLE.write(request) == WRITER.write(request)


def test_letters_of_two_people_differ_by_what_is_theirs_alone() -> None:
    ann, bob = (WRITER.write(a_request(replace(ANN, name=name))).content for name in ("Ann", "Bob"))

    assert ann != bob
    assert ann.replace(b"Ann", b"Bob") == bob


def test_message_is_refused_when_only_the_name_makes_it_larger_than_256_kilobytes() -> None:
    writer = with_html("x" * (256 * 1024 - 11) + "{{ name }}\n")

    assert writer.write(a_request(replace(ANN, name="Ann <3")))
    with pytest.raises(TooLarge):
        writer.write(a_request(replace(ANN, name="Ann <3 Bob")))


def test_shipped_wordings_merely_show_the_name() -> None:
    """Otherwise each letter costs three renderings."""
    assert all(wording.name_apart for there in load().wordings.values() for wording in there)


def test_subject_is_cut_with_an_ellipsis_and_keeps_its_date_when_the_title_is_long() -> None:
    subject = parsed(WRITER.write(a_request(training_title="long " * 100)))["Subject"]

    assert len(subject) <= 200
    assert subject.endswith("… is due on 31 January 2014")


def test_body_keeps_the_whole_title_when_it_is_long() -> None:
    title = "x" * 500

    assert title in part(WRITER.write(a_request(training_title=title)), "plain")


def test_wording_has_a_version_that_stays_the_same() -> None:
    """The ledger keeps it as evidence of what was said: another writer of the same release says the same."""
    first, second = WRITER.write(a_request()), MailWriter().write(a_request(locale="de-DE"))

    assert first.wording
    assert first.wording == second.wording


def test_request_shows_no_address_and_no_name() -> None:
    """SECURITY.md 11."""
    shown = repr(a_request()) + repr(WRITER.write(a_request()))

    assert "ann" not in shown.lower()


@dataclass(frozen=True)
class Look:
    """How a text is seen: size in px, colour, what is behind it, and whether it is seen at all."""

    size: int
    colour: str
    ground: str
    shown: bool

    def styled(self, tag: str, style: str) -> "Look":
        """Return the look of what stands in a tag with this style."""
        found = dict(re.findall(r"(?:^|;)([a-z-]+):([^;]+)", style))
        return Look(
            int(found.get("font-size", f"{self.size}px").removesuffix("px")),
            found.get("color", self.colour),
            found.get("background") or found.get("background-color") or self.ground,
            self.shown and tag not in {"head", "style", "title"} and found.get("display") != "none",
        )


class Texts(HTMLParser):
    """Reads an HTML mail as a browser does: its texts, tags and colours."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.seen: list[tuple[str, Look]] = []
        self._open: list[Look] = [Look(16, "#000000", "#ffffff", shown=True)]

    @classmethod
    def of(cls, html: str) -> list[str]:
        return cls.read(html).texts

    @classmethod
    def read(cls, html: str) -> "Texts":
        reader = cls()
        reader.feed(html)
        reader.close()
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self._open.append(self._open[-1].styled(tag, dict(attrs).get("style") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"meta", "br"}:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if data.strip():
            self.seen.append((data.strip(), self._open[-1]))


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


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


def test_deadline_in_dublin_is_an_hour_from_gmt_in_summer() -> None:
    """B-18."""
    letter = WRITER.write(a_request(replace(ANN, zone="Europe/Dublin"), due_at="2014-07-31T22:59:00Z"))

    assert due_line(letter) == "31 July 2014 at 23:59 GMT+01:00 (22:59 UTC)"

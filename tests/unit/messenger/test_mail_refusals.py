"""Mails that are refused, each alone: what is missing, broken, no address, no link or too large."""

from dataclasses import replace

import pytest

from messenger.words.unsendable import AddressRefused, BadValue, MissingValue, TooLarge, UnknownTemplate, Unsendable
from tests.unit.messenger.given_mails import (
    ANN,
    VALUES,
    WRITER,
    a_request,
    with_html,
)


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
        WRITER.write(a_request(replace(ANN, address=mail)))


def test_message_is_refused_when_no_template_has_its_name() -> None:
    with pytest.raises(UnknownTemplate):
        WRITER.write(replace(a_request(), message="../secrets"))


@pytest.mark.parametrize("source", ["{{ nobody }}", "{{ name.__class__.__mro__ }}", "{{ training_title.x.y }}"])
def test_only_this_message_is_refused_when_its_wording_is_broken(source: str) -> None:
    """S-30: what the sandbox stops is a typed refusal too."""
    with pytest.raises(Unsendable, match="template_failed"):
        with_html(source).write(a_request())


def test_message_is_refused_when_it_would_be_larger_than_256_kilobytes() -> None:
    assert len(with_html("x" * 256 * 1024).write(a_request()).content) > 256 * 1024
    with pytest.raises(TooLarge):
        with_html("x" * (256 * 1024 + 1)).write(a_request())


def test_message_is_refused_when_only_the_name_makes_it_larger_than_256_kilobytes() -> None:
    writer = with_html("x" * (256 * 1024 - 11) + "{{ name }}\n")

    assert writer.write(a_request(replace(ANN, name="Ann <3")))
    with pytest.raises(TooLarge):
        writer.write(a_request(replace(ANN, name="Ann <3 Bob")))

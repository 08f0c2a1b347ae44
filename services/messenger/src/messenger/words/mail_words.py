"""The values of a request, held to what their types promise, and what a wording may say of them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from messenger.templating.manifest import Value
from messenger.words.headers import clean, shortened
from messenger.words.moments import days_between, instant_of, locale_of, spoken
from messenger.words.unsendable import BadValue, MissingValue

SHORT_CHARACTERS_MAX = 120  # of a text in a subject, so that what stands after it survives
LINK_CHARACTERS_MAX = 2_000
UNSAFE_IN_LINK = frozenset("\"'<>\\^`{|}")
ANY_HOST: frozenset[str] = frozenset()
"""No host was named: any will do, as long as it is https."""


def days_ahead(
    declared: Mapping[str, Value], given: Mapping[str, str], now: datetime, zone: str | None
) -> tuple[int, ...]:
    """Count the midnights until each instant, where the recipient is; raises MissingValue or BadValue."""
    return tuple(
        days_between(now, instant_of(name, _needed(given, name)), zone)
        for name, value in declared.items()
        if value.type == "instant"
    )


def words(
    declared: Mapping[str, Value],
    given: Mapping[str, str],
    zone: str | None,
    locale: str,
    days: tuple[int, ...],
    hosts: Collection[str] = ANY_HOST,
) -> dict[str, Any]:
    """Say everything that a wording may ask for, but the name; raises MissingValue or BadValue by the value's name."""
    found: dict[str, Any] = {"zone_known": True}
    counts = iter(days)
    for name, value in declared.items():
        match value.type:
            case "instant":
                found |= _moment(name, instant_of(name, _needed(given, name)), zone, locale, next(counts))
            case "url":
                found[name] = checked_link(name, _present(value, given, name), hosts)
            case "text":
                text = clean(_present(value, given, name))
                if not text and value.needed == "yes":
                    raise MissingValue(name)
                found |= {name: text, f"{name}_short": shortened(text, SHORT_CHARACTERS_MAX)}
    return found


def _moment(name: str, instant: datetime, zone: str | None, locale: str, days: int) -> dict[str, Any]:
    moment, stem = spoken(instant, zone, locale), name.removesuffix("_at")
    return {
        f"{stem}_day": moment.day,
        f"{stem}_time": moment.time,
        f"{stem}_utc": moment.utc,
        f"{stem}_in_days": days,
        f"{stem}_in_days_form": str(locale_of(locale).plural_form(max(0, days))),
        "zone_known": moment.zone_known,
    }


def _needed(given: Mapping[str, str], name: str) -> str:
    text = clean(given.get(name, ""))
    if not text:
        raise MissingValue(name)
    return text


def _present(value: Value, given: Mapping[str, str], name: str) -> str:
    return _needed(given, name) if value.needed == "yes" else given.get(name, "")


def checked_link(name: str, link: str, hosts: Collection[str] = ANY_HOST) -> str:
    """Let https to these hosts through and nothing else: escaping alone would let a javascript: link stand (S-31)."""
    if not link:
        return ""
    try:
        parts = urlsplit(link)
        host = parts.hostname
    except ValueError:
        raise BadValue(name) from None
    printable = link.isascii() and link.isprintable() and " " not in link and UNSAFE_IN_LINK.isdisjoint(link)
    if parts.scheme != "https" or not host or "@" in parts.netloc or not printable:
        raise BadValue(name)
    if len(link) > LINK_CHARACTERS_MAX or not _allowed(host, hosts):
        raise BadValue(name)
    return link


def _allowed(host: str, hosts: Collection[str]) -> bool:
    """Tell whether a host is one of these, or below one that is written as *.example.org."""
    return not hosts or any(host == one or (one[:2] == "*." and host.endswith(one[1:])) for one in hosts)

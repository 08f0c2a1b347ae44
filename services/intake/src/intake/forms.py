"""Forms as providers send them: read strictly, for a signature covers what was read."""

from urllib.parse import parse_qsl

from multidict import MultiDict

from duly_chassis.service import Knock, Unproved

FIELDS_MAX = 200
FORM = "application/x-www-form-urlencoded"


def content_type(knock: Knock) -> str:
    """Return a request's type without its parameters; raises Unproved."""
    return knock.header("content-type").partition(";")[0].strip().lower()


def pairs(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form; raises ValueError for one that is no text or has too many."""
    return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")


def fields(body: bytes) -> "MultiDict[str]":
    """Return the fields, doubled ones too; raises Unproved where a field stands there twice with one value.

    Twilio's validator takes each value of a field once, so such a copy would be covered by no signature.
    """
    found = pairs(body)
    if len(set(found)) != len(found):
        raise Unproved("field_doubled")
    return MultiDict(found)


def single(form: "MultiDict[str]", name: str, characters_max: int) -> str:
    """Return a field that may be there once, or ""; raises ValueError for a doubled, long or odd one."""
    values = form.getall(name, [])
    if len(values) > 1 or (values and (len(values[0]) > characters_max or "\x00" in values[0])):
        raise ValueError(name)
    return values[0] if values else ""

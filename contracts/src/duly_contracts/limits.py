"""What every value must keep to before anybody asks what it means: S-54 to S-59.

One pass of msgspec without a schema yields a tree, and the tree shows size, depth and numbers. Only what
looks odd is looked at again, slowly.
"""

import json
import re
from typing import Final

import msgspec

from duly_contracts.refusals import Refused

BYTES_MAX: Final = 1_000_000
KEYS_MAX: Final = 200  # in one object
DEPTH_MAX: Final = 32
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1

ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
BYTE = re.compile(r"\(byte \d+\)$")

TREE = msgspec.json.Decoder()


def check(value: bytes) -> None:
    """Refuse whatever could hurt a reader, a database or a person, whichever field it stands in."""
    if len(value) > BYTES_MAX:
        raise Refused("size", f"{len(value)} bytes")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise Refused("encoding", "not UTF-8") from None
    if "\0" in text:
        raise Refused("nul", "raw byte")
    if "\\u" in text:
        check_escapes(text)
    keys = weigh(tree(text), 1)
    if not plainly_distinct(text, keys):
        json.loads(text, object_pairs_hook=distinct)


def tree(text: str) -> object:
    """Parse JSON as it is, or say what stood in the way."""
    try:
        return TREE.decode(text)
    except RecursionError:
        raise Refused("depth", f"over {DEPTH_MAX}") from None
    except msgspec.ValidationError as error:  # without a schema only numbers can be invalid
        raise Refused("range" if "Integer" in str(error) else "number", "too large") from None
    except msgspec.DecodeError as error:
        raise malformed(text, str(error)) from None


def weigh(node: object, depth: int) -> int:
    """Count the keys below a node; refuse what is too deep, too wide or beyond 64 bits."""
    if depth > DEPTH_MAX:
        raise Refused("depth", f"over {DEPTH_MAX}")
    keys = 0
    children: object = node
    if type(node) is dict:
        keys = len(node)
        if keys > KEYS_MAX:
            raise Refused("size", f"{keys} keys")
        children = node.values()
    elif type(node) is not list:
        children = (node,)
    for child in children:  # type: ignore[attr-defined]
        kind = type(child)
        if kind is int:
            if not INT_MIN <= child <= INT_MAX:
                raise Refused("range", "beyond 64 bits")
        elif kind is dict or kind is list:
            keys += weigh(child, depth + 1)
    return keys


def check_escapes(text: str) -> None:
    """Refuse an escaped NUL and an escaped surrogate without its other half.

    Escapes are read from left to right, so that an escaped backslash before a plain "u0000" is just text.
    """
    awaited = -1  # where the second half must begin
    for escape in ESCAPE.finditer(text):
        unit = int(escape[1], 16) if escape[1] else -1
        if unit == 0:
            raise Refused("nul", "escaped")
        second = 0xDC00 <= unit <= 0xDFFF  # noqa: PLR2004 - the low surrogates of Unicode
        whole = second and escape.start() == awaited
        if (second or awaited >= 0) and not whole:
            raise Refused("encoding", "half a surrogate pair")
        awaited = escape.end() if 0xD800 <= unit <= 0xDBFF else -1  # noqa: PLR2004 - the high surrogates
    if awaited >= 0:
        raise Refused("encoding", "half a surrogate pair")


def plainly_distinct(text: str, keys: int) -> bool:
    """Tell in a fraction of a microsecond that no object has a key twice; False means look closer.

    Where no white space stands before a colon, every key ends in `":`, so there are at least as many of
    these as keys were written. If there are only as many as keys were kept, none was lost.
    """
    return text.count('":') == keys and not (" :" in text or "\t" in text or "\n" in text or "\r" in text)


def distinct(pairs: list[tuple[str, object]]) -> None:
    """Refuse a list of pairs in which a key repeats."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise Refused("duplicate-key", "a key twice in one object")


def malformed(text: str, message: str) -> Refused:
    """Tell numbers that are none from everything else that is not JSON."""
    try:
        json.loads(text, parse_constant=not_finite)
    except Refused as refused:
        return refused
    except RecursionError:
        return Refused("depth", f"over {DEPTH_MAX}")
    except ValueError:
        pass
    at = BYTE.search(message)
    return Refused("shape", f"not JSON {at[0]}" if at else "not JSON")


def not_finite(_name: str) -> None:
    """Refuse NaN and the infinities, which are not JSON but which many parsers read."""
    raise Refused("number", "not finite")

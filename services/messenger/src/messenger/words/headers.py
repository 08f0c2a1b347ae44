"""Header values: whatever a title or a name holds, it stays in its own header, on its own line.

Made by hand because the standard library takes a hundred times as long; tests/unit/messenger/test_headers.py
lets it read every value back and compares.
"""

import re
from base64 import b64encode

from duly_chassis.addresses import Mailbox

LINE_CHARACTERS = 76
WORD_BYTES = 45  # 60 characters of base64: with its frame an encoded word stays under the 75 of RFC 2047
NAME_CHARACTERS_MAX = 100

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
OVERRIDES = re.compile(r"[\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")  # turn the text around them, or are none
ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


def clean(text: str) -> str:
    """Make text fit to be shown: controls and line breaks become a space, overrides of direction go."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return CONTROLS.sub(" ", OVERRIDES.sub("", text)).strip()


def shortened(text: str, characters_max: int) -> str:
    """Cut with an ellipsis what is longer."""
    return text if len(text) <= characters_max else text[: characters_max - 1].rstrip() + "…"


def text_header(name: str, text: str) -> bytes:
    """Write a header whose value is text; what a reader decodes is exactly `text`."""
    if _plain(text):
        return f"{name}: {_folded(text, len(name) + 2)}\r\n".encode()
    return b"%b: %b\r\n" % (name.encode(), _encoded_words(text, len(name) + 2))


def mailbox_header(name: str, mailbox: Mailbox) -> bytes:
    """Write From or To with one mailbox: the name can never become a second address."""
    shown = shortened(clean(mailbox.name), NAME_CHARACTERS_MAX)
    address = mailbox.address.encode()
    if not shown:
        return b"%b: %b\r\n" % (name.encode(), address)
    if not _plain(shown):
        phrase = _encoded_words(shown, len(name) + 2)
    elif ATOMS.fullmatch(shown):
        phrase = shown.encode()
    else:
        phrase = b'"%b"' % re.sub(r'(["\\])', r"\\\1", shown).encode()
    gap = b" " if len(name) + len(phrase) + len(address) < LINE_CHARACTERS - 6 else b"\r\n "
    return b"%b: %b%b<%b>\r\n" % (name.encode(), phrase, gap, address)


def _plain(text: str) -> bool:
    """Tell whether it may stand in a header as it is: nothing in it would be decoded, trimmed or folded away."""
    return text.isascii() and text.isprintable() and "=?" not in text and "  " not in text and text == text.strip()


def _folded(text: str, taken: int) -> str:
    if taken + len(text) <= LINE_CHARACTERS:
        return text
    lines = [""]
    for word in text.split(" "):
        room = LINE_CHARACTERS - (taken if len(lines) == 1 else 1)
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def _encoded_words(text: str, taken: int) -> bytes:
    """Encode as RFC 2047 has it: words of whole characters, each short enough for its line."""
    words: list[bytes] = []
    word = b""
    room = min(WORD_BYTES, (LINE_CHARACTERS - taken - 12) * 3 // 4)
    for character in text:
        encoded = character.encode(errors="replace")
        if len(word) + len(encoded) > room:
            words.append(word)
            word, room = b"", WORD_BYTES
        word += encoded
    words.append(word)
    return b"\r\n ".join(b"=?utf-8?b?%b?=" % b64encode(word) for word in words)

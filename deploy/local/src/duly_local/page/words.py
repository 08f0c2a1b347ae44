"""What a mail's bytes say in words: headers decoded, charsets believed only where they are known and true.

Mails are untrusted. Whatever a header or a body claims, the outcome is text that may be shown: no controls, no
characters that turn the text around them, no half characters.
"""

import codecs
import re
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import Compat32

RAW = "raw-unicode-escape"
"""What `decode_header` gives between two encoded words."""
HEADER_CHARACTERS_MAX = 10_000
"""Of one header, before anything parses it: the standard library's parsers are slow in the length of a header."""
CHARSETS = re.compile(
    r"utf-8|utf-16(-[lb]e)?|ascii|iso8859-\d+|cp125\d|cp437|cp850|koi8-[ru]|mac-roman|gb\d+|gbk|hz|big5(hkscs)?"
    r"|cp932|cp949|johab|shift_jis\w*|euc_\w+|iso2022_\w+|raw-unicode-escape"
)
"""Not here: codecs that are no charsets of mail, some of which take minutes for a large body (punycode, idna)."""
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x85]")


class Bounded(Compat32):
    """The parser's rules, with a bound for each header of the mail and of all its parts."""

    def header_source_parse(self, sourcelines: Sequence[str]) -> tuple[str, str]:
        """Cut a header before it is looked into."""
        name, value = super().header_source_parse([*sourcelines])
        return str(name)[:HEADER_CHARACTERS_MAX], str(value)[:HEADER_CHARACTERS_MAX]


BOUNDED = Bounded()


def text_of(raw: str) -> str:
    """Decode one header's value; what cannot be decoded is shown as it came."""
    whole = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", whole)
    try:
        pieces = decode_header(unfolded) if "=?" in unfolded else [(unfolded, None)]
    except (HeaderParseError, ValueError):
        pieces = [(unfolded, None)]
    told = "".join(piece if isinstance(piece, str) else decoded(piece, charset or RAW) for piece, charset in pieces)
    return fit(told).replace("\n", " ").strip()


def body_of(part: Message) -> str:
    """Decode a part's text, as its transfer encoding and charset say where they are true."""
    content = part.get_payload(decode=True)
    return fit(decoded(content if isinstance(content, bytes) else b"", part.get_content_charset("utf-8")))


def decoded(content: bytes, charset: str) -> str:
    """Decode by a known charset; by UTF-8 with marks for what is not, where the charset is unknown or lies."""
    try:
        name = codecs.lookup(charset).name
        return content.decode(name if CHARSETS.fullmatch(name) else "utf-8")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def fit(text: str) -> str:
    """Make text fit to be shown (S-32): line ends as one newline, what is unseen or turns text around left out."""
    return UNSEEN.sub("", LINE_ENDS.sub("\n", text)).encode("utf-8", "replace").decode("utf-8")

"""Rendered bodies on their way to the wire: encoded once for all the people who share them, but for their name."""

import re
from binascii import b2a_qp
from dataclasses import dataclass

from messenger.templating.sandbox import BODY_BYTES_MAX, Rendered
from messenger.words.headers import text_header
from messenger.words.unsendable import TooLarge

NAME_MARK = "\x1a"  # stands for a name; a control, so that no cleaned value can hold it
NAMED_LINES = re.compile(rf"([^\n]*{NAME_MARK}[^\n]*\n)")


@dataclass(frozen=True, slots=True)
class Body:
    """A rendered body, encoded but for the lines that show the name: those are text, with a mark in its place."""

    pieces: tuple[bytes | str, ...]
    size: int  # bytes before the encoding
    marks: int

    @classmethod
    def of(cls, text: str) -> "Body":
        """Encode what is the same for everybody; each line is encoded for itself, so they may be taken apart."""
        parts = NAMED_LINES.split(text) if text.endswith("\n") else [text]
        pieces = tuple(part if NAME_MARK in part else b2a_qp(_on_the_wire(part)) for part in parts)
        return cls(pieces, len(_on_the_wire(text)), text.count(NAME_MARK))

    def named(self, name: str) -> bytes:
        """Put the name in, which is escaped as the body demands; raises TooLarge."""
        if self.size + self.marks * (len(_on_the_wire(name)) - 1) > BODY_BYTES_MAX:
            raise TooLarge
        return b"".join(
            piece if isinstance(piece, bytes) else b2a_qp(_on_the_wire(piece.replace(NAME_MARK, name)))
            for piece in self.pieces
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a letter that people with the same training, deadline, zone and locale have in common."""

    subject: bytes
    text: Body
    html: Body

    @classmethod
    def of(cls, said: Rendered) -> "Draft":
        """Encode what was rendered."""
        return cls(text_header("Subject", said.subject), Body.of(said.text), Body.of(said.html))


def _on_the_wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode(errors="replace")

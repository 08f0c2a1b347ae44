"""Where wordings are rendered: a sandbox that changes nothing, a value that is missing is an error, output has an end.

Imported by the child process that renders, so it stands on little: Jinja and our own header words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from messenger.words.headers import clean, shortened

BODY_BYTES_MAX = 256 * 1024  # of each body, on the wire
SUBJECT_CHARACTERS_MAX = 200


class Oversize(Exception):
    """A body is larger than any message can honestly be; what was rendered of it is thrown away."""


@dataclass(frozen=True, slots=True)
class Sources:
    """One wording as templates: subject and text plain, HTML already laid out."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one wording says with one set of values."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A wording, ready to be rendered many times."""

    subject: Template
    text: Template
    html: Template

    @classmethod
    def of(cls, sources: Sources) -> "Compiled":
        """Compile; raises TemplateSyntaxError."""
        plain, marked_up = environment(autoescape=False), environment(autoescape=True)
        return cls(
            plain.from_string(sources.subject), plain.from_string(sources.text), marked_up.from_string(sources.html)
        )

    def render(self, words: Mapping[str, Any]) -> Rendered:
        """Fill in; the bodies may say the `subject`. Raises TemplateError, or Oversize."""
        subject = shortened(clean(written(self.subject, words)), SUBJECT_CHARACTERS_MAX)
        words = {**words, "subject": subject}
        return Rendered(subject, written(self.text, words), written(self.html, words))


def environment(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    """Return the one environment of all wordings, plain or escaping."""
    return ImmutableSandboxedEnvironment(
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def written(template: Template, words: Mapping[str, Any]) -> str:
    """Render piece by piece and stop at the limit; raises Oversize."""
    pieces, size = [], 0
    for piece in template.generate(words):
        size += len(piece.encode(errors="replace")) + piece.count("\n")
        if size > BODY_BYTES_MAX:
            raise Oversize
        pieces.append(piece)
    return "".join(pieces)

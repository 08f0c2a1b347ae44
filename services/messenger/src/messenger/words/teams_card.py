"""A chat message as the body of an Adaptive Card, version 1.2.

Each text is a TextRun, which knows no Markdown, and nobody is mentioned: no link or mention comes from data (S-34).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from messenger.words.chat_layout import Part
from messenger.words.headers import shortened

HEADING_CHARACTERS_MAX, BUTTON_CHARACTERS_MAX = 150, 75  # what is cut here is said elsewhere too
HEADING = {"size": "Large", "weight": "Bolder"}
ASIDE = {"size": "Small", "isSubtle": True}


def body(said: Sequence[Part]) -> tuple[Mapping[str, Any], ...]:
    """Lay a message out; its size is limited as a whole, where it is posted."""
    return tuple(_elements(said))


def _elements(said: Sequence[Part]) -> Iterator[Mapping[str, Any]]:
    for kind, group in groupby(said, key=lambda part: part.kind):
        match kind:
            case "button":
                yield {"type": "ActionSet", "actions": [_button(one) for one in group]}
            case "heading":
                yield from (_text(shortened(one.text, HEADING_CHARACTERS_MAX), HEADING) for one in group)
            case "aside":
                yield from (line for one in group for line in _lines(one.text, ASIDE))
            case _:
                yield from (line for one in group for line in _lines(one.text, {}))


def _button(part: Part) -> Mapping[str, Any]:
    return {"type": "Action.OpenUrl", "title": shortened(part.text, BUTTON_CHARACTERS_MAX), "url": part.url}


def _lines(text: str, look: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give each line a block of its own: what a line break does inside of one, nobody promises."""
    first, *others = text.split("\n")
    yield _text(first, look)
    yield from ({**_text(one, look), "spacing": "None"} for one in others)


def _text(text: str, look: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}

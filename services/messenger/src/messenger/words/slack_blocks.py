"""A chat message as Slack's Block Kit. Each text is `plain_text`: no mention, link or emoji comes from data (S-34)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from messenger.words.chat_layout import Part
from messenger.words.headers import shortened
from messenger.words.unsendable import TooLarge

HEADING_CHARACTERS_MAX, BUTTON_CHARACTERS_MAX = 150, 75  # Slack refuses more; what is cut here is said elsewhere too
TEXT_CHARACTERS_MAX, ASIDE_CHARACTERS_MAX = 3_000, 2_000
OPEN = "duly_open"


def blocks(said: Sequence[Part]) -> tuple[Mapping[str, Any], ...]:
    """Lay a message out; raises TooLarge for a paragraph that no block can hold."""
    return tuple(_blocks(said))


def _blocks(said: Sequence[Part]) -> Iterator[Mapping[str, Any]]:
    for kind, group in groupby(said, key=lambda part: part.kind):
        together = list(group)
        match kind:
            case "button":
                yield {"type": "actions", "elements": [_button(number, one) for number, one in enumerate(together)]}
            case "heading":
                text = shortened(together[0].text, HEADING_CHARACTERS_MAX)
                yield {"type": "header", "text": _plain(text, HEADING_CHARACTERS_MAX)}
            case "aside":
                yield {"type": "context", "elements": [_plain(one.text, ASIDE_CHARACTERS_MAX) for one in together]}
            case _:
                yield from ({"type": "section", "text": _plain(one.text, TEXT_CHARACTERS_MAX)} for one in together)


def _button(number: int, part: Part) -> Mapping[str, Any]:
    text = _plain(shortened(part.text, BUTTON_CHARACTERS_MAX), BUTTON_CHARACTERS_MAX)
    return {"type": "button", "action_id": f"{OPEN}_{number}", "text": text, "url": part.url}


def _plain(text: str, characters_max: int) -> Mapping[str, Any]:
    if len(text) > characters_max:
        raise TooLarge
    return {"type": "plain_text", "text": text, "emoji": False}

"""An HTML mail as it is seen: its texts, tags and colours."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any


@dataclass(frozen=True)
class Look:
    """How a text is seen: size in px, colour, what is behind it, and whether it is seen at all."""

    size: int
    colour: str
    ground: str
    shown: bool

    def styled(self, tag: str, style: str) -> "Look":
        """Return the look of what stands in a tag with this style."""
        found = dict(re.findall(r"(?:^|;)([a-z-]+):([^;]+)", style))
        return Look(
            int(found.get("font-size", f"{self.size}px").removesuffix("px")),
            found.get("color", self.colour),
            found.get("background") or found.get("background-color") or self.ground,
            self.shown and tag not in {"head", "style", "title"} and found.get("display") != "none",
        )


class Texts(HTMLParser):
    """Reads an HTML mail as a browser does: its texts, tags and colours."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.seen: list[tuple[str, Look]] = []
        self._open: list[Look] = [Look(16, "#000000", "#ffffff", shown=True)]

    @classmethod
    def of(cls, html: str) -> list[str]:
        return cls.read(html).texts

    @classmethod
    def read(cls, html: str) -> "Texts":
        reader = cls()
        reader.feed(html)
        reader.close()
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self._open.append(self._open[-1].styled(tag, dict(attrs).get("style") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"meta", "br"}:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if data.strip():
            self.seen.append((data.strip(), self._open[-1]))


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)

"""From MJML and sentences to the HTML of a wording; layouts hold no words, words hold no markup.

MJML never sees a sentence or a piece of Jinja: each is exchanged for a token before and put back afterwards. Values
are isolated from the direction of the text around them.
"""

import re
from collections.abc import Iterator, Mapping
from html import escape
from html.parser import HTMLParser

from mjml import mjml2html

from duly_chassis.policy_file import Fault, did_you_mean, shown
from messenger.templating.sandbox import environment
from messenger.templating.words import PLACE

TAGS = {
    *("mj-wrapper", "mj-section", "mj-column", "mj-text", "mj-button", "mj-divider", "mj-spacer"),
    *("h1", "h2", "h3", "p", "strong", "em", "br", "ul", "ol", "li"),
}
"""What a message's own layout may consist of. Not here: images, includes, raw HTML, styles: nothing remote, no code."""

VOID = {"br"}
ATTRIBUTES = {
    *("align", "background-color", "border", "border-bottom", "border-color", "border-left", "border-radius"),
    *("border-top", "border-width", "color", "container-background-color", "css-class", "font-size", "font-weight"),
    *("height", "href"),
    *("inner-padding", "line-height", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top"),
    *("vertical-align", "width"),
}
PLAIN = re.compile(r"[A-Za-z0-9 #.,%-]{0,100}")
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
LINK = re.compile(r"\{\{ *([a-z][a-z0-9_]*) *\}\}")
NUMBER = re.compile(r"\{\{ *[a-z0-9_]+_in_days *\}\}")
TOKEN = re.compile(r"@@([0-9]+)@@")
BETWEEN_TAGS = re.compile(r"(?<=>)(?=</?[a-z])")
OF_THE_HOUSE = frozenset({"body", "language", "direction", "start"})
"""Places in the house's layout that are no sentences."""


class Markup(HTMLParser):
    """Reads a layout's tags and notes every fault with its line."""

    def __init__(self, urls: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[Fault] = []
        self._urls = urls
        self._open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check one tag and what it carries."""
        self._check(tag, attrs)
        if tag not in VOID:
            self._open.append((tag, self._line))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check one tag that ends itself."""
        self._check(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Check that what ends is what was begun last."""
        if tag in VOID:
            return
        begun = self._open.pop() if self._open else ("nothing", self._line)
        if begun[0] != tag:
            self.faults.append((self._line, f"</{tag}> ends <{begun[0]}> of line {begun[1]}"))
            self._open.clear()

    def handle_data(self, data: str) -> None:
        """Refuse words: they belong to the languages."""
        left = JINJA.sub("", PLACE.sub("", data)).strip()
        if left:
            self.faults.append((self._line, f"{shown(left)}: words stand in the languages' files, here [[name]]"))

    def handle_comment(self, data: str) -> None:
        """Refuse what only some mail programs would read."""
        self.faults.append((self._line, f"comment {shown(data.strip())}: some mail programs obey comments"))

    def handle_decl(self, decl: str) -> None:
        """Refuse declarations."""
        self.faults.append((self._line, f"{shown(decl)} is not allowed"))

    def handle_pi(self, data: str) -> None:
        """Refuse instructions to programs."""
        self.faults.append((self._line, f"{shown(data)} is not allowed"))

    def unknown_decl(self, data: str) -> None:
        """Refuse marked sections."""
        self.faults.append((self._line, f"{shown(data)} is not allowed"))

    def ended(self) -> None:
        """Note what was never ended."""
        self.faults += [(line, f"<{tag}> is never ended") for tag, line in self._open]

    @property
    def _line(self) -> int:
        return self.getpos()[0]

    def _check(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append((self._line, f"<{tag}> is not allowed{did_you_mean(tag, TAGS)}"))
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.faults.append((self._line, f"{tag} {name}: not allowed{did_you_mean(name, ATTRIBUTES)}"))
            elif name == "href":
                found = LINK.fullmatch(value or "")
                if found is None or found[1] not in self._urls:
                    urls = ", ".join(sorted(self._urls)) or "none"
                    self.faults.append((self._line, f"href: a value of type url ({urls}) and nothing else"))
            elif not PLAIN.fullmatch(value or ""):
                self.faults.append((self._line, f"{tag} {name}: {shown(value)} is not a plain size, colour or word"))


def faults(body: str, urls: frozenset[str]) -> Iterator[Fault]:
    """Find everything in a message's layout that is not allowed, each with its line (S-31, S-49)."""
    markup = Markup(urls)
    # What Jinja asks may hold < and >, which are no tags; its line breaks stay, for the lines' numbers.
    markup.feed(re.sub(r"\{%.*?%\}|\{#.*?#\}", lambda found: "\n" * found[0].count("\n"), body, flags=re.DOTALL))
    markup.close()
    markup.ended()
    yield from markup.faults


def html(layout: str, body: str, sentences: Mapping[str, str], language: str, direction: str) -> str:
    """Lay the sentences out; raises ValueError where MJML cannot read the layout."""
    kept: list[str] = []

    def keep(text: str) -> str:
        kept.append(text)
        return f"@@{len(kept) - 1}@@"

    start = "right" if direction == "rtl" else "left"
    of_language = {"body": body, "language": language, "direction": direction, "start": start}
    source = PLACE.sub(lambda found: of_language.get(found[1], found[0]), layout)
    # Lines of their own: quoted-printable then encodes again only the line that shows the name.
    source = PLACE.sub(lambda found: keep(f"\n{marked_up(sentences[found[1]])}\n"), source)
    source = JINJA.sub(lambda found: keep(found[0]), source)
    laid_out = BETWEEN_TAGS.sub("\n", mjml2html(source))
    return TOKEN.sub(lambda found: kept[int(found[1])], laid_out) + "\n"


def marked_up(sentence: str) -> str:
    """Write a sentence as HTML: its own text escaped, each value but numbers in an isolation of its own."""
    pieces: list[str] = []
    said: list[str] = []
    for _, kind, text in environment(autoescape=False).lex(sentence):
        if kind == "variable_begin" or said:
            said.append(text)
        else:
            pieces.append(escape(text) if kind == "data" else text)
        if kind == "variable_end":
            value = "".join(said)
            pieces.append(value if NUMBER.fullmatch(value) else f"<bdi>{value}</bdi>")
            said.clear()
    return "".join(pieces)

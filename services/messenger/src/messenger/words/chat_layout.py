"""The layout of a message in a chat: a heading, paragraphs, buttons that lead to the training, and an aside.

A line says what it is by how it begins in the layout's file: `# [[heading]]`, `[{{ link }}] [[open]]`, `-- [[why]]`.
Each beginning becomes a control character before anything is filled in, which no value can hold: so a title that looks
like a button stays a title.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from duly_chassis.policy_file import Fault
from messenger.templating.manifest import Manifest

Kind = Literal["heading", "text", "button", "aside"]

HEADING, BUTTON, ASIDE = "\x11", "\x12", "\x13"
BEGINNINGS = (("# ", HEADING), ("-- ", ASIDE))
LINK_LINE = re.compile(r"\[\{\{ *([a-z][a-z0-9_]*) *\}\}\] *(\S.*)")
MEANT_AS_LINK = re.compile(r"\[(?!\[)")
BUTTONS_MAX = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a chat message, plain text without any marks; a button also has where it leads."""

    kind: Kind
    text: str
    url: str = ""


def faults(layout: str, manifest: Manifest) -> Iterator[Fault]:
    """Find what no chat could show, and a link of the message that has no button."""
    urls = {name for name, value in manifest.values.items() if value.type == "url"}
    linked = []
    lines = layout.split("\n")
    for number, line in enumerate(lines, 1):
        found = LINK_LINE.fullmatch(line)
        if MEANT_AS_LINK.match(line) and (found is None or found[1] not in urls):
            known = ", ".join(sorted(urls)) or "none"
            yield number, f"a button is [{{{{ value }}}}] [[sentence]], with a value of type url ({known})"
        elif found:
            linked.append(found[1])
    for name in sorted(urls.difference(linked)):
        yield 1, f"[{{{{ {name} }}}}] has no button: a message leads straight to the training"
    if len(linked) > BUTTONS_MAX:
        yield 1, f"more than {BUTTONS_MAX} buttons"
    if [line.startswith("# ") for line in lines].count(True) > 1:
        yield 1, "more than one heading"


def marked(layout: str) -> str:
    """Exchange how lines begin for marks that no value can hold."""
    return "\n".join(_marked(line) for line in layout.split("\n"))


def _marked(line: str) -> str:
    for beginning, mark in BEGINNINGS:
        if line.startswith(beginning):
            return mark + line.removeprefix(beginning)
    found = LINK_LINE.fullmatch(line)
    return f"{BUTTON}{{{{ {found[1]} }}}}{BUTTON}{found[2]}" if found else line


def parts(rendered: str) -> tuple[Part, ...]:
    """Take what was rendered apart; lines beside each other are one paragraph."""
    found: list[Part] = []
    paragraph: list[str] = []

    def end() -> None:
        if paragraph:
            found.append(Part("text", "\n".join(paragraph)))
            paragraph.clear()

    for line in (one.strip(" ") for one in rendered.split("\n")):
        if line[:1] not in {HEADING, BUTTON, ASIDE, ""}:
            paragraph.append(line)
            continue
        end()
        if line.startswith(HEADING):
            found.append(Part("heading", line[1:].strip()))
        elif line.startswith(ASIDE):
            found.append(Part("aside", line[1:].strip()))
        elif line.startswith(BUTTON):
            url, _, label = line[1:].partition(BUTTON)
            found.append(Part("button", label.strip(), url.strip()))
    end()
    return tuple(found)


def plain(said: tuple[Part, ...]) -> str:
    """Say it without any layout: for lock screens, screen readers, and a chat that shows no blocks."""
    return "\n".join(f"{part.text}: {part.url}" if part.url else part.text for part in said)

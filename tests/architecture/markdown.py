"""Reads the house's Markdown, as far as the docs check needs: prose, code blocks, links and headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.architecture.source import ROOT, Fault, shown

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
SPAN = re.compile(r"`([^`]+)`")
FOLDERS = ("docs", "contracts", "chassis", "cli", "deploy", "services", "policies", "benchmarks", "tests")


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and whether it stands in a code block."""

    number: int
    text: str
    is_code: bool


@dataclass(frozen=True, slots=True)
class Document:
    """One Markdown file."""

    path: Path
    lines: tuple[Line, ...]

    def fault(self, number: int, rule: str) -> Fault:
        """Make the fault of a line."""
        return Fault(shown(self.path), number, shown(self.path), rule)

    def links(self) -> Iterator[tuple[int, str]]:
        """Yield the target of every link, code left out."""
        for line in self.lines:
            if not line.is_code:
                yield from ((line.number, found) for found in LINK.findall(SPAN.sub("", line.text)) if found)
                yield from ((line.number, found) for found in re.findall(r"\[`[^`]+`\]\(([^)\s]+)\)", line.text))

    def anchors(self) -> set[str]:
        """Return the anchors of its headings, as GitHub makes them."""
        headings = (re.match(r"#{1,6} +(.*?)#*$", line.text) for line in self.lines if not line.is_code)
        return {slug(found[1]) for found in headings if found}

    def code(self) -> Iterator[tuple[int, str]]:
        """Yield the lines of code blocks, and what stands between backticks in the prose."""
        for line in self.lines:
            if line.is_code:
                yield line.number, line.text
            else:
                yield from ((line.number, span) for span in SPAN.findall(line.text))


def slug(heading: str) -> str:
    """Return the anchor of a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def document(path: Path, text: str) -> Document:
    """Read one Markdown text."""
    lines, fence = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and line.strip() == mark[1]:
            fence = ""
        else:
            lines.append(Line(number, line, is_code=bool(fence)))
    return Document(path, tuple(lines))


@cache
def documents() -> tuple[Document, ...]:
    """Return every document of the house."""
    paths = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))]
    return tuple(document(path, path.read_text(encoding="utf-8")) for path in sorted(paths))

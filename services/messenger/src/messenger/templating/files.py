"""One version of a message, from its folder to wordings that are known to render: refused here, never when sent.

FOLDER/{message.yaml, body.mjml, body.txt, LANGUAGE.yaml}; the layout around all of them is the house's own. Channels
beside mail have a layout each, where there is one (templating/kinds.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from babel import Locale
from jinja2 import TemplateError

from duly_chassis.policy_file import PolicyError, Source, did_you_mean, shown
from messenger.templating import layout as template_layout
from messenger.templating import manifest as template_manifest
from messenger.templating import rules as template_rules
from messenger.templating import samples as template_samples
from messenger.templating import words as template_words
from messenger.templating.kinds import KINDS
from messenger.templating.manifest import MANIFEST, Manifest, Value
from messenger.templating.sandbox import Compiled, Oversize, Sources, environment
from messenger.words.mail_frame import frame
from messenger.words.unsendable import NotWorded

MAIL = "mail"
LAYOUT, HTML, TEXT = "layout.mjml", "body.mjml", "body.txt"
FILE_BYTES_MAX = 64 * 1024
LANGUAGE_FILE = re.compile(r"([A-Za-z0-9-]{2,35})\.yaml")


class TemplateRefused(PolicyError):
    """A message's folder that cannot be used; each line reads `FILE:LINE: what is wrong`."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One version of a message in one language, known to render, with its MIME frame around the two bodies."""

    key: str
    """Tells it from every other wording of this process."""
    message: str
    number: int
    """The version, as its folder is called."""
    language: str
    owner: str
    """The team that is told when it cannot be sent."""
    values: Mapping[str, Value]
    sources: Sources
    frame: tuple[bytes, bytes, bytes]
    name_apart: bool
    """The name is shown and nothing else, so that all around it is the same for many people."""
    version: str
    """What the ledger keeps: number, language, and a mark that changes with every letter: which text did she get?"""
    beside: Mapping[str, "Wording"] = field(default_factory=dict)
    """The same message in the same language on other channels, by channel."""

    def on(self, channel: str) -> "Wording":
        """Return what is said on a channel; raises NotWorded."""
        found = self if channel == MAIL else self.beside.get(channel)
        if found is None:
            raise NotWorded(channel)
        return found


@dataclass(frozen=True, slots=True)
class Folder:
    """What all languages of one version have in common."""

    path: Path
    message: str
    number: int
    manifest: Manifest
    html: str
    text: str
    beside: Mapping[str, str]
    """The layouts of other channels, by channel."""

    @property
    def wanted(self) -> frozenset[str]:
        """The sentences that every language must have."""
        places = template_words.places((layout(), self.html, self.text, *self.beside.values()))
        return places.union(template_words.ALWAYS_SAID) - template_layout.OF_THE_HOUSE


def read(path: Path, message: str, number: int, prefix: str = "") -> list[Wording]:
    """Read one version in all its languages, in the manifest's order; raises TemplateRefused with every fault."""
    try:
        manifest = template_manifest.read(Source.read(path / MANIFEST))
        beside = {name: source(path / kind.file) for name, kind in KINDS.items() if (path / kind.file).exists()}
        folder = Folder(path, message, number, manifest, source(path / HTML), source(path / TEXT), beside)
    except PolicyError as error:
        raise TemplateRefused(error.lines) from None
    faults = [*_layout_faults(folder), *_stray(folder)]
    wordings = []
    for language in manifest.languages:
        try:
            wordings.append(_wording(folder, language, prefix, sound=not faults))
        except PolicyError as error:
            faults += error.lines
    if faults:
        raise TemplateRefused(faults)
    return [wording for wording in wordings if wording is not None]


def _layout_faults(folder: Folder) -> list[str]:
    known = folder.manifest.known
    urls = frozenset(name for name, value in folder.manifest.values.items() if value.type == "url")
    found = {
        HTML: [*template_rules.faults(folder.html, known), *template_layout.faults(folder.html, urls)],
        TEXT: list(template_rules.faults(folder.text, known)),
    }
    for name, layout_of in folder.beside.items():
        wrong = list(template_rules.faults(layout_of, known))
        found[KINDS[name].file] = wrong or list(KINDS[name].faults(layout_of, folder.manifest))
    return [f"{folder.path / name}:{line}: {what}" for name, faults in found.items() for line, what in sorted(faults)]


def _stray(folder: Folder) -> list[str]:
    """Find files that nobody would read: a language that is not declared would never be sent."""
    languages, layouts = folder.manifest.languages, [HTML, TEXT, *(kind.file for kind in KINDS.values())]
    faults = []
    for path in sorted(folder.path.iterdir()):
        found = LANGUAGE_FILE.fullmatch(path.name)
        if path.name in {MANIFEST, *layouts} or (found and found[1] in languages) or path.name.startswith("."):
            continue
        hint = did_you_mean(path.name, [MANIFEST, *layouts, *(f"{one}.yaml" for one in languages)])
        faults.append(f"{path}:1: no part of this message{hint}; languages are declared in {MANIFEST}")
    return faults


def _wording(folder: Folder, language: str, prefix: str, *, sound: bool) -> Wording | None:
    """Make one language's wording; None where the layouts are not sound, so that only its words were read."""
    path, locale = folder.path / f"{language}.yaml", Locale.parse(language, sep="-")
    words = Source.read(path)
    sentences = template_words.read(words, locale, folder.wanted, folder.manifest.known)
    if faults := [(words.line((name,)), what) for kind in folder.beside for name, what in KINDS[kind].said(sentences)]:
        raise PolicyError(words.lines(faults))
    if not sound:
        return None
    try:
        html = template_layout.html(layout(), folder.html, sentences, language, locale.text_direction)
    except ValueError as error:
        raise TemplateRefused([f"{folder.path / HTML}:1: not MJML: {error}"]) from None
    mail = Sources(sentences["subject"], _filled(folder.text, sentences), html)
    wording = _of(folder, path, prefix, mail)
    return replace(
        wording,
        beside={
            name: _of(folder, path, f"{name} {prefix}", Sources(mail.subject, _filled(marked, sentences), ""))
            for name, marked in ((name, KINDS[name].marked(one)) for name, one in folder.beside.items())
        },
    )


def _filled(layout_of: str, sentences: Mapping[str, str]) -> str:
    return template_words.PLACE.sub(lambda found: template_words.in_a_line(sentences[found[1]]), layout_of)


def _of(folder: Folder, path: Path, prefix: str, sources: Sources) -> Wording:
    """Make a wording of its templates, tried with every kind of values."""
    language = path.stem
    _render(path, sources, folder.manifest.values, language)
    plain = environment(autoescape=False)
    trees = [plain.parse(one) for one in (sources.subject, sources.text, sources.html)]
    mark = sha256(repr(sources).encode()).hexdigest()[:12]
    return Wording(
        key=f"{prefix}/{folder.message}/{folder.number}/{language}/{mark}",
        message=folder.message,
        number=folder.number,
        language=language,
        owner=folder.manifest.owner,
        values=folder.manifest.values,
        sources=sources,
        frame=frame(language),
        name_apart=not template_rules.asks(trees[0], "name")
        and all(template_rules.merely_shown(tree, "name") for tree in trees),
        version=f"{folder.number}.{language}.{mark}",
    )


def _render(path: Path, sources: Sources, values: Mapping[str, Value], language: str) -> None:
    """Render with sample values, with what may be missing and without; what fails now would fail when sent."""
    try:
        compiled = Compiled.of(sources)
        for words in template_samples.occasions(values, language):
            compiled.render(words)
    except (TemplateError, TypeError, SyntaxError) as error:
        raise TemplateRefused([f"{path}:1: cannot be rendered: {shown(str(error))}"]) from None
    except Oversize:
        raise TemplateRefused([f"{path}:1: larger than a message may be, with sample values"]) from None


@cache
def layout() -> str:
    """Return the house's layout around every message."""
    return (files("messenger") / "templates" / LAYOUT).read_text("utf-8")


def source(path: Path) -> str:
    """Read a layout of a message; raises PolicyError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise PolicyError([f"{path}:1: cannot be read ({error.strerror})"]) from None
    if len(data) > FILE_BYTES_MAX:
        raise PolicyError([f"{path}:1: larger than {FILE_BYTES_MAX // 1024} KB"])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError([f"{path}:{line}: not UTF-8"]) from None

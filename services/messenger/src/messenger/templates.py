"""The wording of each message, read once at start: templates/NAME/LANGUAGE/{subject.txt,body.txt,body.html}."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from jinja2 import StrictUndefined, Template, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from messenger.unsendable import UnknownTemplate

LANGUAGE = "en"  # what is spoken where the recipient's language has no wording
TEXT_MARK, HTML_MARK = "@@text@@", "@@html@@"
NAME, NAME_MARK = "name", "\x1a"  # the mark stands for a name; a control, so that no cleaned value can hold it
BOUNDARY = "=_duly"  # quoted-printable never holds "=_", so no body can hold it


@dataclass(frozen=True, slots=True)
class Wording:
    """One message in one language, with its MIME frame in the three pieces around the two bodies."""

    subject: Template
    text: Template
    html: Template
    needs: frozenset[str]  # every name that the three ask for
    frame: tuple[bytes, bytes, bytes]
    name_apart: bool  # the name is shown and nothing else, so that all around it is the same for many people
    version: str  # changes with every letter of the wording: which text did she get?


Catalogue = Mapping[tuple[str, str], Wording]
"""Wordings by message and language."""


def load_templates() -> Catalogue:
    """Read and compile all wordings; a broken one stops the start, not a message months later."""
    shipped = files("messenger") / "templates"
    return {
        (message.name, language.name): _wording(language)
        for message in shipped.iterdir()
        for language in message.iterdir()
    }


def wording_for(catalogue: Catalogue, message: str, language: str) -> Wording:
    """Choose a message's wording in this language, or in the one that is always there."""
    wording = catalogue.get((message, language)) or catalogue.get((message, LANGUAGE))
    if wording is None:
        raise UnknownTemplate
    return wording


def _wording(folder: Traversable) -> Wording:
    sources = [(folder / name).read_text("utf-8") for name in ("subject.txt", "body.txt", "body.html")]
    plain, marked_up = _environment(autoescape=False), _environment(autoescape=True)
    subject, text, html = sources
    trees = [plain.parse(source) for source in sources]
    return Wording(
        subject=plain.from_string(subject.strip()),
        text=plain.from_string(text),
        html=marked_up.from_string(html),
        needs=frozenset().union(*(meta.find_undeclared_variables(tree) for tree in trees)),
        frame=_frame(folder.name),
        name_apart=not _asks(trees[0]) and all(merely_shown(tree) for tree in trees),
        version=sha256("\0".join(sources).encode()).hexdigest()[:12],
    )


def merely_shown(node: nodes.Node) -> bool:
    """Tell whether a wording only shows the name, as `{{ name }}`, and asks whether there is one: `{% if name %}`."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Output | nodes.If):
            fits = merely_shown(child)
        else:
            fits = isinstance(child, nodes.Name) or not _asks(child)
        if not fits:
            return False
    return True


def _asks(node: nodes.Node) -> bool:
    return any(found.name == NAME for found in node.find_all(nodes.Name))


def _environment(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _frame(language: str) -> tuple[bytes, bytes, bytes]:
    """Let the standard library build the MIME structure once; after that only the bodies are exchanged."""
    frame = EmailMessage(policy=SMTP)
    frame["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    frame.set_content(TEXT_MARK, cte="quoted-printable")
    frame.add_alternative(HTML_MARK, subtype="html", cte="quoted-printable")
    frame.set_boundary(BOUNDARY)
    frame["Content-Language"] = language
    for part in frame.iter_parts():
        del part["MIME-Version"]  # it belongs to the whole
    before, _, rest = frame.as_bytes().partition(TEXT_MARK.encode() + b"\r\n")
    between, _, after = rest.partition(HTML_MARK.encode() + b"\r\n")
    return before, between, after

"""What a message says on channels beside mail: one more layout in its folder, said with the sentences of its languages.

A channel's words obey the same manifest and the same allow-list as the mail's. A version without the layout has nothing
to say there, and a message on that channel goes no further.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from duly_chassis.policy_file import Fault
from messenger.templating import rules as template_rules
from messenger.templating.manifest import Manifest
from messenger.templating.sandbox import environment
from messenger.templating.words import PLACE
from messenger.words import chat_layout

OPT_OUT, STOP = "opt_out", "STOP"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one channel's words stand in a message's folder."""

    file: str
    """The layout: text, with places for sentences."""
    faults: Callable[[str, Manifest], Iterator[Fault]]
    """Finds what this channel demands of the layout beyond the allow-list."""
    said: Callable[[Mapping[str, str]], Iterator[tuple[str, str]]]
    """Finds what it demands of a language's sentences, each with the sentence's name."""
    marked: Callable[[str], str] = str
    """Makes of the layout's own signs what no value can say."""


def sms_layout(layout: str, manifest: Manifest) -> Iterator[Fault]:
    """Demand the way out in every text, and the link that the message brings, so that nobody has to search."""
    if OPT_OUT not in PLACE.findall(layout):
        yield 1, f"no place for [[{OPT_OUT}]]: every text says how to get no more"
    shown = list(environment(autoescape=False).parse(layout).find_all(nodes.Output))
    for name, value in manifest.values.items():
        if value.type == "url" and not any(template_rules.asks(output, name) for output in shown):
            yield 1, f"{{{{ {name} }}}} is not said: a text leads straight to the training"


def sms_sentences(sentences: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Demand the word that ends all texts: it is the same in every language."""
    if STOP not in sentences.get(OPT_OUT, ""):
        yield OPT_OUT, f"{OPT_OUT}: the word {STOP} is not in it"


def anything(_sentences: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Demand nothing more of a language's sentences."""
    return iter(())


KINDS: Mapping[str, Kind] = {
    "slack": Kind("chat.txt", chat_layout.faults, anything, chat_layout.marked),
    "sms": Kind("sms.txt", sms_layout, sms_sentences),
}
"""By channel; a new channel that says words of its own is one line here."""

"""The words of a message in one language: sentences by name, some in several forms by number."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from babel import Locale

from duly_chassis.policy_file import Fault, PolicyError, Source, did_you_mean, shown
from messenger.templating import rules as template_rules

PLACE = re.compile(r"\[\[ *([A-Za-z0-9_]+) *\]\]")
"""Where a sentence stands in a layout: [[greeting]]."""

ALWAYS_SAID = ("subject",)
FORMS = ("zero", "one", "two", "few", "many", "other")
EXACT = re.compile(r"0|[1-9][0-9]{0,3}")
COUNTED_TO = 200  # whole numbers that show every form of every language, as counts of days use them
OF = "of"


def places(layouts: Collection[str]) -> frozenset[str]:
    """Name the sentences that these layouts have a place for."""
    return frozenset(name for layout in layouts for name in PLACE.findall(layout))


def read(source: Source, locale: Locale, wanted: Collection[str], known: Collection[str]) -> dict[str, str]:
    """Return each sentence as a template; raises PolicyError with every fault and its line."""
    faults = list(_names(source, wanted))
    sentences: dict[str, str] = {}
    for name, value in source.values.items():
        line = source.line((name,))
        parts = value if isinstance(value, Mapping) else {"": value}
        if isinstance(value, Mapping):
            faults += ((line, f"{name}: {what}") for what in plural_faults(value, locale, known))
        for form, text in parts.items():
            if form == OF:
                continue
            if not isinstance(text, str | int) or text == "":
                faults.append((line, f"{name}: not a sentence"))
                continue
            where = source.line((name, form)) if form else line
            faults += ((at, f"{name}: {what}") for at, what in template_rules.faults(str(text), known, where))
        sentences[name] = ""
        if not faults:
            sentences[name] = one_of(value) if isinstance(value, Mapping) else str(value).strip()
    if faults:
        raise PolicyError(source.lines(faults))
    return sentences


def _names(source: Source, wanted: Collection[str]) -> Iterator[Fault]:
    """Find sentences that have no place, and places that have no sentence: a language is whole, or not there."""
    for name in source.values:
        if name not in wanted:
            yield source.line((name,)), f"unknown sentence {shown(name)}{did_you_mean(name, wanted)}"
    meant = {near for name in source.values if name not in wanted for near in did_you_mean(name, wanted).split("'")}
    for name in sorted(set(wanted) - source.values.keys() - meant):
        yield 1, f"missing sentence {name!r}"


def plural_faults(forms: Mapping[str, object], locale: Locale, known: Collection[str]) -> Iterator[str]:
    """Say what keeps a sentence in several forms from being right for every number, by the language's CLDR rule."""
    of = forms.get(OF)
    if not isinstance(of, str) or f"{of}_form" not in known:
        counted = sorted(word.removesuffix("_form") for word in known if word.endswith("_form"))
        yield f"'of' names what is counted: {' or '.join(counted) or 'this message counts nothing'}"
    for form in forms:
        if form != OF and form not in FORMS and not EXACT.fullmatch(form):
            yield f"{shown(form)} is no form of a number{did_you_mean(form, FORMS)}: {', '.join(FORMS)}, or 0, 1"
    for form in needed_forms(locale, frozenset(form for form in forms if EXACT.fullmatch(form))):
        if form not in forms:
            yield f"{locale.english_name} also needs the form {form!r}"


@lru_cache(maxsize=256)
def needed_forms(locale: Locale, exact: frozenset[str]) -> tuple[str, ...]:
    """Name the forms that the language's whole numbers have, those said by a number of their own left out."""
    used = {str(locale.plural_form(number)) for number in range(COUNTED_TO) if str(number) not in exact}
    return tuple(form for form in FORMS if form in {*used, "other"})


def one_of(forms: Mapping[str, object]) -> str:
    """Write the forms as one template: numbers of their own first, then the language's forms, `other` last."""
    of = forms[OF]
    exact = [(f"{of} == {form}", text) for form, text in forms.items() if EXACT.fullmatch(form)]
    named = [(f'{of}_form == "{form}"', forms[form]) for form in FORMS if form in forms and form != "other"]
    said = "".join(
        f"{{% {'if' if number == 0 else 'elif'} {test} %}}{str(text).strip()}"
        for number, (test, text) in enumerate([*exact, *named])
    )
    other = str(forms["other"]).strip()
    return f"{said}{{% else %}}{other}{{% endif %}}" if said else other


def in_a_line(sentence: str) -> str:
    """Keep the line break after a sentence that ends with a condition: Jinja would take it for the condition's own."""
    return sentence + '{{ "" }}' if sentence.endswith("%}") else sentence

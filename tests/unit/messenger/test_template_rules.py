"""The first wall: what a wording may do is listed, all else is refused before it is ever rendered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.templating.rules import NODES_MAX, SOURCE_CHARACTERS_MAX, faults, merely_shown
from messenger.templating.sandbox import environment

KNOWN = {"name", "due_in_days", "training_title", "link"}


@pytest.mark.parametrize(
    "source",
    [
        "Hello{% if name %} {{ name }}{% endif %},",
        "{% if due_in_days > 1 and not link or name == 'x' %}a{% elif due_in_days == 0 %}b{% else %}c{% endif %}",
        "{{ training_title|upper }} {# said to all #}",
        "plain words, with 100 % and a } brace",
    ],
)
def test_wording_may_say_values_and_ask_for_them(source: str) -> None:
    assert list(faults(source, KNOWN)) == []


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ 'a'*200000000 }}", "arithmetic"),
        ("{{ 10**(10**7) }}", "arithmetic"),
        ("{{ name ~ name }}", "arithmetic"),
        ("{{ -due_in_days }}", "arithmetic"),
        ("{{ 'x'|center(100000000) }}", "filter 'center' is not allowed"),
        ("{{ name|upper|replace('A', 'aaaaaaaa') }}", "filter 'replace' is not allowed"),
        ("{{ name|upper(1) }}", "takes a value and nothing else"),
    ],
)
def test_wording_that_costs_without_end_is_refused(source: str, why: str) -> None:
    """S-28."""
    ((line, said),) = faults(source, KNOWN)

    assert (line, why in said) == (1, True), said


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{% for letter in name %}{{ letter }}{% endfor %}",
        "{% for a in name recursive %}{{ loop(a) }}{% endfor %}",
    ],
)
def test_wording_that_loops_is_refused(source: str) -> None:
    """S-29."""
    assert "loops are not allowed" in next(iter(faults(source, KNOWN)))[1]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ name.__class__.__mro__ }}", "no attributes"),
        ("{{ name['__class__'] }}", "no attributes"),
        ("{{ name|attr('__init__') }}", "'attr' is not allowed"),
        ("{{ '{0.__class__}'.format(name) }}", "calls are not allowed"),
        ("{{ cycler.__init__ }}", "no attributes"),
        ("{{ self }}", "unknown value 'self'"),
        ("{{ range }}", "unknown value 'range'"),
    ],
)
def test_wording_that_asks_for_attributes_is_refused(source: str, why: str) -> None:
    """S-30."""
    assert why in next(iter(faults(source, KNOWN)))[1]


@pytest.mark.parametrize(
    "source",
    [
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% set name = 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% filter upper %}{{ name }}{% endfilter %}",
        "{{ name is defined }}",
        "{{ 'x' if name else 'y' }}",
        "{{ [name, name] }}",
        "{{ {'a': name} }}",
        "{% with %}{% endwith %}",
        "{% autoescape false %}{{ name }}{% endautoescape %}",
        "{{ name|safe }}",
        "{% if name %}",
        "{{ name",
        "{{ " + "(" * 5_000 + "name" + ")" * 5_000 + " }}",
        "{{ " + "not " * 100 + "name }}",
        "{% if name %}" * 30 + "{% endif %}" * 30,
        "{{ name }}" * NODES_MAX,
        "x" * (SOURCE_CHARACTERS_MAX + 1),
        "a\x1ab",
    ],
)
def test_whatever_is_not_listed_is_refused(source: str) -> None:
    assert list(faults(source, KNOWN)) != []


def test_unknown_value_is_refused_with_its_line_and_the_nearest() -> None:
    assert list(faults("a\nb {{ training_titel }}\n", KNOWN, first_line=10)) == [
        (11, "unknown value 'training_titel', did you mean 'training_title'?")
    ]


@given(st.text(alphabet="{}%#abc .|'()0*-\n", max_size=200))
def test_any_text_is_either_refused_or_rendered_within_its_own_size(text: str) -> None:
    """S-28, S-29: what passes has no way to cost more than it is long."""
    if list(faults(text, KNOWN)):
        return
    said = environment(autoescape=True).from_string(text).render(dict.fromkeys(KNOWN, "v"))

    assert len(said) <= len(text) * 5


@pytest.mark.parametrize(
    ("source", "merely"),
    [
        ("Hello {{ name }}!", True),
        ("{% if name %} {{ name }}{% elif name %}{{ link }}{% else %}{{ name }}{% endif %}", True),
        ("{{ name|upper }}", False),
        ("{{ name ~ '!' }}", False),
        ("{{ 'x' if name else 'y' }}", False),
        ("{% if name == 'Ann' %}x{% endif %}", False),
        ("{% if not name %}{{ name|length }}{% endif %}", False),
        ("{% filter upper %}{{ name }}{% endfilter %}", False),
        ("{% set shown %}{{ name }}{% endset %}{{ shown|upper }}", False),
        ("{% for letter in name %}{{ letter }}{% endfor %}", False),
    ],
)
def test_name_is_put_in_afterwards_only_where_a_wording_merely_shows_it(source: str, merely: bool) -> None:
    assert merely_shown(environment(autoescape=False).parse(source), "name") is merely

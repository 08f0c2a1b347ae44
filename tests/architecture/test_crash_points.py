"""Named crash points (duly_chassis.crash): each stands at exactly one place, and no place has a name of its own."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from duly_chassis.crash import POINTS
from tests.architecture.source import Module, called, modules, sample
from tests.faults.live.points import PLANS


def used(among: Sequence[Module]) -> Iterator[str]:
    """Yield the point of every `crash.at(...)`; a name that is no literal yields its expression."""
    for module in among:
        for node in ast.walk(module.tree):
            if called(node) == "crash.at" and isinstance(node, ast.Call):
                argument = node.args[0]
                yield str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)


def test_each_crash_point_stands_at_exactly_one_place_and_each_place_is_named() -> None:
    """RELIABILITY.md section 9, C1b."""
    assert Counter(used(modules())) == Counter(POINTS)


def test_campaign_kills_at_every_crash_point() -> None:
    """The rig shares no code with the product, so its list is its own; here both are held against each other."""
    assert {plan.point for plan in PLANS} == POINTS


def test_crash_point_is_noticed() -> None:
    assert list(used([sample("crash.at('a')\ncrash.at(name)")])) == ["a", "name"]

"""The walls of the house: who may import whom, and what each member must declare for itself."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.source import (
    Fault,
    Member,
    Module,
    called,
    imported,
    members,
    modules,
    modules_of,
    refuse,
    sample,
    services,
    walk,
)

OWN = {member.package: member.distribution for member in members()}
MAY_IMPORT = {
    "duly_contracts": set(),
    "duly_chassis": {"duly_contracts"},
    "duly_local": set(),
    "duly_cli": {"duly_contracts", "duly_chassis", "duly_local"},
}
A_SERVICE_MAY = {"duly_contracts", "duly_chassis"}

PURE = {
    "abc",
    "base64",
    "bisect",
    "collections",
    "contextlib",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "operator",
    "re",
    "string",
    "types",
    "unicodedata",
    "typing",
    "uuid",
    "whenever",
    "duly_contracts",
}
"""What a domain may import. Not here: whatever asks a file, a socket, a clock, a process or chance."""

PURE_OF_THE_CHASSIS = "duly_chassis.wallclock"
IMPURE_CALL = re.compile(
    r"open|input|print|exec|eval|__import__|uuid[14]|uuid\.uuid[14]|(datetime|date)\.(now|utcnow|today)"
)


HALVES = {"pydantic_core": ["pydantic"]}
"""Packages that another one pins exactly and documents as its own: to pin them twice could only contradict."""


def wall_faults(package: str, module: Module) -> Iterator[Fault]:
    """Find imports of another member that this one must not know."""
    may = MAY_IMPORT.get(package, A_SERVICE_MAY) | {package}
    for node, name in imported(module):
        root = name.split(".")[0]
        if name.startswith("."):
            yield module.fault(node, "imports are absolute; write the package's name", name)
        elif root in OWN and root not in may:
            yield module.fault(
                node, f"{package} must not import {root}: say it with an event, or move what both need down", root
            )
    for node, _ in walk(module.tree):
        if called(node) in {"importlib.import_module", "import_module", "__import__"}:
            yield module.fault(node, "an import by name hides from the walls: import it, or find it by entry point")


def undeclared(member: Member, module: Module, distributions: dict[str, list[str]]) -> Iterator[Fault]:
    """Find imports that the member's own pyproject.toml does not declare: they would fail in its image."""
    declared = {plain(dependency) for dependency in member.dependencies}
    for node, name in imported(module):
        root = name.split(".")[0]
        if root in sys.stdlib_module_names or root == member.package:
            continue
        offers = {plain(one) for one in ([OWN[root]] if root in OWN else distributions.get(root, []))}
        if not offers & declared:
            wanted = " or ".join(sorted(offers)) or f"what offers {root}"
            yield module.fault(node, f"{root} is not declared: add {wanted} to {member.distribution}", root)


def plain(requirement: str) -> str:
    """Return the normalised name of a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[=<>!~;@]", requirement, maxsplit=1)[0]).lower()


def impure(start: str, found: dict[str, Module]) -> Iterator[Fault]:
    """Find what is not pure in a module, and in the modules it stands on."""
    waiting, seen = [start], {start}
    while waiting:
        module = found[waiting.pop()]
        for node, name in imported(module):
            own = next((known for known in (name, name.rpartition(".")[0]) if known in found), None)
            if own is not None:
                waiting += {own} - seen
                seen.add(own)
            elif name.split(".")[0] not in PURE:
                yield module.fault(
                    node, f"{start} must stay pure, and {name} is not known to be: take it as an argument", name
                )
        for node, inside in walk(module.tree):
            if IMPURE_CALL.fullmatch(called(node)):
                yield module.fault(
                    node, f"{start} must stay pure, and {called(node)}() is not: take it as an argument", inside
                )


@pytest.mark.parametrize("member", members(), ids=lambda member: member.package)
def test_member_imports_no_member_it_must_not_know(member: Member) -> None:
    """ARCHITECTURE.md section 1: a service never imports another; contracts know nobody, the chassis contracts only."""
    by_name = {"duly_cli.main": "loads its own modules by a table of constants, each when its verb is asked for"}
    refuse(
        (fault for module in modules_of(member) for fault in wall_faults(member.package, module)),
        by_name if member.package == "duly_cli" else {},
    )


@pytest.mark.parametrize("member", members(), ids=lambda member: member.package)
def test_member_imports_only_what_it_declares(member: Member) -> None:
    """STYLE.md section 8: the shared environment hides undeclared imports until the image is built."""
    distributions = {name: list(found) for name, found in packages_distributions().items()} | HALVES

    refuse(fault for module in modules_of(member) for fault in undeclared(member, module, distributions))


@pytest.mark.parametrize("service", services(), ids=lambda member: member.package)
def test_domain_and_what_it_stands_on_do_no_io(service: Member) -> None:
    """STYLE.md point 3: the domain is pure and `now` is an argument."""
    found = {module.name: module for module in modules_of(service)}
    found |= {module.name: module for module in modules() if module.name == PURE_OF_THE_CHASSIS}

    refuse(impure(f"{service.package}.domain", found))


def test_wall_is_noticed_when_a_service_imports_another() -> None:
    texts = ["import messenger.store", "from messenger import store", "from duly_cli import up", "from . import x"]

    assert all(list(wall_faults("reminders", sample(text))) for text in texts)
    assert not list(wall_faults("reminders", sample("from reminders import store\nfrom duly_chassis import retry")))


def test_purity_is_noticed_when_it_is_lost_one_module_away() -> None:
    found = {"s.domain": sample("from s.words import X", "s.domain"), "s.words": sample("import os", "s.words")}

    assert [fault.place for fault in impure("s.domain", found)] == ["s.words.py"]
    assert list(impure("d", {"d": sample("from uuid import uuid4\nx = uuid4()", "d")}))


def test_undeclared_import_is_noticed() -> None:
    member = next(member for member in members() if member.package == "duly_contracts")

    assert list(undeclared(member, sample("import yaml"), {"yaml": ["PyYAML"]}))
    assert not list(undeclared(member, sample("import msgspec, json"), {"msgspec": ["msgspec"]}))

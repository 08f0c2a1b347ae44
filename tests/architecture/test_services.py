"""Every service has the same shape: know one, know all (STYLE.md point 1 and section 5)."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from duly_chassis import entries
from tests.architecture.source import Fault, Member, members, modules, refuse, services, shown

FILES = (
    "__init__.py",
    "app.py",
    "handlers.py",
    "timers.py",
    "domain.py",
    "store.py",
    "settings.py",
    "answers.py",
    "py.typed",
    "migrations/__init__.py",
    "migrations/versions/__init__.py",
)
LABELS = ("Listens", "Decides", "Emits", "Owns", "Vendors", "Late by at most", "Fails how", "Runbook")
REVISION = re.compile(r"(\d{4})_(?:(?:pre|post)_)?[a-z][a-z0-9_]*\.py")
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
each_service = pytest.mark.parametrize("service", services(), ids=lambda member: member.package)


def missing(home: Path) -> list[str]:
    """Return the files that every service has and this one has not."""
    return [name for name in FILES if not (home / name).exists()]


def card_faults(name: str, text: str) -> Iterator[str]:
    """Say what keeps a README from being the card that every service has: ten lines, the same labels."""
    lines = text.splitlines()
    wanted = [f"# {name}", "", *(f"- **{label}:** " for label in LABELS)]
    if len(lines) != len(wanted):
        yield f"{len(lines)} lines instead of {len(wanted)}"
    for number, (line, start) in enumerate(zip(lines, wanted, strict=False), 1):
        if not line.startswith(start) or len(line) == len(start) > len(f"# {name}"):
            yield f"line {number} must begin with {start.strip()!r} and say it"
    if len(lines) > 1 and not lines[1].endswith("."):
        yield "line 2 is one sentence: what the service does"


def chain_faults(package: str, folder: Path) -> Iterator[Fault]:
    """Find what keeps migrations from being one numbered chain."""
    before = None
    for number, path in enumerate(sorted(path for path in folder.glob("*.py") if path.name != "__init__.py"), 1):
        found = REVISION.fullmatch(path.name)
        says = constants(path)
        if found is None or int(found[1]) != number:
            yield fault(path, package, f"revision {number} is called {number:04}_name.py")
        wanted = {"revision": f"{package.removeprefix('duly_')}_{path.name[:4]}", "down_revision": before}
        for name, value in wanted.items():
            if says.get(name, "") != value:
                yield fault(path, package, f"{name} must be {value!r}, so that there is one chain and no second head")
        if "SET LOCAL lock_timeout" not in path.read_text(encoding="utf-8"):
            yield fault(path, package, "begin with SET LOCAL lock_timeout: rather fail the deploy than queue the house")
        before = wanted["revision"]
    if before is None:
        yield fault(folder, package, "no revision: a service owns at least one table")


def constants(path: Path) -> dict[str, object]:
    """Return what a module's plain assignments say."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def fault(path: Path, package: str, rule: str) -> Fault:
    """Make a fault of a file."""
    return Fault(shown(path), 1, package, rule)


@each_service
def test_service_has_the_files_that_every_service_has(service: Member) -> None:
    assert missing(service.home) == []


@each_service
def test_readme_is_the_ten_line_card(service: Member) -> None:
    path = service.folder / "README.md"

    refuse(fault(path, service.package, said) for said in card_faults(service.package, path.read_text("utf-8")))


@pytest.mark.parametrize(
    "member",
    [*services(), *(member for member in members() if member.package == "duly_chassis")],
    ids=lambda member: member.package,
)
def test_migrations_are_one_numbered_chain(member: Member) -> None:
    """STYLE.md point 20; Notify's test_migrations.py: two heads are found at deploy otherwise."""
    refuse(chain_faults(member.package, member.home / "migrations" / "versions"))


def test_revision_ids_are_unique_in_the_house() -> None:
    found = [constants(module.path).get("revision") for module in modules() if ".migrations.versions." in module.name]

    assert sorted(set(map(str, found))) == sorted(map(str, found))


@each_service
def test_names_of_a_service_follow_from_its_folder(service: Member) -> None:
    """STYLE.md section 5: folder = import name, distribution duly-..., settings DULY_<NAME>_, role and schema alike."""
    name = service.folder.name
    entry = entries.named(name)
    points = service.project["project"]["entry-points"]["duly.services"]

    assert SNAKE.fullmatch(name)
    assert name == service.package
    assert f"duly-{name.replace('_', '-')}" == service.distribution
    assert {name: f"{name}.app:ENTRY"} == points
    assert (name, name, f"{name}.migrations") == (entry.name, entry.settings.service, entry.migrations)


def test_every_installed_service_lives_in_this_house() -> None:
    assert [entry.name for entry in entries.every()] == [service.package for service in services()]


@pytest.mark.parametrize("member", members(), ids=lambda member: member.package)
def test_name_of_a_member_is_nobody_elses(member: Member) -> None:
    """`intake` and `records` are public packages too: a name that is taken would import a stranger."""
    installed = {name for name, offers in packages_distributions().items() if member.distribution not in offers}

    assert member.package not in sys.stdlib_module_names
    assert member.package not in installed


def test_shape_is_noticed_when_it_is_lost(tmp_path: Path) -> None:
    (tmp_path / "0001_a.py").write_text('revision = "s_0001"\ndown_revision = None\nX = "SET LOCAL lock_timeout"\n')
    (tmp_path / "0003_b.py").write_text('revision = "s_0003"\ndown_revision = None\n')

    assert len(list(chain_faults("s", tmp_path))) == 3
    assert list(card_faults("s", "# s\nDoes it.\n"))
    assert "app.py" in missing(tmp_path)

"""The house as text: members, modules, and how a broken rule is told. Nothing of Duly is imported here."""

import ast
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTHING_EXCEPTED: Mapping[str, str] = {}
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken rule: where, which rule, and the way out. `name` is what a list of exceptions calls it."""

    place: str
    line: int
    name: str
    rule: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.rule} (as an exception: {self.name!r}, with its reason)"


@dataclass(frozen=True, slots=True)
class Module:
    """One source file, read and parsed."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    def fault(self, node: ast.AST | int, rule: str, inside: str = "") -> Fault:
        """Make the fault of a node or line of this module."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return Fault(shown(self.path), line, f"{self.name}.{inside}" if inside else self.name, rule)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the workspace, as its pyproject.toml says."""

    folder: Path
    project: Mapping[str, Any]

    @property
    def distribution(self) -> str:
        return str(self.project["project"]["name"])

    @property
    def package(self) -> str:
        return str(self.project["tool"]["uv"]["build-backend"]["module-name"])

    @property
    def is_service(self) -> bool:
        return self.folder.parent.name == "services"

    @property
    def home(self) -> Path:
        return self.folder / "src" / self.package

    @property
    def dependencies(self) -> list[str]:
        """What it needs, and what it needs for its extras."""
        project = self.project["project"]
        extras = [one for extra in project.get("optional-dependencies", {}).values() for one in extra]
        return [*project.get("dependencies", []), *extras]

    def fault(self, rule: str) -> Fault:
        """Make a fault of the member as a whole."""
        return Fault(f"{shown(self.folder)}/pyproject.toml", 1, self.package, rule)


def shown(path: Path) -> str:
    """Name a file as people do, from the root on."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def toml(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def members() -> tuple[Member, ...]:
    """Return every member of the workspace."""
    patterns = toml(ROOT / "pyproject.toml")["tool"]["uv"]["workspace"]["members"]
    files = sorted(file for pattern in patterns for file in ROOT.glob(f"{pattern}/pyproject.toml"))
    return tuple(Member(file.parent, toml(file)) for file in files)


def services() -> list[Member]:
    """Return the members that are services."""
    return [member for member in members() if member.is_service]


@cache
def parsed(path: Path, name: str) -> Module:
    """Read one file."""
    text = path.read_text(encoding="utf-8")
    return Module(path, name, text, ast.parse(text, filename=str(path)))


def sample(text: str, name: str = "sample") -> Module:
    """Make a module of a few lines, to show that a rule bites."""
    return Module(Path(f"{name}.py"), name, text, ast.parse(text))


def modules_of(member: Member) -> list[Module]:
    """Return a member's modules."""
    return [parsed(path, dotted(path, member.folder / "src")) for path in sorted(member.home.rglob("*.py"))]


def modules() -> list[Module]:
    """Return every module that is shipped."""
    return [module for member in members() for module in modules_of(member)]


def around() -> list[Module]:
    """Return what is not shipped: tests and benchmarks."""
    files = sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
    return [parsed(path, dotted(path, ROOT)) for path in files]


def dotted(path: Path, start: Path) -> str:
    """Turn a file's path into the name it is imported by."""
    return ".".join(path.relative_to(start).with_suffix("").parts).removesuffix(".__init__")


def walk(node: ast.AST, inside: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Yield every node with the qualified name of the function or class it stands in."""
    for child in ast.iter_child_nodes(node):
        yield child, inside
        name = f"{inside}.{child.name}".lstrip(".") if isinstance(child, Scope) else inside
        yield from walk(child, name)


def within(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is done inside a node, without the bodies of functions that are only defined there."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*Scope.__args__, ast.Lambda)):
            yield child
            yield from within(child)


def called(node: ast.AST) -> str:
    """Return what a call calls, as it is written: `time.sleep`; anything else gives an empty text."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def imported(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield each import with its full dotted name: `from a import b` is `a.b`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from ((node, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)


def docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the text nodes that only document."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def refuse(faults: Iterable[Fault], excepted: Mapping[str, str] = NOTHING_EXCEPTED) -> None:
    """Fail with every fault that no exception covers, and with every exception that covers nothing any more."""
    found = list(faults)
    lines = [str(fault) for fault in found if fault.name not in excepted]
    used = {fault.name for fault in found}
    lines += [f"{name!r} is excepted, but there is nothing to except: strike it off" for name in excepted.keys() - used]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)

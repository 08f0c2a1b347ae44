"""What no file may hold: other people's machines, promises instead of code, and faults swallowed in silence."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import ROOT, Fault, Module, around, called, modules, refuse, sample, shown, walk

KINDS = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".html", ".sh", ".lock", ".ini", ".cfg", ""}
LEFT_OUT = {
    "uv.lock": "names the registry that every package came from",
    "LICENSE": "somebody else's text",
    ".git": "in a second work tree a file of git's own",
}
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "dist", "build"}

MACHINE_PATH = re.compile(r"(?<![\w.<{}/-])/(work|home|Users|root)/\w|(?<![\w.])/tmp/\w|[A-Z]:\\Users")
REGISTRY = re.compile(
    r"\b(pypi\.org|pythonhosted\.org|registry\.npmjs\.org|proxy\.golang\.org|repo1?\.maven\.(org|apache\.org)"
    r"|index\.docker\.io|artifactory|nexus\.\w+)\b|--index-url|extra-index",
    re.IGNORECASE,
)
PROMISE = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error", r"\bXX" + r"X\b")))
"""Written in pieces, so that this file does not hold what it looks for."""

PRINTS_IN = {
    "duly_cli.replaying": "the bar's console writes progress to stderr",
    "duly_local.fetch": "a program of its own: tells where the jars are",
}


def lines() -> Iterator[tuple[Path, int, str]]:
    """Yield every line of every text file of the checkout, tools' folders left out."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if any(part.startswith(".") or part in SKIPPED_FOLDERS for part in parts[:-1]) or not path.is_file():
            continue
        if path.suffix in KINDS and path.name not in LEFT_OUT and path != Path(__file__):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                yield path, number, line


def told(pattern: re.Pattern[str], rule: str) -> Iterator[Fault]:
    """Find lines that match."""
    for path, number, line in lines():
        if pattern.search(line):
            yield Fault(shown(path), number, shown(path), rule)


def swallowed(module: Module) -> Iterator[Fault]:
    """Find handlers that catch everything and do nothing."""
    for node, inside in walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and catches_all(node.type) and silent(node.body):
            yield module.fault(
                node, "everything is caught and nothing is said: log it, count it or let it rise", inside
            )
        if called(node).endswith("suppress") and isinstance(node, ast.Call) and any(map(catches_all, node.args)):
            yield module.fault(node, "everything is suppressed: name what may be", inside)


def catches_all(node: ast.expr | None) -> bool:
    """Tell whether a handler catches everything."""
    return node is None or ast.unparse(node) in {"Exception", "BaseException"}


def silent(body: list[ast.stmt]) -> bool:
    """Tell whether a handler does nothing."""
    return all(
        isinstance(one, ast.Pass | ast.Continue) or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in body
    )


def prints(module: Module) -> Iterator[Fault]:
    """Find output that is neither a log line nor an answer."""
    for node, _ in walk(module.tree):
        if called(node) == "print" or called(node).endswith(".print"):
            yield module.fault(node, "use the log, typer.echo or sys.stdout.write")


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    refuse(told(MACHINE_PATH, "a path of one machine: derive it, or take a temporary folder"))


def test_no_file_names_a_registry() -> None:
    """Which mirror is used is a matter of who builds; uv.lock alone knows where packages came from."""
    refuse(told(REGISTRY, "a registry's host or option: leave it to the environment of whoever builds"))


def test_no_file_promises_instead_of_doing() -> None:
    refuse(told(PROMISE, "a promise: do it now, or write it down as a limit in the README"))


def test_nothing_prints_but_tools() -> None:
    refuse((fault for module in modules() for fault in prints(module)), PRINTS_IN)


def test_nothing_swallows_every_exception_in_silence() -> None:
    refuse(fault for module in (*modules(), *around()) for fault in swallowed(module))


def test_hygiene_is_noticed_when_it_is_lost() -> None:
    assert list(swallowed(sample("try:\n f()\nexcept Exception:\n pass")))
    assert list(swallowed(sample("for x in y:\n try:\n  f()\n except:\n  continue")))
    assert list(swallowed(sample("with suppress(Exception):\n f()")))
    assert list(prints(sample("print(1)")))
    assert not list(swallowed(sample("try:\n f()\nexcept OSError:\n pass")))
    assert all(map(MACHINE_PATH.search, ("cd /home" + "/me", "'/tmp/x'", "see /work/here")))
    assert not any(map(MACHINE_PATH.search, ("the machine's /tmp", "src/work/here", "https://x.org/home/page")))

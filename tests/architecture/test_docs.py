"""What the documents say is there, is there: files, anchors, make targets, commands and their options, settings."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from duly_chassis import entries
from duly_cli.main import app
from tests.architecture.markdown import Document, document, documents
from tests.architecture.source import ROOT, Fault, Module, modules, refuse, sample

GUIDES = sorted((ROOT / "docs").glob("adding-*.md"))
PLACEHOLDER = re.compile(r"[<>*{}…]|NNNN|\.\.\.")
A_PATH = re.compile(r"[\w.-]+(/[\w.-]+)+/?|[\w-]+\.(py|md|toml|yaml|json|lock)")
MAKE = re.compile(r"(?:^|[\s$;&])make ([a-z][a-z0-9-]*)")
VARIABLE = re.compile(r"\bDULY_[A-Z][A-Z0-9_]*")

NOT_SETTINGS = {
    "DULY_CACHE_DIR": "where the local stack keeps what can be fetched again",
    "DULY_OULAD_DIR": "real learners for the tests and benchmarks, where they are at hand",
    "DULY_BENCH_PROFILE": "where a benchmark writes its profile",
    "DULY_CRASH_AT": "where a process kills itself, for fault tests only (duly_chassis.crash)",
    "DULY_TENANT": "the default of --tenant",
    **{f"DULY_{entry.name.upper()}_ADDRESS": "where a service answers, for the command" for entry in entries.every()},
}


def broken_links(doc: Document) -> Iterator[Fault]:
    """Find relative links to files or headings that are not there."""
    for number, link in doc.links():
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path = (doc.path.parent / target).resolve() if target else doc.path
        if target and not path.exists():
            yield doc.fault(number, f"{link}: no such file")
        elif anchor and path.suffix == ".md":
            text = doc if path == doc.path else document(path, path.read_text(encoding="utf-8"))
            if anchor not in text.anchors():
                yield doc.fault(number, f"{link}: {path.name} has no such heading")


def missing_targets(doc: Document, targets: set[str]) -> Iterator[Fault]:
    """Find `make X` without a target X."""
    for number, code in doc.code():
        for name in MAKE.findall(code):
            if name not in targets:
                yield doc.fault(number, f"make {name}: the Makefile has no such target")


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    makefile = ROOT / "Makefile"
    text = makefile.read_text(encoding="utf-8") if makefile.exists() else ""
    return set(re.findall(r"^([a-z][a-z0-9-]*):(?!=)", text, re.MULTILINE))


def commands(doc: Document) -> Iterator[tuple[int, list[str]]]:
    """Yield the words of every `duly ...` that is shown."""
    for number, code in doc.code():
        shownline = re.sub(r"^\s*(\$ )?((?:[A-Z_]+=\S+ )*)(uv run )?", "", code).rstrip("\\ ")
        if shownline.split(" ")[0] == "duly":
            yield number, shlex.split(shownline.split(" | ")[0].split(" > ")[0].rstrip("&"), comments=True)[1:]


def wrong_command(words: list[str]) -> str:
    """Say what is wrong with the words after `duly`, or nothing; the command's own --help must work, too."""
    command: Any = typer.main.get_command(app)
    path: list[str] = []
    for word in words:
        if word.startswith("-") or not hasattr(command, "get_command"):
            break
        found = command.get_command(None, word)
        if found is None:
            return f"there is no command {word!r}"
        command = found
        path.append(word)
    options = {option for one in command.params for option in one.opts if option.startswith("-")} | {"--help"}
    for word in words:
        if word.startswith("--") and word.partition("=")[0] not in options:
            return f"it has no option {word}"
    return "" if helps(tuple(path)) else "its --help fails"


@cache
def helps(path: tuple[str, ...]) -> bool:
    """Ask a command for its help."""
    return CliRunner().invoke(app, [*path, "--help"]).exit_code == 0


def variables() -> set[str]:
    """Return every variable that the house reads."""
    found = set(NOT_SETTINGS)
    for entry in entries.every():
        for field in entry.settings.model_fields:
            for prefix in ("DULY_", f"DULY_{entry.name.upper()}_"):
                found |= {f"{prefix}{field.upper()}", f"{prefix}{field.upper()}_FILE"}
    return found


def unknown_variables(doc: Document, known: set[str]) -> Iterator[Fault]:
    """Find variables that nothing reads; a bare prefix as DULY_REMINDERS_ stands for all of its own."""
    for line in doc.lines:
        for name in VARIABLE.findall(line.text):
            if name not in known and not (name.endswith("_") and any(one.startswith(name) for one in known)):
                yield doc.fault(line.number, f"{name}: no setting has this name")


def undocumented(module: Module) -> Iterator[Fault]:
    """Find settings without a text of their own."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                if isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.unparse(field.annotation) and not told:
                    name = ast.unparse(field.target)
                    yield module.fault(field, f"{name}: say below it what an operator sets with it", name)


def missing_paths(doc: Document) -> Iterator[Fault]:
    """Find files that a guide names and nobody has; placeholders are the reader's to fill in."""
    for number, code in doc.code():
        word = code.split(" ")[0]
        if A_PATH.fullmatch(word) and not PLACEHOLDER.search(word) and "/" in word and not (ROOT / word).exists():
            yield doc.fault(number, f"{word}: no such file; paths are named from the root on")


def test_relative_links_lead_somewhere() -> None:
    refuse(fault for doc in documents() for fault in broken_links(doc))


def test_make_targets_that_are_named_exist() -> None:
    refuse(fault for doc in documents() for fault in missing_targets(doc, targets()))


def test_commands_that_are_shown_exist_with_their_options() -> None:
    refuse(
        doc.fault(number, f"duly {shlex.join(words)}: {wrong}")
        for doc in documents()
        for number, words in commands(doc)
        if (wrong := wrong_command(words))
    )


def test_variables_that_are_named_are_read_by_something() -> None:
    refuse(fault for doc in documents() for fault in unknown_variables(doc, variables()))


def test_variables_beside_the_settings_are_read_somewhere() -> None:
    """The other way round: a name that only this list knows would be a promise to the reader."""
    aside = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    text = "\n".join([*(module.text for module in modules()), *(path.read_text(encoding="utf-8") for path in aside)])
    names = {re.sub(r"^DULY_[A-Z]+_ADDRESS$", "_ADDRESS", name) for name in NOT_SETTINGS}

    assert [name for name in names if name not in text] == []


def test_every_setting_says_what_an_operator_sets_with_it() -> None:
    of_services = [module for module in modules() if module.name.endswith(".settings")]

    refuse(fault for module in of_services for fault in undocumented(module))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_guide_names_files_that_exist_and_ends_with_a_checklist(guide: Path) -> None:
    """STYLE.md point 28: scope first, a checklist last."""
    doc = document(guide, guide.read_text(encoding="utf-8"))
    headings = [line.text for line in doc.lines if line.text.startswith("## ")]

    refuse(missing_paths(doc))
    assert (headings[0], headings[-1]) == ("## Scope", "## Checklist")


def test_every_service_has_its_runbook() -> None:
    assert [entry.name for entry in entries.every() if not (ROOT / f"docs/runbooks/{entry.name}.md").exists()] == []


def test_promise_that_is_not_kept_is_noticed() -> None:
    text = (
        "# A b\n[x](none.md) [y](#no-such) [z](#a-b)\n`make nothing`\n"
        "```sh\nduly nothing\nduly migrate --nothing\n$ duly migrate\n```\nDULY_NOTHING DULY_REMINDERS_\n"
    )
    doc = document(ROOT / "sample.md", text)

    assert [str(fault).split(": ")[1] for fault in broken_links(doc)] == ["none.md", "#no-such"]
    assert len(list(missing_targets(doc, {"check"}))) == 1
    assert [bool(wrong_command(words)) for _, words in commands(doc)] == [True, True, False]
    assert len(list(unknown_variables(doc, variables()))) == 1
    assert len(list(undocumented(sample("class Settings(S):\n a: int = 1\n b: int = 2\n '''Said.'''")))) == 1
    assert len(list(missing_paths(document(ROOT / "g.md", "`docs/none.md` `docs/<name>.md` `uv.lock`")))) == 1

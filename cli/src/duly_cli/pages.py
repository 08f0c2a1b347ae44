"""The pages of docs/ that are written from the code: `python -m duly_cli.pages --check docs`, or `--write docs`."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from duly_chassis import asyncapi_page, entries
from duly_cli import describing
from duly_cli.describing import Variable

SETTINGS = """# Settings

Written from the code by `make contracts`; `duly settings` prints the same. Each may stand in the environment or, with
`_FILE` appended to its name, in a file. A variable below "Every service" may also be set for one service alone, with
the service's name in it: `DULY_MESSENGER_LOG_LEVEL` goes before `DULY_LOG_LEVEL`.
"""
HEAD = "\n| Variable | Default | Meaning |\n|---|---|---|\n"


def pages() -> dict[str, str]:
    """Return every generated page by its path below docs/."""
    found = {"settings.md": _settings()}
    for entry in entries.every():
        document = describing.written(entry)
        found[f"asyncapi/{entry.name}.json"] = document
        found[f"asyncapi/{entry.name}.md"] = asyncapi_page.markdown(json.loads(document), entry.name)
    return found


def faults(home: Path) -> list[str]:
    """Say which pages are missing, old, or of something that is no more."""
    wanted = pages()
    there = {f"asyncapi/{path.name}" for path in home.glob("asyncapi/*")}
    return [f"{name}: there is nothing of that name" for name in sorted(there - wanted.keys())] + [
        f"{name}: differs from the code; make contracts"
        for name, text in wanted.items()
        if not (home / name).exists() or (home / name).read_text(encoding="utf-8") != text
    ]


def write(home: Path) -> None:
    """Write every page anew."""
    for name, text in pages().items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")


def _settings() -> str:
    parts = [SETTINGS, "\n## Every service\n", _table(describing.shared())]
    for entry in entries.every():
        parts += [f"\n## {entry.name}\n", _table(describing.own(entry))]
    return "".join(parts)


def _table(variables: Iterable[Variable]) -> str:
    rows = (f"| `{one.name}` | {_default(one)} | {one.meaning} |\n".replace("||", "| |") for one in variables)
    return HEAD + "".join(rows)


def _default(one: Variable) -> str:
    if one.required:
        return "must be set"
    return f"`{one.default}`" if one.default else "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write; the exit status is 1 while anything is left to be done."""
    parser = argparse.ArgumentParser(prog="duly_cli.pages", description=__doc__)
    parser.add_argument("home", type=Path, help="the folder docs/")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="compare the pages with the code")
    task.add_argument("--write", action="store_true", help="write them anew")
    chosen = parser.parse_args(arguments)
    if chosen.write:
        write(chosen.home)
    found = faults(chosen.home)
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())

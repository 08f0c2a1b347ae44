"""The published shape of every event: JSON Schema files, frozen once released.

`python -m duly_contracts.schema --check` compares the files with the code, `--write` adds what is missing. A
file whose shape differs is never written over: who needs another shape makes another version.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import msgspec

from duly_contracts.catalogue import BY_TYPE
from duly_contracts.event import Event

HOME: Final = Path(__file__).parents[2]  # contracts/, in a checkout
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema(event: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an event's data; unknown fields are allowed."""
    parts = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(event)))  # as a reader of the file has it
    found = {"$schema": DIALECT, "$id": f"urn:duly:{event.type}", **parts}
    for definition in found["$defs"].values():  # docstrings keep their indentation in some releases of Python
        definition["description"] = cleandoc(definition["description"])
    return found


def written(event: type[Event]) -> str:
    """Return the text of an event's schema file: the same on every machine."""
    return json.dumps(schema(event), indent=2, sort_keys=True, ensure_ascii=True) + "\n"


def faults(home: Path) -> list[str]:
    """Say what keeps files and code from being one contract; nothing is well."""
    found = []
    for name, event in BY_TYPE.items():
        path = home / "schemas" / f"{name}.json"
        if not path.exists():
            found.append(f"{name}: no schema file; add it with --write")
        elif path.read_text(encoding="utf-8") != written(event):
            same = shape(json.loads(path.read_text(encoding="utf-8"))) == shape(schema(event))
            found.append(f"{name}: " + ("wording differs; --write" if same else CHANGED))
        if not (home / "examples" / f"{name}.json").exists():
            found.append(f"{name}: no golden example")
    for folder in ("schemas", "examples"):
        strays = {path.stem for path in (home / folder).glob("*.json")} - BY_TYPE.keys()
        found += [f"{stray}: in {folder}/, but there is no such event" for stray in sorted(strays)]
    return found


CHANGED: Final = "its shape changed, but a released event is frozen; make a new version of it"


def write(home: Path) -> None:
    """Write the files that are missing, and those whose words alone have changed."""
    for name, event in BY_TYPE.items():
        path = home / "schemas" / f"{name}.json"
        if not path.exists() or shape(json.loads(path.read_text(encoding="utf-8"))) == shape(schema(event)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(written(event), encoding="utf-8")


def shape(node: Any) -> Any:
    """Return a schema without its descriptions, which may be improved after release."""
    if isinstance(node, dict):
        return {name: shape(child) for name, child in node.items() if not is_wording(name, child)}
    if isinstance(node, list):
        return [shape(child) for child in node]
    return node


def is_wording(name: str, child: Any) -> bool:
    """Tell a description from a field that happens to have that name."""
    return name == "description" and isinstance(child, str)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write; the exit status is 1 while anything is left to be done."""
    parser = argparse.ArgumentParser(prog="duly_contracts.schema", description=__doc__)
    parser.add_argument("--home", type=Path, default=HOME, help="folder that holds schemas/ and examples/")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="compare the files with the code")
    task.add_argument("--write", action="store_true", help="add missing files first")
    chosen = parser.parse_args(arguments)
    if chosen.write:
        write(chosen.home)
    found = faults(chosen.home)
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())

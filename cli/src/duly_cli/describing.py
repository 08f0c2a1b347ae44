"""`duly asyncapi` and `duly settings`: what a service says of itself, without a server; and the same as files."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Annotated

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from duly_chassis import asyncapi, entries
from duly_chassis.clock import SystemClock
from duly_chassis.service import Entry
from duly_chassis.settings import SHARED_PREFIX, ServiceSettings
from duly_cli.explaining import AsJson
from duly_cli.troubles import told_plainly

Name = Annotated[str, typer.Argument(help="The service, for example reminders.")]


@dataclass(frozen=True, slots=True)
class Variable:
    """One thing an operator may set."""

    name: str
    default: str
    """As it would be written; empty where there is none."""
    required: bool
    meaning: str


def print_asyncapi(name: Name) -> None:
    """Print the AsyncAPI 3.0 document of a service: what it listens to and what it tells, with every payload."""
    with told_plainly():
        sys.stdout.write(written(entries.named(name)))


def print_settings(
    name: Annotated[str | None, typer.Argument(help="One service alone.")] = None, as_json: AsJson = False
) -> None:
    """List every variable that a service reads, with its default and its meaning."""
    with told_plainly():
        found = (
            own(entries.named(name)) if name else [*shared(), *(one for entry in entries.every() for one in own(entry))]
        )
        if as_json:
            sys.stdout.write(json.dumps([asdict(one) for one in found]) + "\n")
            return
        for one in found:
            typer.echo(f"{one.name}  {'must be set' if one.required else one.default}\n    {one.meaning}")


def written(entry: Entry) -> str:
    """Return the text of a service's AsyncAPI document: the same on every machine."""
    service = entry.build(entry.settings.sample(), SystemClock())
    return json.dumps(asyncapi.document(service, version("duly-chassis")), indent=2) + "\n"


def shared() -> list[Variable]:
    """Return what every service reads, each under its shared name."""
    return list(_variables(SHARED_PREFIX, ServiceSettings.model_fields))


def own(entry: Entry) -> list[Variable]:
    """Return what one service reads beside that, or with another default."""
    fields = {
        name: field
        for name, field in entry.settings.model_fields.items()
        if name not in ServiceSettings.model_fields or field.default != ServiceSettings.model_fields[name].default
    }
    return list(_variables(f"{SHARED_PREFIX}{entry.name.upper()}_", fields))


def _variables(prefix: str, fields: dict[str, FieldInfo]) -> Iterator[Variable]:
    for name, field in fields.items():
        default = "" if field.default in (None, PydanticUndefined) else str(field.default)
        meaning = " ".join((field.description or "").split())
        yield Variable(prefix + name.upper(), default, field.is_required(), meaning)

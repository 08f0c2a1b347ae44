"""The command `duly`: every verb, one line each, loaded when it is asked for."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "up": ("duly_cli.up", "up"),
    "run": ("duly_cli.up", "run"),
    "migrate": ("duly_cli.up", "migrate_all"),
    "facts": ("duly_cli.telling", "telling"),
    "explain": ("duly_cli.explaining", "explain"),
    "preview": ("duly_cli.previewing", "preview"),
    "demo": ("duly_cli.replaying", "demo"),
    "replay": ("duly_cli.replaying", "replay"),
    "roster": ("duly_cli.rostering", "roster"),
    "parked": ("duly_cli.ordering", "parked"),
    "bounces": ("duly_cli.bouncing", "bounces"),
    "blocks": ("duly_cli.blocking", "blocks"),
    "brake": ("duly_cli.braking", "brake"),
    "dead-letters": ("duly_cli.letters", "dead_letters"),
    "doctor": ("duly_cli.doctoring", "doctor"),
    "settings": ("duly_cli.describing", "print_settings"),
    "asyncapi": ("duly_cli.describing", "print_asyncapi"),
}
"""Verb, and the module and name that carry it out: who asks for one does not pay for the others' imports."""

ALIASES = {"brakes": "brake"}
"""Old names that go on working; nobody is told of them."""


class Verbs(TyperGroup):
    """The verbs by name."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the verbs, in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Load one verb; None for one that is not there."""
        cmd_name = ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)  # get_command would fold a group of one into its only verb
        else:
            single = typer.Typer(pretty_exceptions_enable=False)
            single.command(cmd_name)(found)
            command = typer.main.get_command(single)
        command.name = cmd_name
        return command


app = typer.Typer(name="duly", cls=Verbs, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def duly() -> None:
    """Training gets done, the right people hear about it, and every system that must know agrees."""


if __name__ == "__main__":
    app()

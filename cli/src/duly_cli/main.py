"""The command `duly`: every verb, one line each."""

import typer

from duly_cli import replaying

app = typer.Typer(
    name="duly",
    help="Training gets done, the right people hear about it, and every system that must know agrees.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(replaying.replay, name="replay")
app.command()(replaying.demo)


if __name__ == "__main__":
    app()

"""The command `duly`: every verb, one line each."""

import typer

from duly_cli import explaining, ordering, replaying, up

app = typer.Typer(
    name="duly",
    help="Training gets done, the right people hear about it, and every system that must know agrees.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("run")(up.run)
app.command("migrate")(up.migrate_all)
app.command("explain")(explaining.explain)
app.command("demo")(replaying.demo)
app.add_typer(replaying.replay, name="replay")
app.add_typer(ordering.parked, name="parked")
app.add_typer(ordering.brakes, name="brakes")


if __name__ == "__main__":
    app()

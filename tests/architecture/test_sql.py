"""SQL stands in the stores, whole: literals with `$1` parameters, never assembled (STYLE.md point 20)."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import Fault, Module, called, docstrings, modules, refuse, sample, services, walk

SQL = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE \w+|DELETE FROM|WITH \w+ AS|CREATE (TABLE|SCHEMA|ROLE|INDEX|UNIQUE)|ALTER|GRANT"
    r"|DROP|TRUNCATE|COPY|LOCK TABLE|SET LOCAL|SET search_path|DO \$\$)\b"
)
STARTS = ("execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor")

SQL_IN = {
    "duly_chassis.offsets": "the stored offsets of the consumer layer",
    "duly_chassis.inbox": "the guard against facts published twice",
    "duly_chassis.outbox": "events on their way out",
    "duly_chassis.dead_letters": "records that could not be applied, as workers write and settle them",
    "duly_chassis.letters": "the same, as those see them who look at them",
    "duly_chassis.starts": "what a process had begun when it died",
    "duly_chassis.brakes": "held work and its release",
    "duly_chassis.people": "the replica of people that deciding services share",
    "duly_chassis.purge": "what is deleted, and when",
    "duly_chassis.database": "sets the tenant of a reader's transaction",
    "duly_chassis.health": "proves that the database takes writes",
    "duly_chassis.gauges": "what a scrape asks every service's tables for",
    "duly_chassis.epochs": "notes that the release of a short log was acted on",
    "duly_chassis.migrate": "schemas, roles and rights",
    "duly_chassis.logins": "a login for each service, made by migrate",
    "duly_chassis.revisions": "asks a database for its version and its revisions, before anything else",
    "duly_chassis.doctor_database": "asks a server what a service will meet there; writes nothing",
    "duly_chassis.relay": "the advisory lock of one relay per service",
    "duly_chassis.service": "the default of `busy`: nothing is between two states",
    "duly_cli.rehearsal.idle": "one snapshot over all services' tables",
    "duly_cli.rehearsal.progress": "the stored driven instant",
    "messenger.sending.gate": "what the gate locks, beside the store: read and locked while bodies are written",
    "messenger.sending.ledger": "the store of the sending loop: the ledger alone, with leases",
    "messenger.sending.claims": "below the ledger: which rows somebody takes in hand now",
    "messenger.limits.brake_rows": "below the ledger: what holds sends back, and who decided so",
    "messenger.limits.held_rows": "below the ledger: which rows a brake holds, and how they are let go",
    "messenger.limits.counted_rows": "below the ledger: what the rules of brakes go by",
    "messenger.limits.paced": "beside the ledger: when each provider may be used again",
    "messenger.limits.spread_rows": "below it: the moments of what waits for a provider's pace",
    "messenger.planning.plan_rows": "the channel policies that were in force, made rows at start",
    "messenger.bounces.returned": "the store of what came back: its message, its address, each bounce once",
    "messenger.reading": "the store of those who ask: one tenant, read only",
    "reminders.reading": "the store of those who ask: one tenant, read only",
    "roster.runs": "the store of runs and decisions, below the store of people",
    "roster.reading": "the store of those who ask: one tenant, read only",
    "messenger.blocks.rows": "the store of the block list: asked at claim and gate, with the lock both share",
    "messenger.settling.reported": "the store of providers' reports: each once, its message locked",
    "intake.reading": "the store of those who ask: one tenant, read only",
    "messenger.app": "`busy` and the purge of stops are data of the service description",
}
ASSEMBLED = {
    "duly_chassis.migrate._schema": "names of roles and schemas take no parameters; ours are held to [a-z_] by a test",
    "duly_chassis.gauges.Gauges._ask": "runs literals: its own, and those of the service description",
    "duly_chassis.purge.step.once": "runs literals: its own, and those of the service description",
    "duly_cli.rehearsal.idle.Idle._look": "written once by snapshot() from the services' own descriptions",
}


def stray(module: Module) -> Iterator[Fault]:
    """Find SQL outside the stores."""
    documentation = docstrings(module.tree)
    for node, _ in walk(module.tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in documentation else None
        if isinstance(text, str) and SQL.match(text):
            yield module.fault(node, "SQL outside a store: give the store a method whose docstring says what it is for")


def assembled(module: Module) -> Iterator[Fault]:
    """Find statements that are not one literal."""
    for node, inside in walk(module.tree):
        if not isinstance(node, ast.Call) or "." not in called(node) or called(node).rpartition(".")[2] not in STARTS:
            continue
        if node.args and not literal(node.args[0], module.tree):
            yield module.fault(node, "a statement is one literal, values are $1 parameters", inside)


def literal(node: ast.expr, tree: ast.Module) -> bool:
    """Tell whether a statement is a literal, a call of text() around one, or a name that only ever holds one."""
    if isinstance(node, ast.Call) and called(node) == "text" and node.args:
        return literal(node.args[0], tree)
    if isinstance(node, ast.Name):
        values = [
            one.value
            for one in ast.walk(tree)
            if isinstance(one, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == node.id for target in one.targets)
        ]
        return bool(values) and all(isinstance(value, ast.Constant) for value in values)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_sql_stands_in_stores_and_in_the_named_modules_of_the_chassis() -> None:
    homes = {f"{service.package}.store" for service in services()}
    found = [
        fault
        for module in modules()
        if module.name not in homes and ".migrations" not in module.name
        for fault in stray(module)
    ]

    refuse(found, SQL_IN)


def test_every_statement_is_one_literal() -> None:
    """What is never assembled cannot be injected into."""
    refuse(
        (fault for module in modules() if ".migrations" not in module.name for fault in assembled(module)), ASSEMBLED
    )


def test_assembled_statement_is_noticed_however_it_is_written() -> None:
    written = ['f"SELECT {x}"', '"SELECT %s" % x', '"SELECT {}".format(x)', '"SELECT " + x', "query"]

    assert all(list(assembled(sample(f"async def f(x): await c.fetch({one}, x)"))) for one in written)
    assert not list(assembled(sample('async def f(x):\n q = "SELECT $1"\n await c.fetch(q, x)')))
    assert list(stray(sample('X = "DELETE FROM t"')))
    assert list(stray(sample('X = f"SET LOCAL a = {b}"')))
    assert not list(stray(sample('"""SELECT is a word."""\nX = "Selected by hand"')))

"""Nothing happens at import: no file, no socket, no environment, no settings (STYLE.md point 30)."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import Fault, Module, called, modules, refuse, sample

ACTS = re.compile(
    r"(.*\.)?(open|connect|create_connection|create_pool|create_engine|urlopen|getenv|read_text|read_bytes|write_text"
    r"|mkdir|run|Popen|system|start|Thread|sleep|Settings|\w+Settings|KafkaBroker|AIOKafka\w+|AsgiFastStream"
    r"|Host|create_app|basicConfig|configure|entry_points|load)"
)
ENVIRONMENT = {"os.environ", "environ"}
RUN_NOT_IMPORTED = {"duly_chassis.migrations.env": "Alembic runs this file when it migrates; nobody imports it"}


def at_import(module: Module) -> Iterator[Fault]:
    """Find what a module does while it is being imported."""
    for node in done(module.tree):
        if ACTS.fullmatch(called(node)):
            yield module.fault(node, f"{called(node)}() at import: move it into a function that app.py calls")
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in ENVIRONMENT:
            yield module.fault(node, "the environment is read at import: read it in Settings")


def done(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs at import: module and class bodies, decorators and defaults, but no function's body."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*child.decorator_list, *child.args.defaults, *(one for one in child.args.kw_defaults if one)):
                yield part
                yield from done(part)
        elif isinstance(child, ast.Lambda) or (isinstance(child, ast.If) and as_program(child)):
            continue
        else:
            yield child
            yield from done(child)


def as_program(node: ast.If) -> bool:
    """Tell the block that runs only when the module is the program."""
    return "__name__" in ast.unparse(node.test)


def test_modules_do_nothing_while_they_are_imported() -> None:
    """AsyncAPI pages and tests import every app with no Kafka, no database and no settings."""
    refuse((fault for module in modules() for fault in at_import(module)), RUN_NOT_IMPORTED)


def test_act_at_import_is_noticed() -> None:
    acts = ["X = Settings()", "X = open('f')", "import os\nX = os.environ['A']", "class A:\n x = connect()"]
    program = 'if __name__ == "__main__":\n    run()'

    assert all(list(at_import(sample(act))) for act in acts)
    assert list(at_import(sample("def f(x=open('f')): ...")))
    assert not list(at_import(sample(f"def f():\n return open('f')\n{program}")))

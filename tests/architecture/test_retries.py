"""Waiting and trying again are done in one place (chassis/retry.py), and never for a send."""

import ast
from collections.abc import Iterator

from tests.architecture.source import Fault, Module, called, imported, modules, refuse, sample, walk, within

Loop = ast.While | ast.For | ast.AsyncFor

POLLS = {
    "duly_chassis.loops.Supervised._pause": "the supervisor's tick: retry.in_place tries, this waits for work",
    "duly_chassis.holding.Holding.wait_for_release": "asks whether a person has released a brake; nothing failed",
    "messenger.sending.delivering.delivered": "shows life while the relay answers; the channel's own deadlines end it",
    "messenger.settling.asking.Asker._asked": "holds a lease while the provider answers; its own deadline ends it",
    "duly_cli.rehearsal.idle.Idle.wait": "asks whether all services rest; nothing failed, and it ends after 180 s",
    "duly_chassis.serving.settled": "asks whether the services are ready; ends at its deadline",
    "duly_chassis.serving._served": "asks whether uvicorn listens, which tells nobody; ends with its task",
    "duly_local.stack.Stack._ask_to_end": "no poll: waits for each child once, within that child's time",
    "messenger.smtp.connect._reach": "tries each address of the relay once, before there is a connection or a letter",
    "duly_local.waiting.until": "the one poll of the local stack; with a deadline",
    "duly_local.accept_log.AcceptLog._write": "writes each group of lines once; whoever waits for one is told",
    "messenger.http.gate._written": "as messenger.smtp.channel._drain",
    "messenger.smtp.channel._drain": "a full socket tells only its transport, so that is asked; in the gate's deadline",
    "duly_chassis.applying.Applying._alone": "three tries of one record without a pause, then it is a dead letter",
}
TENACITY_IN = {"duly_chassis.retry": "the one policy of waiting"}
RETRIES_IN_SERVICES = {
    "messenger.sender.Sender._settle": "writes an answer down; the call to the relay is over, and no send is repeated"
}


def retry_loops(module: Module) -> Iterator[Fault]:
    """Find loops that pause, and loops that swallow what an await raised in order to go round again."""
    for node, inside in walk(module.tree):
        if isinstance(node, Loop) and (pauses(node) or swallows(node)):
            yield module.fault(
                node, "a loop that waits or tries again by hand: use duly_chassis.retry.in_place or a due row", inside
            )


def pauses(loop: Loop) -> bool:
    """Tell whether a loop sleeps, or waits with a time limit."""
    return any(
        called(node).endswith("sleep")
        or (called(node).endswith(".wait") and isinstance(node, ast.Call) and (limited(node)))
        for node in within(loop)
    )


def limited(call: ast.Call) -> bool:
    """Tell whether a wait has a limit: asyncio.wait by its keyword, an event's by its argument."""
    return any(word.arg == "timeout" for word in call.keywords) or (
        bool(call.args) and called(call) != "asyncio.wait" and not isinstance(call.args[0], ast.List)
    )


def swallows(loop: Loop) -> bool:
    """Tell whether a loop goes round again after an exception of something it awaited."""
    return any(
        isinstance(node, ast.Try)
        and any(isinstance(one, ast.Await | ast.AsyncWith) for part in node.body for one in (part, *within(part)))
        and any(goes_on(handler) for handler in node.handlers)
        for node in within(loop)
    )


def goes_on(handler: ast.ExceptHandler) -> bool:
    """Tell whether the loop may go on after this handler."""
    return any(isinstance(node, ast.Continue) for node in within(handler)) or not isinstance(
        handler.body[-1], ast.Raise | ast.Return | ast.Break
    )


def test_no_loop_waits_or_tries_again_by_hand() -> None:
    """LIBRARIES.md section 2: what tenacity and the due rows do is not written again."""
    refuse((fault for module in modules() for fault in retry_loops(module)), POLLS)


def test_tenacity_is_imported_by_the_one_policy_only() -> None:
    found = [
        module.fault(node, "import duly_chassis.retry instead of tenacity")
        for module in modules()
        for node, name in imported(module)
        if name.split(".")[0] in {"tenacity", "backoff", "retrying", "stamina"}
    ]

    refuse(found, TENACITY_IN)


def test_services_retry_nothing_but_the_writing_down_of_an_answer() -> None:
    """RELIABILITY.md: a message refused for now is a row with its own next_due_at, never a retried call."""
    chassis = [module for module in modules() if module.name.startswith("duly_chassis")]
    found = [
        module.fault(node, "a service does not retry: let the row be due again", inside)
        for module in modules()
        if module not in chassis
        for node, inside in walk(module.tree)
        if called(node).endswith(("retry.in_place", "AsyncRetrying")) or called(node) == "in_place"
    ]

    refuse(found, RETRIES_IN_SERVICES)


def test_retry_loop_is_noticed_however_it_is_written() -> None:
    loops = [
        "async def f():\n while True:\n  try:\n   await g()\n  except OSError:\n   continue",
        "async def f():\n for n in y:\n  try:\n   return await g()\n  except OSError:\n   await asyncio.sleep(n)",
        "def f():\n while not g():\n  time.sleep(1)",
        "def f(event):\n while not g():\n  event.wait(0.1)",
    ]
    plain = "async def f():\n for x in y:\n  try:\n   await g(x)\n  except OSError as e:\n   raise Bad from e"

    assert all(list(retry_loops(sample(loop))) for loop in loops)
    assert not list(retry_loops(sample(plain)))

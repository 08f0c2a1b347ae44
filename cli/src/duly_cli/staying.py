"""Stays until somebody says that it is enough: with a signal, or with Enter in a terminal."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from duly_chassis.serving import Ending
from duly_local.stack import Stack

CHECK_INTERVAL_S = 1.0


async def watch(stack: Stack | None, ending: Ending) -> None:
    """Look after the children of a stack until the end is told; raises LocalError when one ended by itself."""
    while not await ending.told(CHECK_INTERVAL_S):
        if stack is not None:
            stack.check()


@contextmanager
def enter_ends(ending: Ending) -> Iterator[None]:
    """Take Enter on standard input, which is a terminal, for the end as well."""

    def entered() -> None:
        sys.stdin.readline()  # else whoever reads the terminal next would find it
        ending.tell()

    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, entered)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)

"""Stays until somebody says that it is enough: with a signal, or with Enter in a terminal."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from duly_local.stack import Stack

CHECK_INTERVAL_S = 1.0


async def watch(stack: Stack | None, enough: asyncio.Event) -> None:
    """Look after the children of a stack until it is enough; raises LocalError when one ended by itself."""
    told = asyncio.create_task(enough.wait())
    try:
        while not enough.is_set():
            if stack is not None:
                stack.check()
            await asyncio.wait([told], timeout=CHECK_INTERVAL_S)
    finally:
        told.cancel()


@contextmanager
def enough_by(*, enter: bool) -> Iterator[asyncio.Event]:
    """Give an event that Ctrl-C sets, SIGTERM too, and Enter where `enter` says that standard input is a terminal."""
    loop, enough = asyncio.get_running_loop(), asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, enough.set)
    if enter:
        loop.add_reader(sys.stdin, enough.set)
    try:
        yield enough
    finally:
        if enter:
            loop.remove_reader(sys.stdin)
        for number in numbers:
            loop.remove_signal_handler(number)

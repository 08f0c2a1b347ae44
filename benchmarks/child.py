"""How an arm, which is a process of its own, speaks with the benchmark: lines of JSON out, `go` in.

An arm says that it is ready, waits for `go`, does its work, says what it measured, and ends. When the benchmark
is gone, its input ends and so does the arm.
"""

import asyncio
import json
import sys
from typing import Any


def say(**words: Any) -> None:
    """Tell the benchmark something."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def go(**words: Any) -> None:
    """Say that this arm is ready, and wait until it may begin."""
    say(ready=True, **words)
    if not await asyncio.to_thread(sys.stdin.readline):
        raise SystemExit(1)


async def until_told() -> None:
    """Wait until the benchmark has no more need of this arm."""
    await asyncio.to_thread(sys.stdin.readline)

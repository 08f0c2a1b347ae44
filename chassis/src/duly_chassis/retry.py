"""How waiting is done wherever reads, connections and loops are retried: one policy, from tenacity.

Never for a send: a message that was refused for now is a row with its own `next_due_at`.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

T = TypeVar("T")

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0


async def in_place(
    work: Callable[[], Awaitable[T]],
    worth_it: Callable[[BaseException], bool],
    failed: Callable[[BaseException, int], None],
) -> T:
    """Do `work` until it succeeds, with growing, jittered pauses; never gives up by itself.

    An error that is not `worth_it` is raised at once. `failed` hears of each failure and its number, so that
    readiness and metrics can say so while the waiting goes on.
    """
    try:
        return await work()  # nearly always: setting up what follows costs more than many a round of a loop
    except Exception as error:
        if not worth_it(error):
            raise
        first = [error]

    async def again() -> T:
        if first:
            raise first.pop()  # already made: the first attempt that tenacity counts, and waits after
        return await work()

    def tell(state: RetryCallState) -> None:
        if state.outcome is not None and (error := state.outcome.exception()) is not None:
            failed(error, state.attempt_number)

    retrying = AsyncRetrying(
        wait=wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
        retry=retry_if_exception(lambda error: isinstance(error, Exception) and worth_it(error)),
        before_sleep=tell,
        reraise=True,
    )
    return await retrying(again)

"""The bench on which an adapter is tried: a provider that does as it is told, and knows what it accepted.

A new adapter brings one bench (a context manager that yields it) and one entry in benches.py; the suite is in
test_channels.py. What its provider cannot do stands in that entry, with the reason.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

import pytest

from messenger.channel import Bounds, Channel, Letter, ReadBack

CANARY = "canary"
"""Stands in every name, address, text and secret of a bench; no log, error or repr may hold it."""


class Deed(StrEnum):
    """What the provider does with the next request that could reach a person."""

    ACCEPT = "accept"
    REFUSE_FOR_NOW = "refuse_for_now"
    WAIT_1_S = "wait_1_s"
    """Refuse for now, and ask to wait for a second."""
    REFUSE_FOR_GOOD = "refuse_for_good"
    """What was said cannot be sent."""
    NOBODY = "nobody"
    """Nobody can be reached at this address."""
    NO_LOGIN = "no_login"
    """The credentials are no longer good: nothing is sent, and somebody must look."""
    FAIL_BEFORE = "fail_before"
    """Take the whole request, then fail without having accepted it."""
    ACCEPT_AND_CUT = "accept_and_cut"
    ACCEPT_AND_FAIL = "accept_and_fail"
    ACCEPT_IN_SILENCE = "accept_in_silence"
    ACCEPT_AND_BABBLE = "accept_and_babble"
    """Accept it, and answer what no such provider says."""
    ACCEPT_AS_ANOTHER = "accept_as_another"
    """Accept it, and answer with the id of another message."""
    REDIRECT = "redirect"
    """Send us elsewhere, without having accepted it."""
    CUT = "cut"
    """Hang up after the whole request, without having accepted it."""
    ACCEPT_LATE = "accept_late"
    """Hang up, and accept it when `let_late_arrive` is called."""


DOUBTFUL = (
    *(Deed.FAIL_BEFORE, Deed.ACCEPT_AND_CUT, Deed.ACCEPT_AND_FAIL, Deed.ACCEPT_IN_SILENCE),
    *(Deed.ACCEPT_AND_BABBLE, Deed.ACCEPT_AS_ANOTHER, Deed.REDIRECT, Deed.CUT, Deed.ACCEPT_LATE),
)
"""After these nobody can know."""
ACCEPTING = (
    *(Deed.ACCEPT_AND_CUT, Deed.ACCEPT_AND_FAIL, Deed.ACCEPT_IN_SILENCE, Deed.ACCEPT_AND_BABBLE),
    Deed.ACCEPT_AS_ANOTHER,
)


class Bench(Protocol):
    """One adapter and the provider it talks to."""

    @property
    def channel(self) -> Channel:
        """The adapter."""

    @property
    def read_back(self) -> ReadBack | None:
        """What asks the provider what it took; None where nothing can."""

    @property
    def bounds(self) -> Bounds | None:
        """What the adapter declares about its provider's lateness."""

    @property
    def secrets(self) -> Collection[str]:
        """More than CANARY that may not be said: the token, for example."""

    def letter(self) -> Letter:
        """Write one that the provider would accept: a new id each time, and CANARY in address and text."""

    def tell(self, *deeds: Deed) -> None:
        """Say what the provider does with the next requests, in their order; afterwards it accepts."""

    def accepted(self) -> Sequence[UUID]:
        """Return the outreach ids of all it accepted, in their order."""

    def requests(self) -> int:
        """Count the requests that could have reached a person and of which a byte came."""

    async def let_late_arrive(self) -> None:
        """Have the provider accept what it was to accept late; returns when it has."""


@dataclass(frozen=True)
class Adapter:
    """One entry of the suite."""

    open: Callable[[Any], AbstractAsyncContextManager[Bench]]
    """Set a bench up; it is given the value of the fixture `given`."""
    cannot: Mapping[Deed, str] = field(default_factory=dict)
    """What its provider cannot do, with the reason."""
    reads_back: bool = True
    given: str = "tmp_path"
    """A folder of the test's own; a peer's bench is given the running peers."""

    @property
    def marks(self) -> Collection[pytest.MarkDecorator]:
        """Return what pytest must know of it."""
        return () if self.given == "tmp_path" else (pytest.mark.peer,)

"""The channel policy in force: which way a new message goes. A message keeps the way that it began with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from duly_chassis.clock import Clock
from duly_chassis.policy_file import PolicyError
from messenger.domain import BEST_EFFORT, MAIL, Leg


class ChannelPolicyChanged(PolicyError):
    """The policy file says something else than before under the same version; give it a new version."""


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """The way of each message, by its name; the first leg is where it begins. Version '' is mail alone, no file."""

    version: str = ""
    default: tuple[Leg, ...] = (Leg(MAIL),)
    messages: Mapping[str, tuple[Leg, ...]] = field(default_factory=dict)

    def way(self, message: str, *, mandatory: bool = True) -> tuple[Leg, ...]:
        """Return the legs of a new message; of a mandatory one those that can be proved."""
        legs = self.messages.get(message, self.default)
        return provable(legs) if mandatory else legs


def provable(legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """Leave out what is best effort; the channel after it is turned to at the moment that was its own.

    So it comes neither later nor sooner than over a channel that could not reach the person. A way of nothing else,
    which no policy file may name, becomes mail: a notice is never lost for it.
    """
    kept: list[Leg] = []
    skipped: Leg | None = None
    for leg in legs:
        if leg.channel in BEST_EFFORT:
            skipped = skipped or leg
            continue
        kept.append(leg if skipped is None else replace(skipped, channel=leg.channel))
        skipped = None
    return tuple(kept) or (Leg(MAIL),)


class Kept(Protocol):
    """Where policy versions are kept, and messages that a policy concerns."""

    async def activate(self, policy: ChannelPolicy, now: datetime) -> ChannelPolicy:
        """Make a version a row; return what is known under it."""

    async def wake_waiting(self, channels: Sequence[str], reason: str, now: datetime) -> None:
        """Look now at what waited for these channels."""


@dataclass(frozen=True, slots=True)
class Plans:
    """The policy of this process, made a row at start; what waited for a channel that is here now is looked at."""

    policy: ChannelPolicy
    channels: Sequence[str]  # that this process is set up for
    waited: str  # the reason of a row that waits for a channel to be set up

    async def prepare(self, store: Kept, clock: Clock) -> None:
        """Done once at start; raises ChannelPolicyChanged."""
        now = clock.now()
        if self.policy.version and await store.activate(self.policy, now) != self.policy:
            what = f"channel policy version {self.policy.version!r} is known with other content: give it a new version"
            raise ChannelPolicyChanged([what])
        await store.wake_waiting(self.channels, self.waited, now)

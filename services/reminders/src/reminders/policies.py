"""The policy versions in memory: the one for new cases, and the older ones that running cases go on with."""

from collections.abc import Iterable
from dataclasses import dataclass

from duly_chassis.clock import Clock
from duly_chassis.policy_file import PolicyError
from reminders.deadline import Deadline
from reminders.schedule import Policy
from reminders.store import Store


class PolicyChanged(PolicyError):
    """The policy file says something else than before under the same version; give it a new version."""


@dataclass(slots=True)
class Policies:
    """Filled at start, and again when a row names a version that is not known here."""

    current: Policy
    versions: dict[str, Policy]

    @classmethod
    def of(cls, current: Policy) -> "Policies":
        """Begin with the policy of the file alone."""
        return cls(current, {current.version: current})

    async def prepare(self, store: Store, clock: Clock) -> None:
        """Make the file's policy a row, and learn the versions of running cases; raises PolicyChanged."""
        await store.activate(self.current, clock.now())
        self.versions.update(await store.policies())
        if self.versions[self.current.version] != self.current:
            what = f"policy version {self.current.version!r} is known with other content: give it a new version"
            raise PolicyChanged([what])

    async def learn(self, rows: Iterable[Deadline], store: Store) -> None:
        """Learn versions that another replica has activated since: in a rolling deploy both run side by side."""
        named = {row.policy_version for row in rows if row.policy_version}
        if not named <= self.versions.keys():
            self.versions.update(await store.policies())

    def for_case(self, deadline: Deadline) -> Policy:
        """Return the policy a case runs on: an edit does not change what has begun (B-16)."""
        return self.versions.get(deadline.policy_version, self.current)

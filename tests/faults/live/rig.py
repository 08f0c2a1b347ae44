"""The rig: PostgreSQL, Kafka, a lying mail server and every replica as processes of their own, wired and watched.

`async with Rig(...) as rig` starts all of it and leaves nothing behind. A campaign tells a story through `rig.feeder`,
strikes at `rig.replicas`, `rig.postgres`, `rig.kafka` and the proxies, writes each blow down with `rig.blow`, and ends
with `await rig.quiet()`.
"""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.faults.live.feeding import Feeder
from tests.faults.live.nursery import Nursery
from tests.faults.live.place import HOST, Diary, Place, environment, free_ports
from tests.faults.live.policy import Policy
from tests.faults.live.programs import Server, until
from tests.faults.live.proxy import Proxy
from tests.faults.live.replica import Replica, Unanswered
from tests.faults.live.watching import Watcher
from tests.faults.plan import Shares
from tests.faults.processes import PROJECT, duly_beside_python, smtp_server
from tests.faults.rules import Violation
from tests.faults.tls import TRUSTED

READY_WITHIN_S = 180
QUIET_POLL_S = 1.0
SETTLED_LOOKS = 3
FEEL_EVERY_S = 0.5
VICTIM_WITHIN_S = 15.0
SERVICES = {"reminders": 2, "messenger": 2}
"""Each service and its number of replicas."""
LISTENERS = ("reminders", "messenger")
UNSETTLED = ("due", "posting", "in_doubt")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a campaign wants of its rig."""

    policy: Policy
    seed: int
    proxies: bool = False
    lies: Shares = field(default_factory=Shares)
    lie_mails: int = 500  # honest after so many attempts: what is refused for now waits a minute
    services: tuple[tuple[str, int], ...] = tuple(SERVICES.items())
    settings: tuple[tuple[str, str], ...] = ()  # more variables for every service
    turns: bool = False  # the mail server bounds each arrival from below
    module: str = "duly_chassis.run"  # what each replica runs
    each: Callable[[str], Mapping[str, str]] = lambda _service: {}  # more variables, by service
    nursery: tuple[str, ...] = ()  # what each life finds imported; empty: it is started as its image starts it


class Rig:
    """Everything a campaign needs, running."""

    def __init__(self, place: Place, needs: Needs, say: Callable[[str], object] = sys.stderr.write) -> None:
        self.place = place
        self.needs = needs
        self.dice = random.Random(f"rig-{needs.seed}")  # noqa: S311 - repeatable, not secret
        self.say = say
        self.replicas: list[Replica] = []
        self.broken: list[Violation] = []
        """What a strike itself found to be broken."""
        self.ready: set[str] = set()
        """The names of the replicas that were ready when last asked."""
        self.tenants: list[str] = []
        """Whose story is told; a strike may tell of more."""
        self.nursery: Nursery | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def of(self, service: str) -> list[Replica]:
        """Return the replicas of a service."""
        return [replica for replica in self.replicas if replica.service == service]

    def note(self, deed: str, target: str, **more: object) -> None:
        """Write a fault down that has no length."""
        self.faults.say(deed=deed, target=target, **more)

    @asynccontextmanager
    async def blow(self, deed: str, target: str) -> AsyncIterator[None]:
        """Write a fault down before it begins, and again when it is over: fault time lies between."""
        self.faults.say(deed=deed, target=target, phase="begin")
        try:
            yield
        finally:
            self.faults.say(deed=deed, target=target, phase="end")

    async def kill(self, replica: Replica) -> None:
        """Kill a replica with -9 and start it again; it is not waited for."""
        self.note("kill -9", replica.name, ready=replica.name in self.ready)
        self.ready.discard(replica.name)
        await replica.end()
        replica.start()

    async def victim(self, among: Sequence[Replica], within_s: float = VICTIM_WITHIN_S) -> Replica:
        """Draw whom to strike: one that works; a process that only starts has little to lose.

        On a busy machine it is waited for, for a while: else a service would never come to work at all.
        """
        names = {replica.name for replica in among}
        with suppress(TimeoutError):
            await until(lambda: bool(names & self.ready), within_s, "a replica that works")
        working = [replica for replica in among if replica.name in self.ready]
        return self.dice.choice(working or list(among))

    async def all_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Wait until every replica says that it is ready."""
        for replica in self.replicas:
            await replica.until_ready(within_s)

    async def quiet(self, tenants: Sequence[str], within_s: float) -> bool:
        """Wait until nothing is on its way any more, seen three times running; tell whether it came to that."""
        deadline, seen = time.monotonic() + within_s, 0
        while seen < SETTLED_LOOKS and time.monotonic() < deadline:
            began = time.time()
            await asyncio.sleep(QUIET_POLL_S)
            seen = seen + 1 if await self._settled(tenants, began) else 0
        self.say(f"{'quiet' if seen >= SETTLED_LOOKS else 'not quiet'}\n")
        return seen >= SETTLED_LOOKS

    async def _settled(self, tenants: Sequence[str], since: float) -> bool:
        if self.watcher.asked_at < since - 2 * QUIET_POLL_S or any(self.watcher.lags.values()) or not self.watcher.lags:
            return False
        try:
            for replica in self.replicas:
                await replica.ask("/health/ready")
            for tenant in tenants:
                told = await self.of("messenger")[0].json("/v1/summary", tenant=tenant)
                if any(row["state"] in UNSETTLED for row in told["messages"]):
                    return False
        except Unanswered:
            return False
        return True

    async def _feel(self) -> None:
        """Ask each replica every second whether it is ready, and write down when that changes."""
        diary = Diary(self.place.note("lives"))
        while True:
            for replica in self.replicas:
                life, ready = replica.lives, await replica.ready()
                if life == replica.lives:  # else it was struck while it was asked
                    (self.ready.add if ready else self.ready.discard)(replica.name)
            diary.say(ready=sorted(self.ready))
            await asyncio.sleep(FEEL_EVERY_S)

    async def _begin(self) -> None:
        self.place.create()
        self.faults = Diary(self.place.note("faults"))
        self.needs.policy.write(self.place.evidence / "policy.json", self.place.root / "policy.yaml")
        ports = free_ports(5 + sum(number for _, number in self.needs.services))
        await self._start_servers(ports)
        await asyncio.to_thread(self.migrate)  # through the proxies, which live in this loop
        smtp_port = self._start_smtp()
        self.feeder = Feeder(self.place, self.bootstrap)
        self._stack.push_async_callback(self.feeder.close)
        if self.needs.nursery:
            self.nursery = Nursery(self.needs.nursery)
            self._stack.callback(self.nursery.close)
        self._start_replicas(ports, smtp_port)
        self.watcher = Watcher(self.place, self.bootstrap, LISTENERS, self.feeder, self.database_url)
        watching = asyncio.create_task(self.watcher.run())
        self._stack.push_async_callback(_cancelled, watching)
        feeling = asyncio.create_task(self._feel())
        self._stack.push_async_callback(_cancelled, feeling)
        await self.all_ready()
        self.say("every replica is ready\n")

    async def _start_servers(self, ports: Iterator[int]) -> None:
        postgres_port, kafka_port, controller, self._postgres_proxy, self._kafka_proxy = (next(ports) for _ in range(5))
        root, logs = self.place.root, self.place.logs
        advertised = self._kafka_proxy if self.needs.proxies else kafka_port
        more = ["--controller", str(controller), "--advertised", str(advertised)]
        self.postgres = Server("postgres", root, logs, postgres_port)
        self.kafka = Server("kafka", root, logs, kafka_port, *more)
        for server in (self.postgres, self.kafka):
            self._stack.push_async_callback(server.end, signal.SIGTERM)
        self.proxies = {
            "postgres": Proxy(self._postgres_proxy, postgres_port),
            "kafka": Proxy(self._kafka_proxy, kafka_port),
        }
        if self.needs.proxies:
            for proxy in self.proxies.values():
                await proxy.open()
                self._stack.push_async_callback(proxy.close)
        await asyncio.gather(self.postgres.up(), self.kafka.up())
        self.bootstrap = f"{HOST}:{advertised}"
        self.database_url = f"postgresql://postgres@{HOST}:{postgres_port}/postgres"

    def replica(self, service: str, number: int, port: int, settings: Mapping[str, str]) -> Replica:
        """Make a replica that is not started yet, and not one of those that are asked and judged."""
        return Replica(service, number, port, self.place.logs, settings, self.needs.module, self.nursery)

    def migrate(self) -> None:
        """Bring schemas and topics of the servers there are to this release."""
        done = self.migrated(self.database_url, {})
        if done.returncode != 0:
            raise RuntimeError(f"duly migrate: {done.stderr.decode(errors='replace')[-500:]}")

    def migrated(self, database_url: str, more: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
        """Run the command, whatever becomes of it."""
        settings = {"DULY_DATABASE_URL": database_url, "DULY_KAFKA_BOOTSTRAP": self.bootstrap, **more}
        command = [duly_beside_python(), "migrate"]
        return subprocess.run(
            command, check=False, capture_output=True, cwd=PROJECT, env=environment(settings), timeout=READY_WITHIN_S
        )

    def _start_smtp(self) -> int:
        needs = self.needs
        more = ("--gentle", "--lie-mails", str(needs.lie_mails), *(("--turns",) if needs.turns else ()))
        return self._stack.enter_context(smtp_server(self.place.note("accepts"), needs.seed, needs.lies, *more))

    def _start_replicas(self, ports: Iterator[int], smtp_port: int) -> None:
        shared = {
            "DULY_DATABASE_URL": self.database_url,
            "DULY_KAFKA_BOOTSTRAP": self.bootstrap,
            "DULY_SMTP_URL": f"smtp://{HOST}:{smtp_port}" + ("?tls=starttls" if self.needs.lies.tls else ""),
            "SSL_CERT_FILE": str(TRUSTED),  # whom this machine trusts
            "DULY_REMINDERS_POLICY_FILE": str(self.place.root / "policy.yaml"),
            "DULY_MESSENGER_MAIL_OPENS": "00:00",
            "DULY_MESSENGER_MAIL_CLOSES": "00:00",  # opens when it closes: always open
            "DULY_MESSENGER_IN_DOUBT_WAIT_MIN": "1",
            "DULY_TICK_INTERVAL_S": "1",
            **dict(self.needs.settings),
        }
        through = self.database_url.replace(str(self.postgres.port), str(self._postgres_proxy))
        for service, number in self.needs.services:
            for which in range(1, number + 1):
                proxied = {"DULY_DATABASE_URL": through} if self.needs.proxies and which == 1 else {}
                own = {**shared, **proxied, **self.needs.each(service)}
                self.replicas.append(self.replica(service, which, next(ports), own))
        for replica in self.replicas:
            replica.start()
            self._stack.push_async_callback(replica.end)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

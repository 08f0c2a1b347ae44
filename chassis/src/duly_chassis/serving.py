"""Runs services in this process, on this event loop, each with its own HTTP port."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from socket import socket
from typing import Any

import uvicorn
from pydantic import ValidationError

from duly_chassis.clock import Clock
from duly_chassis.host import Host
from duly_chassis.logs import log
from duly_chassis.plain import Misset, Unstarted, setting_faults
from duly_chassis.service import Entry
from duly_chassis.settings import PublicSettings, ServiceSettings

PUBLIC_CONNECTIONS_MAX = 200  # more are answered 503 by the server itself
LOG = log("serving")


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the command that runs us decides what Ctrl-C means."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start, or raise: uvicorn would end the whole process, with every other service in it."""
        try:
            await super().startup(sockets)
        except SystemExit:
            where = f"{self.config.host}:{self.config.port}"
            raise Unstarted(f"could not start; if nothing else is said, {where} is taken") from None


class Ending:
    """SIGTERM and Ctrl-C: they cut a start that still waits, and end in order what has started."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self._starting = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.tell)

    def tell(self) -> None:
        """End, as a signal does."""
        if self._starting is not None and not self._told.is_set():
            self._starting.cancel()
        self._told.set()

    def started(self) -> None:
        """From now on nothing is cut."""
        self._starting = None

    async def told(self, within_s: float | None = None) -> bool:
        """Wait for the signal, or for so long; say whether it came."""
        waiting = asyncio.create_task(self._told.wait())
        await asyncio.wait([waiting], timeout=within_s)
        waiting.cancel()
        return self._told.is_set()


@asynccontextmanager
async def running(host: Host) -> AsyncIterator[str]:
    """Run one service for as long as the block lasts; gives the address of its HTTP, the inner one."""
    settings = host.settings
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # a start that failed or was cut is told by us
    config = uvicorn.Config(
        host.app, host=settings.http_host, port=settings.http_port, lifespan="on", log_config=None, access_log=False
    )
    async with _served(host, config) as address, _public(host):
        LOG.info("service_started", service=host.service.name, http_port=int(address.rpartition(":")[2]))
        yield address


@asynccontextmanager
async def _public(host: Host) -> AsyncIterator[None]:
    """Serve the hooks at the public address, last to open and first to close; a service without hooks has none."""
    settings = host.settings
    if not host.service.hooks or not isinstance(settings, PublicSettings):
        yield
        return
    config = uvicorn.Config(
        host.doors,
        host=settings.public_host,
        port=settings.public_port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=PUBLIC_CONNECTIONS_MAX,
    )
    async with _served(host, config) as address:
        host.public_address = address
        LOG.info("doors_opened", service=host.service.name, public_port=int(address.rpartition(":")[2]))
        yield


@asynccontextmanager
async def _served(host: Host, config: uvicorn.Config) -> AsyncIterator[str]:
    server = Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.wait([task], timeout=0.02)
            if task.done():
                raise unstarted(host.service.name, host.failure or task.exception() or Unstarted("ended at once"))
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{config.host}:{port}"
    finally:
        server.should_exit = True
        if server.started:
            await asyncio.wait([task], timeout=host.settings.stop_deadline_s + 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def together(
    services: Sequence[tuple[Entry, ServiceSettings]], clock: Clock
) -> AsyncIterator[list[tuple[Host, str]]]:
    """Run several services side by side; gives each host with its address."""
    async with AsyncExitStack() as stack:
        one_alone = asyncio.Lock()
        hosts = [_built(entry, settings, clock, one_alone) for entry, settings in services]
        addresses = [await stack.enter_async_context(running(host)) for host in hosts]
        yield list(zip(hosts, addresses, strict=True))


def _built(entry: Entry, settings: ServiceSettings, clock: Clock, one_alone: asyncio.Lock) -> Host:
    """Wire one service; raises Unstarted with what it says of its settings, or of a file they name."""
    try:
        return Host(entry.build(settings, clock), settings, clock, one_alone=one_alone)
    except Exception as error:  # each service has errors of its own, and this command knows none of them by name
        raise unstarted(entry.name, error) from error


def settings_of(entry: Entry, values: Mapping[str, Any]) -> ServiceSettings:
    """Read a service's settings: these values, the rest from the environment; raises Misset with a line for each."""
    try:
        return entry.settings(**values)
    except ValidationError as error:
        raise Misset("\n".join(setting_faults(error))) from None
    except ValueError as error:  # a file named by a variable that ends in _FILE
        raise Misset(str(error)) from None


def unstarted(name: str, error: BaseException) -> Unstarted:
    """Say why a service did not start: in the lines of the error where it has some, else in its text."""
    return Unstarted("\n".join(getattr(error, "lines", None) or [f"{name}: {error}"]))


async def settled(hosts: Sequence[Host], deadline_s: float) -> None:
    """Wait until every service says it is ready; raises Unstarted with what still is not."""
    findings: dict[str, str] = {}
    loop = asyncio.get_running_loop()
    until = loop.time() + deadline_s
    while loop.time() < until:
        findings = {}
        for host in hosts:
            # A brake is no fault of the start: it waits for a person, who needs this process to release it.
            said = {one.name: one.said for one in await host.health.ready() if one.said and one.name != "brake"}
            findings |= {f"{host.service.name} {name}": text for name, text in said.items()}
        if not findings:
            return
        await asyncio.sleep(0.05)
    raise Unstarted("not ready: " + "; ".join(f"{name}: {text}" for name, text in findings.items()))

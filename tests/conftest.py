"""What a test run starts once, when first asked for: PostgreSQL and Kafka as `duly up` runs them, and the peers.

In a run without the peers, tests that need them say how to get them, and fail.
"""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from duly_chassis import kafka_topics
from duly_local import postgres
from duly_local.stack import Endpoints, Stack
from tests.peers.install import Peers, installed
from tests.peers.vendors import Emulated, emulated
from tests.support import databases

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A runner that was started in the background ignores Ctrl-C, and so would every program that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, the campaigns: `make test` gives each file to the next worker that is free."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/faults/"))


@pytest.fixture(scope="session")
def stack() -> Iterator[tuple[Stack, Endpoints]]:
    """Start both servers once per run, in a folder that PostgreSQL's own user may reach."""
    folder = Path(tempfile.mkdtemp(prefix="duly-ring-"))
    folder.chmod(0o755)
    running = Stack(folder / "state", inbox=False)
    try:
        with pytest.MonkeyPatch.context() as patched:
            # Each test has a database of its own, made and dropped; none of these tests cuts this machine's power.
            patched.setitem(postgres.SETTINGS, "fsync", "off")
            endpoints = running.start()
        asyncio.run(kafka_topics.create(endpoints.kafka_bootstrap, lambda _text: None))
        yield running, endpoints
    finally:
        running.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def endpoints(stack: tuple[Stack, Endpoints]) -> Endpoints:
    """Where both servers are."""
    return stack[1]


@pytest.fixture(scope="session")
def template(endpoints: Endpoints) -> str:
    """Migrate one database; each test gets a copy of it."""
    return databases.make_template(endpoints.database_url)


@pytest.fixture(scope="session")
def pool(endpoints: Endpoints, template: str) -> databases.Pool:
    """Lend migrated databases."""
    return databases.Pool(endpoints.database_url, template)


@pytest.fixture(scope="session")
def peers() -> Peers:
    """Where the peers lie."""
    return installed()


@pytest.fixture(scope="session")
def vendors(peers: Peers) -> Iterator[Emulated]:
    """Slack and Twilio, emulated, with a proxy for faults before each."""
    with tempfile.TemporaryDirectory(prefix="duly-peers-") as name, emulated(peers, Path(name)) as running:
        yield running

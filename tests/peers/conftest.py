"""The peers, started once per run; in a test run without them the tests say how to get them, and fail."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import database_url, messengers  # noqa: F401 - the same fixtures serve here
from tests.peers.install import Peers, installed
from tests.peers.vendors import Emulated, emulated


@pytest.fixture(scope="session")
def peers() -> Peers:
    """Where the peers lie."""
    return installed()


@pytest.fixture(scope="session")
def vendors(peers: Peers) -> Iterator[Emulated]:
    """Slack and Twilio, emulated, with a proxy for faults before each."""
    with tempfile.TemporaryDirectory(prefix="duly-peers-") as name, emulated(peers, Path(name)) as running:
        yield running

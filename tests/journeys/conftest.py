"""Folders for whole houses: pytest's own are closed to other users, and as root PostgreSQL runs as one."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Give each module a folder that others may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="duly-journey-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)

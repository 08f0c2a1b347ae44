"""Where state lies when nobody says: beside the reader, in `.duly`, or where root's PostgreSQL can reach it."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from duly_chassis import entries
from duly_cli.troubles import Usage
from duly_local import places
from duly_local.account import closed_parent, server_account
from duly_local.files import write_whole

HERE = Path(".duly")
ELSEWHERE = Path("/var/lib/duly")
ADDRESSES = places.ADDRESSES
BROKER = "kafka"
"""The name under which `duly up` notes its broker, beside the services."""


def default_state(name: str) -> Path:
    """Return `.duly/NAME`; as root below a closed folder, one of /var/lib/duly that belongs to this folder.

    As root PostgreSQL runs as nobody, who cannot pass a closed home: a checkout there would not start at all.
    """
    account = server_account()
    here = (HERE / name).absolute()
    if account is None or closed_parent(here, account) is None:
        return HERE / name
    return ELSEWHERE / hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:8] / name


UpState = Annotated[
    Path,
    typer.Option(
        "--state",
        help="The state folder of `duly up`: data, logs and mails.",
        default_factory=lambda: default_state("up"),
        show_default=".duly/up",
    ),
]


def addresses(state: Path) -> dict[str, str]:
    """Return where each service answers: DULY_<NAME>_ADDRESS, or what a running `duly up` has noted; raises Usage."""
    noted = _noted(state)
    found = {name: os.environ.get(f"DULY_{name.upper()}_ADDRESS", noted.get(name)) for name in entries.names()}
    known = {name: address for name, address in found.items() if address}
    if not known:
        raise Usage(f"nothing runs on {state}: start `duly up`, or set DULY_REMINDERS_ADDRESS and the like")
    return known


def broker(state: Path) -> str:
    """Return where Kafka is: DULY_KAFKA_BOOTSTRAP, or what a running `duly up` has noted; raises Usage."""
    found = os.environ.get("DULY_KAFKA_BOOTSTRAP") or _noted(state).get(BROKER)
    if not found:
        raise Usage(f"nothing runs on {state}: start `duly up`, or set DULY_KAFKA_BOOTSTRAP")
    return found


def _noted(state: Path) -> dict[str, str]:
    if not (state / ADDRESSES).exists():
        return {}
    noted: dict[str, str] = json.loads((state / ADDRESSES).read_text(encoding="utf-8"))
    return noted


@contextmanager
def noted(state: Path, where: Mapping[str, str]) -> Iterator[None]:
    """Note where the services answer, for as long as they run: for other commands, and for the page of the mails."""
    path = state / ADDRESSES
    write_whole(path, json.dumps(dict(where)))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)

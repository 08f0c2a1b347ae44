"""A roster file through roster as shipped, over HTTP, against a bare COPY of it into a table without index."""

import asyncio
import random
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import median

import asyncpg

from benchmarks.arms import Arm
from benchmarks.figures import Figure, Size, ratio
from benchmarks.place import Place
from benchmarks.resident import Watched

CHANGED_SHARE = 0.01
ZONES = (("Europe/Dublin", "en-IE"), ("Europe/Berlin", "de-DE"), ("America/New_York", "en-US"))
COLUMNS = (
    "person_id", "name", "mail", "mobile", "time_zone", "locale", "manager_id", "department", "team", "role",
    "location", "hired_on", "status",
)  # fmt: skip
BARE = f"CREATE TABLE IF NOT EXISTS roster_bare ({', '.join(f'{name} text' for name in COLUMNS)})"


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Import everybody into an empty tenant, then again with one in a hundred changed; beside each a COPY."""
    first, again = (write(place.folder, size.roster, share) for share in (0.0, CHANGED_SHARE))
    seconds: dict[str, list[float]] = {"bare": [], "first": [], "again": [], "first_published": []}
    memory_mb: list[float] = []
    for number in range(size.rounds):
        seconds["bare"].append(asyncio.run(bare(place.endpoints.database_url, first.read_bytes())))
        arguments: dict[str, object] = {
            "settings": place.settings(),
            "tenant": f"bench-{number}",
            "files": [str(first), str(again)],
        }
        with Arm("benchmarks.roster_duly", arguments, place.log("roster")) as arm:
            arm.hear()
            with Watched(arm.pid) as watched:
                arm.go()
                said = arm.hear()
        memory_mb.append(watched.most_mb)
        for name in ("first", "again", "first_published"):
            seconds[name].append(said[name])
        told = ", ".join(f"{name} {values[-1]:.1f} s" for name, values in seconds.items())
        say(f"roster, round {number + 1} of {size.rounds}: {told}")
    evidence = {f"{name}_seconds": values for name, values in seconds.items()} | {"most_mb": memory_mb}
    rates = [size.roster / value for value in seconds["first"]]
    return [
        Figure("roster import, all new", median(rates), "people/s"),
        Figure("roster import, all new / bare COPY", ratio(seconds["bare"], seconds["first"]), "x", evidence=evidence),
        Figure("roster import, 1 % changed / bare COPY", ratio(seconds["bare"], seconds["again"]), "x"),
    ]


def write(folder: Path, number: int, changed: float) -> Path:
    """Write a roster of so many invented people; a share of them has moved to another department."""
    dice = random.Random(1)  # noqa: S311 - a repeatable load, not a secret
    path = folder / f"roster-{changed:g}.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(COLUMNS) + "\n")
        for one in range(number):
            zone, locale = ZONES[one % 3]
            department = one % 40 + (100 if dice.random() < changed else 0)
            manager = f"e-{one // 10:06d}" if one else ""
            file.write(
                f"e-{one:06d},Person Number {one},p{one}@people.example,+35385{one:07d},{zone},{locale},{manager},"
                f"Department {department},Team {one % 300},Role {one % 20},Site {one % 50},"
                f"20{10 + one % 15:02d}-{1 + one % 12:02d}-{1 + one % 28:02d},active\n"
            )
    return path


async def bare(database_url: str, content: bytes) -> float:
    """COPY the file into an empty table without index, as fast as the server takes it; returns seconds."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(BARE)
        await connection.execute("TRUNCATE roster_bare")
        began = time.monotonic()
        await connection.copy_to_table("roster_bare", source=BytesIO(content), format="csv", header=True)
        return time.monotonic() - began
    finally:
        await connection.close()

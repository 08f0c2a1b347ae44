"""Dead letters as a person meets them: listed, shown, replayed and discarded by `duly dead-letters` and its paths."""

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.faults.live.place import HOST, environment
from tests.faults.live.replica import Replica, Unanswered
from tests.faults.live.rig import Rig
from tests.faults.processes import PROJECT, duly_beside_python
from tests.faults.rules import Violation

PATH = "/v1/dead-letters"
ENDS_WITHIN_S = 90
NUMBERS_MAX = 20_000
"""No campaign has more letters: an id is asked for until all are found, or so many were tried."""
Letter = Mapping[str, Any]


async def listed(rig: Rig) -> dict[str, list[dict[str, Any]]]:
    """Return each service's groups of cause, settled ones too, as `duly dead-letters list` writes them."""
    _, said = await command(rig, "list", "--all", "--json")
    found: dict[str, list[dict[str, Any]]] = json.loads(said)
    return found


async def of_reason(rig: Rig, service: str, reason: str) -> int:
    """Count a service's open letters of one reason; 0 while nobody answers."""
    for replica in rig.of(service):
        try:
            groups = (await replica.json(PATH))["groups"]
        except Unanswered:
            continue
        return sum(group["open"] for group in groups if group["reason"] == reason)
    return 0


async def each(replica: Replica) -> list[Letter]:
    """Return every letter of a service, asked for one by one: a group shows only its latest."""
    groups = (await replica.json(PATH, settled="true"))["groups"]
    known = sum(group[state] for group in groups for state in ("open", "replayed", "discarded"))
    found: list[Letter] = []
    for number in range(1, NUMBERS_MAX):
        if len(found) == known:
            break
        try:
            found += (await replica.json(PATH, id=str(number)))["letters"]
        except Unanswered:  # a number that was drawn and not used
            continue
    return found


async def replayed(rig: Rig, service: str, group: str) -> int:
    """Replay a group, portion by portion; return how many were applied, or -1 and note why not."""
    applied, after = 0, 0
    while after is not None:
        try:
            said = await rig.of(service)[0].order(f"{PATH}/replay", group=group, by="Ada", after=str(after))
        except Unanswered as error:
            rig.broken.append(Violation("replay", f"{service} {group}: {error}"))
            return -1
        done = json.loads(said)
        applied, after = applied + int(done["applied"]), done["next"]
    return applied


async def replayed_by_command(rig: Rig, service: str, group: str) -> int:
    """Replay a group as a person would; return how many were applied, or -1 and note why not."""
    code, said = await command(rig, "replay", service, "--group", group, "--by", "Ada", "--json")
    if not said:
        rig.broken.append(Violation("replay", f"{service} {group}: exit {code}"))
        return -1
    return int(json.loads(said)["applied"])


async def command(rig: Rig, *words: str) -> tuple[int, str]:
    """Run `duly dead-letters`; return its exit code and what it wrote."""
    where = {f"DULY_{one.service.upper()}_ADDRESS": f"http://{HOST}:{one.port}" for one in rig.replicas}
    line = [duly_beside_python(), "dead-letters", *words, "--state", str(rig.place.root / "none")]

    def run() -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            line, check=False, capture_output=True, cwd=PROJECT, env=environment(where), timeout=ENDS_WITHIN_S
        )

    done = await asyncio.to_thread(run)
    with (rig.place.logs / "dead-letters.out").open("ab") as kept:  # searched for canaries, like all that is said
        kept.write(done.stdout + done.stderr)
    return done.returncode, done.stdout.decode(errors="replace")


def misplaced(service: str, bad: Iterable[Mapping[str, Any]], letters: Sequence[Letter]) -> list[Violation]:
    """Compare what had to become a dead letter of a service with what did: each once, under its reason."""
    wanted = {one["place"]: one for one in bad}
    broken = []
    seen = Counter(_place(letter) for letter in letters)
    for letter in letters:
        where, reason = _place(letter), letter["reason"]
        known = wanted.get(where)
        if known is None or service not in known["kept"]:
            what = "a good record" if known is None else known["poison"]
            broken.append(Violation("dead letter of a good one", f"{service} {where}: {reason}, {what}"))
        elif reason != known["reason"]:
            broken.append(
                Violation("dead letter's reason", f"{service} {known['poison']}: {reason}, not {known['reason']}")
            )
    for where, one in wanted.items():
        if service in one["kept"] and seen[where] != 1:
            broken.append(Violation("dead letter missing", f"{service} {where}: {one['poison']}, {seen[where]} times"))
    return broken


def _place(letter: Letter) -> str:
    return f"{letter['topic']}[{letter['partition']}] {letter['offset']}"

"""People who come by file: `duly roster import`, while roster is killed, and again until it has answered.

The rows stand in the raw log before the first byte leaves. An import whose answer was lost is simply sent again; one
that would end the work of too many people is held, and then nothing of it may be in force (I6).
"""

import asyncio
import csv
import io
import json
from collections.abc import Sequence

from tests.faults.live.place import HOST, environment
from tests.faults.live.rig import Rig
from tests.faults.live.story import Fact
from tests.faults.processes import PROJECT, duly_beside_python
from tests.faults.rules import Violation

COLUMNS = ("person_id", "name", "mail", "time_zone", "locale", "status")
DONE, HELD = 0, 3
TRIES_MAX = 25
AGAIN_AFTER_S = 1.0
STRIKE_WITHIN_S = 0.4
"""Roster is killed so soon after the file has left, at most."""
GATHER_S = 20.0
"""People who come or leave within so long share a file."""


def files(facts: Sequence[Fact]) -> list[tuple[float, str]]:
    """Write the facts about people as files, each with the moment it is sent.

    Somebody who stays stands in each of them: a file of nobody but leavers is held, and rightly.
    """
    gone = {fact.data["person_id"] for fact in facts if fact.data["status"] == "departed"}
    stays = next(fact for fact in facts if fact.data["person_id"] not in gone)
    groups: dict[int, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(int(fact.after_s // GATHER_S), []).append(fact)
    return [(max(fact.after_s for fact in group), table([stays, *group])) for group in groups.values()]


def table(facts: Sequence[Fact], status: str = "") -> str:
    """Write people as CSV, the last word on each; `status` overrules what they are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for data in {fact.data["person_id"]: fact.data for fact in facts}.values():
        personal = data["personal"]
        known = (data["person_id"], personal["name"], personal["mail"], data["zone"], "en", status or data["status"])
        writer.writerow(known)
    return out.getvalue()


class Importer:
    """Sends one tenant's files, one after the other."""

    def __init__(self, rig: Rig, tenant: str) -> None:
        self._rig = rig
        self._tenant = tenant
        self._number = 0

    async def tell(self, facts: Sequence[Fact]) -> None:
        """Send everything at its time, then a file that must be held."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for after_s, text in files(facts):
            await asyncio.sleep(max(0.0, began + after_s - loop.time()))
            await self.send(text)
        here = [fact for fact in facts if fact.data["status"] == "active"]
        await self.send(table(here[: len(here) // 2], "departed"), held=True)

    async def send(self, text: str, *, held: bool = False) -> None:
        """Send one file until it is answered, roster killed under the first try; then once more, which changes nothing.

        Whoever is to be held is held both times.
        """
        rig, wanted = self._rig, HELD if held else DONE
        self._number += 1
        name = f"{self._tenant}-{self._number}"
        path = rig.place.root / f"{name}.csv"
        path.write_text(text, encoding="utf-8")
        line = {"topic": "roster", "tenant": self._tenant, "file": name, "held": held, "headers": []}
        await rig.feeder.note({**line, "csv": text})
        rig.note("import", "roster-file", file=name)
        code, said = await self._sent(str(path), kill=True)
        for _ in range(TRIES_MAX):
            if code in (DONE, HELD):
                break
            await asyncio.sleep(AGAIN_AFTER_S)
            code, said = await self._sent(str(path))
        if code != wanted:
            rig.broken.append(Violation("import", f"{name} ended with {code}, not {wanted}"))
            return
        await rig.feeder.note({**line, "answered": True})
        code, said = await self._sent(str(path))
        if not held and (code != DONE or json.loads(said)["counts"]):
            rig.broken.append(Violation("import again", f"{name} ended with {code}: {said[:200]}"))

    async def _sent(self, path: str, *, kill: bool = False) -> tuple[int | None, str]:
        """Run the command once; return its exit code and its answer."""
        rig = self._rig
        where = environment(
            {f"DULY_{one.service.upper()}_ADDRESS": f"http://{HOST}:{one.port}" for one in rig.replicas}
        )
        words = ["roster", "import", path, "--tenant", self._tenant, "--json", "--state", str(rig.place.root / "none")]
        process = await asyncio.create_subprocess_exec(
            duly_beside_python(),
            *words,
            cwd=PROJECT,
            env=where,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            told = await process.stderr.readline()  # "Sending ...": the file leaves now
            if kill:
                await asyncio.sleep(rig.dice.uniform(0, STRIKE_WITHIN_S))
                await rig.kill(rig.of("roster")[0])
            said, more = await process.communicate()
            with (rig.place.logs / "roster-import.out").open("ab") as kept:
                kept.write(told + more + said)
            return process.returncode, said.decode(errors="replace")
        finally:
            if process.returncode is None:
                process.kill()

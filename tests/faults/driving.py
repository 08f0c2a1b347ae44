"""Drive one campaign: start the replay, kill all of it at its moment, start it again, until it may end."""

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.moments import Moment, moments
from tests.faults.plan import BODY_BEGAN, Shares, Where
from tests.faults.processes import duly_beside_python, kill_all, replay_command, running, start_replay
from tests.faults.rules import Violation
from tests.oracle.folder import SIZES

SHARES = Shares(refuse=8, cut_before=2, cut_after=2)
GONE = BODY_BEGAN - {Where.ACCEPTED}  # cut, and not in the accept log
STALLED_S = 300
POLL_S = 0.01
STDERR_SHOWN_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is run; the same seed deals the same folder, lies and kills."""

    seed: int
    keep: Path
    learners: int = SIZES["medium"]
    kills: int = 10
    folder: Path | None = None  # instead of a generated one
    shares: Shares = SHARES
    duly: Sequence[str] = ()
    seconds_max: float = 1_800
    channel: str = "mail"

    @property
    def data(self) -> Path:
        """The folder that is replayed."""
        return self.folder or self.keep / "data"

    @property
    def state(self) -> Path:
        """Where the replay keeps everything."""
        return self.keep / "state"

    def log(self, name: str) -> Path:
        """Name a file outside the state: what lies in there belongs to the replay and dies with it."""
        return self.keep / "log" / name


@dataclass(slots=True)
class Run:
    """The campaign under way."""

    campaign: Campaign
    port: int
    expected: int
    mark: str
    ends_at: float
    kills: int = 0
    broken: list[Violation] = field(default_factory=list)
    accepts: "Tail" = field(init=False)
    faults: "Tail" = field(init=False)

    def __post_init__(self) -> None:
        log = self.campaign.log("accepts.jsonl")
        self.accepts = Tail(log, b"\n")
        self.faults = Tail(log.with_name(log.name + ".faults"), *(b'"%s"' % where.encode() for where in GONE))

    def progress(self) -> float:
        """Tell which share of the expected mails is through: accepted, or cut so that it will be parked."""
        return (self.accepts.count() + self.faults.count()) / max(self.expected, 1)


class Tail:
    """Counts words in a growing file without reading any of it twice."""

    def __init__(self, path: Path, *words: bytes) -> None:
        self._path = path
        self._words = words
        self._read_bytes = 0
        self._count = 0

    def count(self) -> int:
        """Count what is there by now, in whole lines."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                new = file.read()
            new = new[: new.rfind(b"\n") + 1]
            self._read_bytes += len(new)
            self._count += sum(new.count(word) for word in self._words)
        return self._count


def replay_to_the_end(under_way: Run, say: Callable[[str], object]) -> dict[str, Any]:
    """Run, kill and continue until the replay has ended by itself; return its JSON."""
    planned: list[Moment | None] = [*moments(under_way.campaign.seed, under_way.campaign.kills), None]
    for number, moment in enumerate(planned):
        out = under_way.campaign.log(f"run-{number}.out")
        replay = start_replay(_command(under_way), out, out.with_suffix(".err"), under_way.mark)
        try:
            if _killed_at(moment, under_way, replay):
                say(f"kill {under_way.kills} at {under_way.progress():.0%} of the mails\n")
                continue
        finally:
            _leave_nothing(under_way, replay)
        if replay.returncode != 0 and not under_way.broken:
            under_way.broken.append(Violation("failed", f"the replay ended with code {replay.returncode}"))
        elif moment is not None and not under_way.broken:
            what = f"the replay ended before kill {under_way.kills + 1} of {len(planned) - 1}"
            under_way.broken.append(Violation("kill_missed", what))
        return _outcome(out, under_way)
    raise AssertionError("the last run has no moment and so is never killed")


def _command(under_way: Run) -> list[str]:
    campaign = under_way.campaign
    duly = campaign.duly or (duly_beside_python(),)
    return replay_command(duly, campaign.data.resolve(), under_way.port, campaign.state.resolve(), campaign.channel)


def _killed_at(moment: Moment | None, under_way: Run, replay: subprocess.Popen[bytes]) -> bool:
    """Watch one run until it was killed at its moment (true), ended, or stood still for too long."""
    started = moved = time.monotonic()
    at_start = before = under_way.progress()
    while replay.poll() is None:
        time.sleep(POLL_S)  # the replay is another process: there is nothing to wait on but its traces
        now, progress = time.monotonic(), under_way.progress()
        if progress != before:
            before, moved = progress, now
        if moment is not None and moment.has_come(now - started, progress, at_start):
            kill_all(replay, under_way.campaign.state.resolve(), under_way.mark)
            under_way.kills += 1
            return True
        if now - moved > STALLED_S or now > under_way.ends_at:
            under_way.broken.append(Violation("stalled", f"no end and no mail, at {progress:.0%} of the mails"))
            return False
    return False


def _leave_nothing(under_way: Run, replay: subprocess.Popen[bytes]) -> None:
    """Note processes that outlived a replay that ended by itself, and end whatever is left."""
    state = under_way.campaign.state.resolve()
    ended_by_itself = replay.poll() is not None and not under_way.broken
    left = running(replay, state, under_way.mark)
    if ended_by_itself and left:
        names = ", ".join(sorted(process.name() for process in left))
        under_way.broken.append(Violation("left_behind", f"processes of the ended replay: {names}"))
    kill_all(replay, state, under_way.mark)


def _outcome(out: Path, under_way: Run) -> dict[str, Any]:
    """Read the one line of JSON that the last run ended with."""
    lines = out.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        (line,) = lines
        outcome = json.loads(line)
        outcome["parked"]
    except (ValueError, TypeError, KeyError):
        err = out.with_suffix(".err").read_text(encoding="utf-8", errors="replace")
        what = f"{out.name}: {len(lines)} lines instead of one JSON object with `parked`; stderr ends:\n"
        under_way.broken.append(Violation("no_outcome", what + err[-STDERR_SHOWN_CHARS:]))
        return {"parked": []}
    return dict(outcome)

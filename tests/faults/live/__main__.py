"""`python -m tests.faults.live --campaign C1 --seed N`: run campaigns against real, separate processes, and judge them.

With `--release` the rounds go on, each with the next seed, until the release counts or the minutes are reached; every
round is added to docs/reliability.md as soon as it is judged.
"""

import argparse
import asyncio
import logging
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.live import results
from tests.faults.live.campaigns import CAMPAIGNS, PROVED, Outcome, run
from tests.faults.live.place import Place

ROUND_S_MAX = 1_500


def one_round(name: str, seed: int, keep: Path | None = None) -> Outcome:
    """Run one round in a folder of its own, which stays if anything was broken."""
    root = Path(tempfile.mkdtemp(prefix="duly-live-")) if keep is None else keep / name
    root.mkdir(parents=True, exist_ok=True)
    sys.stderr.write(f"{name}, seed {seed}\n")

    async def bounded() -> Outcome:
        async with asyncio.timeout(ROUND_S_MAX):
            return await run(CAMPAIGNS[name], seed, Place(root.resolve()), sys.stderr.write)

    outcome = asyncio.run(bounded())
    sys.stdout.write(outcome.text)
    if outcome.broken or keep is not None:
        sys.stdout.write(f"kept in: {root}\n")
    else:
        shutil.rmtree(root)
    sys.stdout.flush()
    return outcome


def release(names: Sequence[str], seed: int, minutes: float) -> bool:
    """Run round after round, the campaigns in turn, until all is reached or the time is up; tell whether all held."""
    ends_at, held = time.monotonic() + 60 * minutes, True
    planned = {name: campaign.release for name, campaign in CAMPAIGNS.items()}
    for number, name in enumerate(_turns(names)):
        if time.monotonic() > ends_at:
            break
        outcome = one_round(name, seed + number)
        done = {deed: outcome.done[deed] for deed in planned[name]}
        known = results.Round(name, seed + number, done, outcome.events, len(outcome.broken), results.today())
        results.add([known], planned)
        held = held and not outcome.broken
    return held


def _turns(names: Sequence[str]) -> Iterator[str]:
    """Name, again and again, the campaign that is furthest from its release counts, as the page keeps them."""
    while True:
        done: dict[str, Counter[str]] = {name: Counter() for name in names}
        for one in results.read(results.PAGE):
            if one.campaign in done:
                done[one.campaign].update(one.done)
        shares = {
            name: min(done[name][deed] / most for deed, most in CAMPAIGNS[name].release.items()) for name in names
        }
        least = min(names, key=lambda name: shares[name])
        if shares[least] >= 1:
            return
        yield least


def main() -> int:
    """Read the command line; 1 if anything was broken."""
    parser = argparse.ArgumentParser(description="Fault campaigns against real, separate processes.")
    parser.add_argument("--campaign", default=",".join(PROVED), help="one or more of: " + ", ".join(CAMPAIGNS))
    parser.add_argument("--seed", type=int, help="default: a new one, printed")
    parser.add_argument("--keep", type=Path, help="keep everything below this folder, which must not exist yet")
    parser.add_argument(
        "--release", action="store_true", help="go on to the release counts; adds to docs/reliability.md"
    )
    parser.add_argument("--minutes", type=float, default=120, help="of a release: begin no round after so many")
    given = parser.parse_args()
    names = given.campaign.split(",")
    if unknown := set(names) - CAMPAIGNS.keys():
        parser.error(f"no such campaign: {', '.join(sorted(unknown))}")
    if given.keep is not None:
        given.keep.mkdir(parents=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the broker comes and goes: no news
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    if given.release:
        return 0 if release(names, seed, given.minutes) else 1
    outcomes = [one_round(name, seed, given.keep) for name in names]
    return 1 if any(outcome.broken for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())

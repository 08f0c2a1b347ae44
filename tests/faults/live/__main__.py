"""`python -m tests.faults.live --campaign C1 --seed N`: run campaigns against real, separate processes, and judge them.

With `--release` a campaign's round is run again and again, each with the next seed, until its release count or the
time is reached; the figures go into docs/reliability.md.
"""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.live.campaigns import CAMPAIGNS, Outcome, run
from tests.faults.live.place import Place

ROUND_S_MAX = 1_500


def one_round(name: str, seed: int, keep: Path | None) -> Outcome:
    """Run one round in a folder of its own, which stays if anything was broken."""
    root = keep or Path(tempfile.mkdtemp(prefix="duly-live-"))
    root.mkdir(exist_ok=True)
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


def main() -> int:
    """Read the command line; 1 if anything was broken."""
    parser = argparse.ArgumentParser(description="Fault campaigns against real, separate processes.")
    parser.add_argument("--campaign", default=",".join(CAMPAIGNS), help="one or more of: " + ", ".join(CAMPAIGNS))
    parser.add_argument("--seed", type=int, help="default: a new one, printed")
    parser.add_argument("--keep", type=Path, help="keep everything in this folder, which must not exist yet")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    broken = False
    began = time.monotonic()
    for name in given.campaign.split(","):
        outcome = one_round(name, seed, given.keep)
        broken = broken or bool(outcome.broken)
    sys.stderr.write(f"{time.monotonic() - began:.0f} s in all\n")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())

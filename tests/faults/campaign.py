"""The campaign: a replay against a provider that lies, killed with -9 again and again, then judged.

`python -m tests.faults.campaign --seed N` prints its figures and what was broken; the exit code is 0 when
nothing was. The lying server outlives every kill: its logs are the truth.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.faults.checker import check, gather, report, violations
from tests.faults.driving import SHARES, Campaign, Run, replay_to_the_end
from tests.faults.logs import read
from tests.faults.plan import Shares
from tests.faults.processes import smtp_server, vendor_server
from tests.faults.rules import Violation
from tests.faults.vendors import lies as vendors
from tests.faults.vendors.judge import judge
from tests.oracle.folder import SIZES, generate
from tests.oracle.oulad import truth

VENDOR_SHARES = vendors.Shares(limit=5, error=6, cut=6, asking=5, late=3)
"""In percent; error and cut half before and half after the provider accepted; late is a cut, and accepted after it."""


def run(campaign: Campaign, say: Callable[[str], object] = sys.stderr.write) -> tuple[str, list[Violation]]:
    """Run a campaign; return its report and what was broken."""
    started = time.monotonic()
    campaign.log("").mkdir(parents=True, exist_ok=True)
    campaign.keep.chmod(0o755)  # the database may have to run as somebody else
    if campaign.folder is None:
        generate(campaign.data, learners=campaign.learners, seed=campaign.seed)
    expected = len(truth(campaign.data).reminders)
    accepts = campaign.log("accepts.jsonl")
    with _server(campaign, accepts) as port:
        under_way = Run(campaign, port, expected, secrets.token_hex(8), started + campaign.seconds_max)
        outcome = replay_to_the_end(under_way, say)
    head = f"channel: {campaign.channel}\nseed: {campaign.seed}\nseconds: {time.monotonic() - started:.0f}\n"
    faults = accepts.with_name(accepts.name + ".faults")
    if campaign.channel == "mail":
        evidence = gather(campaign.data, accepts, faults, outcome, under_way.kills)
        broken = under_way.broken + check(evidence)
        return head + report(evidence, broken), broken
    broken = under_way.broken + judge(campaign.channel, truth(campaign.data), accepts, outcome["parked"])
    deeds = dict(Counter(entry["deed"] for entry in read(faults)))
    counted = f"expected: {expected}\naccepted: {sum(1 for _ in read(accepts))}\nkills: {under_way.kills}\n"
    return head + counted + f"faults: {deeds}\n" + violations(broken), broken


def _server(campaign: Campaign, accepts: Path) -> AbstractContextManager[int]:
    if campaign.channel == "mail":
        return smtp_server(accepts, campaign.seed, campaign.shares)
    return vendor_server(campaign.channel, accepts, campaign.seed, VENDOR_SHARES)


def main() -> int:
    """Run a campaign from the command line."""
    parser = argparse.ArgumentParser(description="Replay under kill -9 and a lying mail server, then judge it.")
    parser.add_argument("--seed", type=int, help="default: a new one, printed")
    parser.add_argument("--learners", type=int, default=SIZES["medium"], help="size of the generated folder")
    parser.add_argument("--folder", type=Path, help="replay this folder instead of a generated one")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--keep", type=Path, help="folder for data, state and logs; must not exist yet")
    parser.add_argument("--channel", choices=("mail", "slack", "sms"), default="mail")
    parser.add_argument("--refuse-percent", type=float, default=SHARES.refuse)
    parser.add_argument("--cut-before-percent", type=float, default=SHARES.cut_before)
    parser.add_argument("--cut-after-percent", type=float, default=SHARES.cut_after)
    parser.add_argument("--seconds-max", type=float, default=1_800)
    parser.add_argument("--duly", help="the command to test; default: `duly` beside this Python")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    sys.stderr.write(f"seed {seed}\n")
    keep = given.keep or Path(tempfile.mkdtemp(prefix="duly-faults-"))
    if given.keep is not None:
        keep.mkdir(parents=True)
    campaign = Campaign(
        seed=seed,
        keep=keep.resolve(),
        learners=given.learners,
        kills=given.kills,
        folder=given.folder,
        shares=Shares(given.refuse_percent, given.cut_before_percent, given.cut_after_percent),
        duly=(given.duly,) if given.duly else (),
        seconds_max=given.seconds_max,
        channel=given.channel,
    )
    text, broken = run(campaign)
    sys.stdout.write(text)
    if broken or given.keep is not None:
        sys.stdout.write(f"kept in: {keep}\n")
    else:
        shutil.rmtree(keep)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())

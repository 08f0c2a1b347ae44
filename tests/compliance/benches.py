"""Every adapter with its bench: one line for a new one, and one more for each peer that it can be tried against."""

from collections.abc import Mapping

from tests.compliance import mail_bench, peer_benches, slack_bench, sms_bench, teams_bench
from tests.compliance.bench import Adapter

ADAPTERS: Mapping[str, Adapter] = {
    "mail": Adapter(mail_bench.mail_bench, mail_bench.CANNOT, reads_back=False),
    "slack": Adapter(slack_bench.slack_bench),
    "sms": Adapter(sms_bench.sms_bench),
    "teams": Adapter(teams_bench.teams_bench, teams_bench.CANNOT, reads_back=False),
    "slack-emulate": Adapter(peer_benches.slack_peer, given="vendors"),
    "sms-emulate": Adapter(peer_benches.sms_peer, given="vendors"),
}

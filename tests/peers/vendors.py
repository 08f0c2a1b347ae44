"""emulate with a team of its own, and mitmproxy before it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.peers.install import Peers
from tests.peers.running import free_ports, running

SLACK_TOKEN = "xoxb-duly-peer"  # noqa: S105 - of a peer on this machine
SLACK_SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of a peer on this machine
TWILIO_SID = "AC" + "0" * 31 + "1"
TWILIO_TOKEN = "duly-peer-auth-token"  # noqa: S105 - of a peer on this machine
TWILIO_NUMBER = "+15005550006"
TWILIO_SERVICE = "MG" + "0" * 31 + "1"
SCOPES = ("chat:write", "users:read", "users:read.email", "im:write", "im:history", "channels:history")
DOMAIN = "peers.example"
PEOPLE = tuple(f"p{number:03}" for number in range(200))
CANARIES = tuple(f"canary-{number:03}" for number in range(200))
FAULT = Path(__file__).with_name("fault.py")


@dataclass(frozen=True, slots=True)
class Vendor:
    """One emulated provider: where it is, and where it is behind the faults."""

    url: str
    faulty_url: str
    _control: Path = field(repr=False)

    def err(self, path: str, action: str, times: int = 1, **more: Any) -> None:
        """From now on, answer the next requests to this path so; rules that are used up stay used up."""
        with self._control.open("a", encoding="utf-8") as control:
            control.write(json.dumps({"path": path, "action": action, "times": times, **more}) + "\n")

    def let_go(self) -> None:
        """Hand over all requests that are still to arrive late."""
        self.err("", "go", times=0)

    def forget(self) -> None:
        """Take back every rule that was not used; their lines stay, for the proxy counts by them."""
        self.let_go()
        rules = [json.loads(line) | {"times": 0} for line in self._control.read_text(encoding="utf-8").splitlines()]
        anew = self._control.with_suffix(".anew")
        anew.write_text("".join(f"{json.dumps(rule)}\n" for rule in rules), encoding="utf-8")
        anew.replace(self._control)

    def asked(self, method: str, end: str) -> int:
        """Count the requests that came to the proxy whole, by method and the end of their path."""
        lines = Path(f"{self._control}.asked").read_text(encoding="utf-8").splitlines()
        return sum(line.startswith(f"{method} ") and line.endswith(end) for line in lines)


@dataclass(frozen=True, slots=True)
class Emulated:
    """Both providers."""

    slack: Vendor
    twilio: Vendor


def mail_of(person: str) -> str:
    """Return the address by which Slack knows this person; it knows all of PEOPLE and CANARIES."""
    return f"{person}@{DOMAIN}"


@contextmanager
def emulated(peers: Peers, folder: Path) -> Iterator[Emulated]:
    """Run both providers and a proxy before each while the block runs."""
    slack, twilio, faulty_slack, faulty_twilio = free_ports(4)
    (folder / "seed.yaml").write_text(yaml.safe_dump(_seed()), encoding="utf-8")
    start = ("start", "--service", "slack,twilio", "--port", str(slack), "--seed", "seed.yaml")
    with (
        running([peers.node, peers.emulate, *start], folder, (slack, twilio), {}),
        _proxied(peers, folder, slack, faulty_slack) as slack_control,
        _proxied(peers, folder, twilio, faulty_twilio) as twilio_control,
    ):
        yield Emulated(
            Vendor(_url(slack), _url(faulty_slack), slack_control),
            Vendor(_url(twilio), _url(faulty_twilio), twilio_control),
        )


@contextmanager
def _proxied(peers: Peers, folder: Path, upstream: int, port: int) -> Iterator[Path]:
    control = folder / f"faults-{port}.jsonl"
    control.touch()
    Path(f"{control}.asked").touch()
    argv: Sequence[str | Path] = (
        *(peers.mitmdump, "-q", "--mode", f"reverse:{_url(upstream)}", "--listen-host", "127.0.0.1"),
        *("-p", str(port), "-s", FAULT, "--set", f"confdir={folder / f'mitmproxy-{port}'}"),
    )
    with running(argv, folder, (port,), {"DULY_FAULTS": str(control)}):
        yield control


def _seed() -> Mapping[str, Any]:
    users = [{"name": "duly-bot", "real_name": "Duly", "email": f"duly-bot@{DOMAIN}"}]
    users += [{"name": person, "real_name": person.title(), "email": mail_of(person)} for person in PEOPLE + CANARIES]
    return {
        "slack": {
            "strict_scopes": True,
            "signing_secret": SLACK_SECRET,
            "team": {"name": "Duly", "domain": "duly-peer"},
            "users": users,
            "channels": [{"name": "training"}],
            "tokens": [{"token": SLACK_TOKEN, "user": "duly-bot", "scopes": list(SCOPES)}],
        },
        "twilio": {
            "account": {"sid": TWILIO_SID, "auth_token": TWILIO_TOKEN},
            "phone_numbers": [{"phone_number": TWILIO_NUMBER}],
            "messaging_services": [{"sid": TWILIO_SERVICE, "friendly_name": "Duly", "phone_numbers": [TWILIO_NUMBER]}],
        },
    }


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"

"""What the lying server shows whoever wants TLS: its own certificate, or a wrong one. The keys are for tests only."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from tests.faults.plan import Fault, Where

KEYS = Path(__file__).parent / "tls"
TRUSTED = KEYS / "trusted.pem"
"""Whom a client is to trust: the relay, and one of another name."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """A context for each certificate."""

    relay: ssl.SSLContext
    stranger: ssl.SSLContext
    elsewhere: ssl.SSLContext

    @classmethod
    def read(cls) -> "Contexts":
        """Read the keys."""
        return cls(*(_context(name) for name in ("relay", "stranger", "elsewhere")))

    def of(self, fault: Fault | None) -> ssl.SSLContext:
        """Choose what to show."""
        wrong = {Where.STRANGER: self.stranger, Where.ELSEWHERE: self.elsewhere}
        return self.relay if fault is None else wrong[fault.where]


def _context(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(KEYS / f"{name}.pem")
    return context

"""The provider matrix for mail: the lying SMTP server's plan, dealt from the deck instead of drawn by shares."""

from dataclasses import dataclass, field

from tests.faults.plan import REFUSED_STARTTLS as REFUSED
from tests.faults.plan import TLS_FAILURES, Fault, Plan, Where
from tests.faults.vendors.matrix import EACH, Deck, number_of
from tests.faults.vendors.matrix import Fault as Card

AT_RCPT = {Card.MAIL_421: Fault(Where.RCPT, 421)}
AT_DATA = {Card.MAIL_451: Fault(Where.DATA, 451)}
AT_HEADERS = {
    Card.MAIL_552: Fault(Where.FINAL_DOT, 552),
    Card.MAIL_LOST: Fault(Where.ACCEPTED),
    Card.MAIL_CUT: Fault(Where.MID_BODY),
    Card.MAIL_DRIP: Fault(Where.DRIP),
    Card.MAIL_SLOW: Fault(Where.SLOW),
    Card.MAIL_BACK: Fault(Where.BOUNCED),
    Card.MAIL_LOST_BACK: Fault(Where.ACCEPTED),
}


@dataclass(slots=True, kw_only=True)
class DealtPlan(Plan):
    """Each mail meets its fault once; the first connections come to nothing at STARTTLS, in four ways by turns."""

    deck: Deck
    dealt: set[int] = field(default_factory=set)

    def at_starttls(self) -> Fault | None:
        """Let the first ones come to nothing."""
        if self.tls_failures == EACH:
            return None
        where = TLS_FAILURES[self.tls_failures % len(TLS_FAILURES)]
        self.tls_failures += 1
        return Fault(where, REFUSED if where is Where.STARTTLS else None)

    def at_mail(self) -> Fault | None:
        """Nobody knows yet whose mail it is."""
        return None

    def at_rcpt(self, address: str) -> Fault | None:
        """Refuse who is dealt that."""
        return self._deal(address, AT_RCPT)

    def at_data(self, address: str) -> Fault | None:
        """Likewise."""
        return self._deal(address, AT_DATA)

    def at_headers(self, identity: str, address: str) -> Fault | None:  # noqa: ARG002 - the plan's signature
        """Likewise."""
        return self._deal(address, AT_HEADERS)

    def _deal(self, address: str, faults: dict[Card, Fault]) -> Fault | None:
        number = number_of(address)
        if number is None or number in self.dealt or number not in self.deck:
            return None
        fault = faults.get(self.deck[number][1])
        if fault is not None:
            self.dealt.add(number)
        return fault

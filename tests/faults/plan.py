"""What the lying server does to which mail, drawn from the seed.

Promises to the product, without which "in time" could not be asked of it: one mail is refused for now at
most three times where it is known by name (twice before its body by its recipient, once at the final dot by
its id), plus a couple of times at MAIL, where nobody can say whose mail it is; and it is cut at most once.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

MAILS_BETWEEN_REFUSALS_AT_MAIL = 64
"""A refused mail comes back among at least so few others that it is not refused at MAIL time and again."""

REFUSALS_BEFORE_BODY_MAX = 2
REFUSED_FOR_GOOD = 554
REFUSED_STARTTLS = 454


class Where(StrEnum):
    """The point of the dialogue at which the server misbehaved."""

    STARTTLS = "starttls"  # refused for now
    HANDSHAKE = "handshake"  # 220, then what is no TLS
    STRANGER = "stranger"  # a certificate nobody vouches for
    ELSEWHERE = "elsewhere"  # a trusted one, with another's name
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    AFTER_354 = "after_354"
    MID_BODY = "mid_body"
    WHOLE_BODY = "whole_body"
    FINAL_DOT = "final_dot"
    ACCEPTED = "accepted"
    DRIP = "drip"
    SLOW = "slow"
    BOUNCED = "bounced"


TLS_FAILURES = (Where.STARTTLS, Where.HANDSHAKE, Where.STRANGER, Where.ELSEWHERE)
"""Taken in turn, so that few failures already are of every kind."""
NO_TLS, IN_THE_OPEN = "no TLS", "heard in the open"
"""What the server notes of a connection that came to nothing, and of one on which a mail was begun without TLS."""
REFUSES_FOR_S = 45.0
"""Where connections fail before anybody knows for which mail, a gentle server refuses for so long only, from the first
time on: a mail that was refused comes back after a minute, and then is refused no more."""

BODY_BEGAN = frozenset({Where.AFTER_354, Where.MID_BODY, Where.WHOLE_BODY, Where.ACCEPTED})
"""Cut here, a client cannot know whether its mail was accepted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One lie: a reply code, or none when the connection is cut."""

    where: Where
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """How much goes wrong, in percent of the mails."""

    refuse: float = 0
    cut_before: float = 0
    cut_after: float = 0
    refuse_good: float = 0  # 554 at the final dot, and no second try
    drip: float = 0  # accepted, the 250 byte by byte
    tls: float = 0  # in percent of the connections: no TLS comes of STARTTLS


@dataclass(slots=True)
class Plan:
    """Decides each fault, and remembers what was done so that the promises above hold.

    A gentle one refuses a mail for now at most once in all, never at MAIL: a second pause is five minutes of the
    wall clock, which a short campaign cannot wait for.
    """

    seed: int
    shares: Shares
    gentle: bool = False
    lie_mails: int | None = None  # honest after so many; None: lies to the end
    clock: Callable[[], float] = time.monotonic
    mails: int = 0
    upgrades: int = 0
    tls_failures: int = 0
    first_refused_at: float | None = None
    last_refused_at_mail: int = -MAILS_BETWEEN_REFUSALS_AT_MAIL
    attempts: dict[str, int] = field(default_factory=dict)
    refused_before_body: dict[str, int] = field(default_factory=dict)
    refused_at_dot: set[str] = field(default_factory=set)
    cut_before_body: set[str] = field(default_factory=set)  # addresses
    cut_by_id: set[str] = field(default_factory=set)
    addresses_cut_by_id: set[str] = field(default_factory=set)

    def at_starttls(self) -> Fault | None:
        """Let a connection come to nothing, whosever mail it was meant for."""
        self.upgrades += 1
        if self._draw("tls", str(self.upgrades)) >= self.shares.tls or self._refused_enough():
            return None
        where = TLS_FAILURES[self.tls_failures % len(TLS_FAILURES)]
        self.tls_failures += 1
        return Fault(where, REFUSED_STARTTLS if where is Where.STARTTLS else None)

    def at_mail(self) -> Fault | None:
        """Refuse a mail of which nothing is known yet, rarely and never close together."""
        self.mails += 1
        if self.mails == self.lie_mails:
            self.shares = Shares()
        if self.gentle or self.mails - self.last_refused_at_mail < MAILS_BETWEEN_REFUSALS_AT_MAIL:
            return None
        draw = self._draw("mail", str(self.mails))
        if draw >= self.shares.refuse / 4:
            return None
        self.last_refused_at_mail = self.mails
        return Fault(Where.MAIL, self._code("mail", str(self.mails)))

    def at_rcpt(self, address: str) -> Fault | None:
        """Refuse one more mail to this address, while its allowance lasts."""
        self.attempts[address] = self.attempts.get(address, 0) + 1
        return self._refuse_before_body(Where.RCPT, address)

    def at_data(self, address: str) -> Fault | None:
        """Refuse DATA, cut instead of answering it, or cut right after the 354."""
        refused = self._refuse_before_body(Where.DATA, address)
        if refused is not None:
            return refused
        if address in self.cut_before_body or address in self.addresses_cut_by_id:
            return None
        draw = self._draw("cut", address, str(self.attempts.get(address, 0)))
        if draw >= self.shares.cut_before / 2:
            return None
        self.cut_before_body.add(address)
        early = draw < self.shares.cut_before / 4 and not self._refused_enough()  # to a client as good as a refusal
        return Fault(Where.DATA if early else Where.AFTER_354)

    def at_headers(self, identity: str, address: str) -> Fault | None:
        """Decide about a mail that is known by its id: refuse or cut it, each once in its life."""
        if self._draw("good", identity) < self.shares.refuse_good:
            return Fault(Where.FINAL_DOT, REFUSED_FOR_GOOD)
        draw = self._draw("dot", identity)
        spent = self.gentle and address in self.refused_before_body
        if (
            identity not in self.refused_at_dot
            and not spent
            and draw < self.shares.refuse / 3
            and not self._refused_enough()
        ):
            self.refused_at_dot.add(identity)
            if self.gentle:
                self.refused_before_body[address] = REFUSALS_BEFORE_BODY_MAX
            return Fault(Where.FINAL_DOT, self._code("dot", identity))
        if identity in self.cut_by_id or address in self.cut_before_body:
            return None
        draw = self._draw("body", identity)
        before = self.shares.cut_before / 2
        if draw >= before + self.shares.cut_after:
            slow = draw < before + self.shares.cut_after + self.shares.drip
            return Fault(Where.DRIP) if slow else None
        self.cut_by_id.add(identity)
        self.addresses_cut_by_id.add(address)
        if draw < before:
            return Fault(Where.MID_BODY if draw < before / 2 else Where.WHOLE_BODY)
        return Fault(Where.ACCEPTED)

    def _refuse_before_body(self, where: Where, address: str) -> Fault | None:
        attempt = str(self.attempts.get(address, 0))
        spent = self.refused_before_body.get(address, 0)
        if spent >= REFUSALS_BEFORE_BODY_MAX or self._draw(where, address, attempt) >= self.shares.refuse / 3:
            return None
        if self._refused_enough():
            return None
        self.refused_before_body[address] = REFUSALS_BEFORE_BODY_MAX if self.gentle else spent + 1
        return Fault(where, self._code(where, address, attempt))

    def _refused_enough(self) -> bool:
        """Tell whether the time of refusals is over; the first one begins it."""
        if not self.gentle or not self.shares.tls:
            return False
        now = self.clock()
        if self.first_refused_at is None:
            self.first_refused_at = now
        return now > self.first_refused_at + REFUSES_FOR_S

    def _code(self, *about: str) -> int:
        return 451 if self._draw("code", *about) < 50 else 421

    def _draw(self, *about: str) -> float:
        """Draw from 0 to 100; the same seed and subject give the same figure in every run."""
        digest = hashlib.blake2b("|".join((str(self.seed), *about)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64 * 100

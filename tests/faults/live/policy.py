"""The reminder policy of a campaign: mails are due at once, round the clock, and a burst at a moment soon to come.

A step is due at one minute of the day on the recipient's clock, so whoever lives in a zone of whole hours has a moment
that lies less than a day back; and in UTC one lies a minute ahead.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

OFFSETS_DAYS = (14, 3)
DAYS_AROUND = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """What the checker must know of it."""

    hour: int
    minute: int
    zone: str = "UTC"
    offsets_days: tuple[int, ...] = OFFSETS_DAYS

    @classmethod
    def around(cls, burst: datetime) -> "Policy":
        """Make the policy whose moment of the day, in UTC, is that of the burst."""
        return cls(burst.hour, burst.minute)

    @classmethod
    def read(cls, path: Path) -> "Policy":
        """Read what `write` wrote."""
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(known["hour"], known["minute"], known["zone"], tuple(known["offsets_days"]))

    def write(self, notes: Path, policy_file: Path) -> None:
        """Write it twice: for the checker, and as Duly reads it."""
        known = {"hour": self.hour, "minute": self.minute, "zone": self.zone, "offsets_days": self.offsets_days}
        notes.write_text(json.dumps(known), encoding="utf-8")
        text = f"name: campaign\nversion: campaign-{self.hour:02}{self.minute:02}\noffsets_days: "
        text += f'{list(self.offsets_days)}\nlocal_time: "{self.hour:02}:{self.minute:02}"\ndefault_zone: {self.zone}\n'
        policy_file.write_text(text, encoding="utf-8")

    def first_at(self, threshold: datetime, zone: str) -> datetime:
        """Find the first such minute on the zone's clock at or after a moment; the zones have no clock changes."""
        place = ZoneInfo(zone)
        day = threshold.astimezone(place).date()
        days = [day + timedelta(days=number) for number in range(-DAYS_AROUND, DAYS_AROUND + 1)]
        moments = [datetime(at.year, at.month, at.day, self.hour, self.minute, tzinfo=place) for at in days]
        return min(moment.astimezone(UTC) for moment in moments if moment >= threshold)

    def last_before(self, now: datetime, zone: str) -> datetime:
        """Find the last such minute on the zone's clock before a moment."""
        return self.first_at(now - timedelta(days=1), zone)


def coming_minute(now: datetime, at_least_s: float) -> datetime:
    """Return the first whole minute that lies so far ahead."""
    return (now + timedelta(seconds=at_least_s + 59)).replace(second=0, microsecond=0)

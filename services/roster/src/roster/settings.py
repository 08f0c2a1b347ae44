"""Everything an operator may set for roster; read once, in app.py."""

from typing import ClassVar

from pydantic import Field

from duly_chassis.settings import ServiceSettings

MIB = 1024 * 1024


class Settings(ServiceSettings):
    """Adds to what every service has. Variables begin with DULY_ROSTER_."""

    service: ClassVar[str] = "roster"

    file_bytes_max: int = Field(default=64 * MIB, ge=1024, le=1024 * MIB)
    """The largest roster file that is taken; a larger one is answered with 413."""

    columns_max: int = Field(default=200, ge=1, le=2000)
    """Columns a roster file may have, those that nobody reads included."""

    rows_max: int = Field(default=500_000, ge=1, le=2_000_000)
    """Rows a roster file may have."""

    brake_departures_max: int = Field(default=25, ge=0)
    """People whose employment one run may end without a person's word; more hold the run."""

    brake_departures_percent: float = Field(default=5, ge=0, le=100)
    """The same as a share of all active people; whichever of the two comes first holds the run."""

    brake_duplicates_percent: float = Field(default=5, ge=0, le=100)
    """Rows that look like somebody who is there already under another id; a larger share holds the run."""

    held_days_max: int = Field(default=14, ge=1, le=365)
    """How long a held run waits for its decision (business clock); then it lapses and its personal data is deleted."""

    keep_changes_days: int = Field(default=400, ge=30)
    """How long is kept which run changed whom (machine clock); runs and decisions are kept."""

"""Everything an operator may set for reminders; read once, in app.py."""

from pathlib import Path
from typing import ClassVar

from duly_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Adds to what every service has. Variables begin with DULY_REMINDERS_."""

    service: ClassVar[str] = "reminders"

    policy_file: Path = Path("policies/reminders.yaml")
    """The policy in force for new cases: offsets in days, local hour (policies/reminders.yaml is the shipped one)."""

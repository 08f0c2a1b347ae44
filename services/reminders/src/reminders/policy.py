"""The policy file: YAML from people's hands, checked by one model that also publishes its JSON Schema.

Every fault is reported at once, each as `FILE:LINE: what is wrong`. `python -m reminders.policy --check FILE` checks
a file, `--schema` prints the schema that lies beside the shipped one.
"""

import json
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import ErrorDetails, PydanticCustomError

from duly_chassis.policy_command import Name, Version, check
from duly_chassis.policy_file import Source, did_you_mean, shown
from reminders.schedule import Policy

OFFSETS_MAX = 20
DIFFERENT: dict[str, JsonValue] = {"minItems": 1, "maxItems": OFFSETS_MAX, "uniqueItems": True}


def different(offsets_days: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse none, too many, and one that stands there twice; put the others in order, the furthest first.

    The lengths are no constraint of the field: pydantic would call a list with a wrong item too short as well.
    """
    if not 1 <= len(offsets_days) <= OFFSETS_MAX:
        raise PydanticCustomError("length", "give 1 to {most} numbers", {"most": OFFSETS_MAX})
    for days in offsets_days:
        if offsets_days.count(days) > 1:
            raise PydanticCustomError("doubled", "{days} stands there twice", {"days": days})
    return tuple(sorted(offsets_days, reverse=True))


def known_zone(zone: str) -> str:
    """Refuse a zone that nobody knows."""
    zones = available_timezones()
    if zone not in zones:
        context = {"zone": shown(zone), "hint": did_you_mean(zone, zones)}
        raise PydanticCustomError("zone", "{zone} is not a known zone{hint}", context)
    return zone


class PolicyFile(BaseModel):
    """When people are reminded of a training's deadline."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, title="Reminder policy")

    name: Name
    version: Annotated[Version, Field(description="A new one for each edit; running cases keep theirs")]
    offsets_days: Annotated[
        tuple[Annotated[int, Field(ge=1, le=365)], ...],
        Field(description="Days before the deadline, each told once", json_schema_extra=DIFFERENT),
        AfterValidator(different),
    ]
    local_time: Annotated[
        str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description='The recipient\'s own hour, as "09:00"')
    ]
    default_zone: Annotated[
        str,
        Field(max_length=64, description="IANA zone of people whose own is not known"),
        AfterValidator(known_zone),
    ]

    def policy(self) -> Policy:
        """Return what the rules need of it."""
        hour, minute = map(int, self.local_time.split(":"))
        return Policy(
            version=self.version,
            offsets_days=self.offsets_days,
            local_hour=hour,
            local_minute=minute,
            default_zone=self.default_zone,
        )

    @classmethod
    def schema_text(cls) -> str:
        """Return the JSON Schema as it is published."""
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | cls.model_json_schema()
        return json.dumps(schema, indent=2) + "\n"


def load(path: Path) -> Policy:
    """Read a policy file; raise PolicyError with every fault if it has any."""
    return Source.read(path).checked(PolicyFile, said).policy()


SAID = {
    "missing": "missing key {key!r}",
    "string_type": "{key}: {value} is not a text",
    "int_type": "{key}: {value} is not a whole number",
    "greater_than_equal": "{key}: {value} is not from 1 to 365",
    "less_than_equal": "{key}: {value} is not from 1 to 365",
    "tuple_type": "{key}: {value} is not a list, as [30, 14, 3]",
    "string_pattern_mismatch": "{key}: {value} is not a short name without blanks",
}
NO_HOUR = "{key}: {value} is not an hour of the day, as '09:00'"


def said(fault: ErrorDetails) -> str:
    """Say a fault of the model in the words of a policy."""
    key, kind = str(fault["loc"][0]), fault["type"]
    if kind == "extra_forbidden":
        return f"unknown key {shown(key)}{did_you_mean(key, PolicyFile.model_fields)}"
    template = SAID.get(kind, "{key}: {message}")
    if key == "local_time" and kind == "string_pattern_mismatch":
        template = NO_HOUR
    return template.format(key=key, value=shown(fault["input"]), message=fault["msg"])


if __name__ == "__main__":
    raise SystemExit(check("reminders.policy", "Check a reminder policy.", load, PolicyFile.schema_text))

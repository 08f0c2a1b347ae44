"""The channel policy's file: YAML from people's hands, checked by one model that also publishes its JSON Schema.

Every fault is reported at once, each as `FILE:LINE: what is wrong`. `python -m messenger.plan_file --check FILE` checks
a file, `--schema` prints the schema that lies beside the shipped one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import ErrorDetails, PydanticCustomError

from duly_chassis.policy_command import Name, Version, check
from duly_chassis.policy_file import Source, did_you_mean, shown
from messenger.domain import BEST_EFFORT, CHANNELS, Leg
from messenger.planning.plans import ChannelPolicy

AFTER_MIN_MAX = 7 * 24 * 60
MESSAGES_MAX = 100

Channel = Literal["mail", "slack", "sms", "teams"]
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


class Step(BaseModel):
    """A channel, and when it is turned to although the one before could be used."""

    model_config = STRICT

    channel: Annotated[Channel, Field(description="Where the message goes")]
    after_min: Annotated[
        int | None,
        Field(ge=1, le=AFTER_MIN_MAX, description="Minutes inside the permitted hours of the channel before"),
    ] = None
    when: Annotated[
        tuple[Literal["undelivered", "unanswered"], ...],
        Field(
            max_length=2, description="undelivered: not accepted by then; unanswered: accepted, and nothing ended it"
        ),
    ] = ("undelivered",)

    def leg(self) -> Leg:
        """Return what the rules need of it."""
        return Leg(self.channel, self.after_min, self.when if self.after_min else ())


def spelt_out(value: object) -> object:
    """Take the short form: `mail` stands for `channel: mail`."""
    return {"channel": value} if isinstance(value, str) else value


def each_once(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Refuse no step, a channel that stands there twice, and a way that no mandatory message could take."""
    if not steps:
        raise PydanticCustomError("length", "give 1 to {most} channels", {"most": len(CHANNELS)})
    named = [step.channel for step in steps]
    for name in named:
        if named.count(name) > 1:
            raise PydanticCustomError("doubled", "{name} stands there twice", {"name": name})
    if BEST_EFFORT.issuperset(named):
        raise PydanticCustomError(
            "unsure", "{name} takes no mandatory message: add a channel that does", {"name": named[0]}
        )
    if steps[0].after_min is not None:
        raise PydanticCustomError("first", "the first channel waits for none before it: no after_min")
    return steps


Steps = Annotated[tuple[Annotated[Step, BeforeValidator(spelt_out)], ...], AfterValidator(each_once)]


class PlanFile(BaseModel):
    """Over which channels messages go, in which order."""

    model_config = STRICT | ConfigDict(title="Channel policy")

    name: Name
    version: Annotated[Version, Field(description="A new one for each edit; running messages keep theirs")]
    default: Annotated[Steps, Field(description="The way of every message that is not named below")]
    messages: Annotated[
        Mapping[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")], Steps],
        Field(max_length=MESSAGES_MAX, description="The ways of single messages, by their names"),
    ] = {}

    def policy(self) -> ChannelPolicy:
        """Return what the rules need of it."""
        return ChannelPolicy(
            version=self.version,
            default=tuple(step.leg() for step in self.default),
            messages={name: tuple(step.leg() for step in steps) for name, steps in self.messages.items()},
        )

    @classmethod
    def schema_text(cls) -> str:
        """Return the JSON Schema as it is published, in which a channel's bare name is a step, too."""
        schema: dict[str, Any] = cls.model_json_schema()
        step = {"anyOf": [{"$ref": "#/$defs/Step"}, {"enum": list(CHANNELS)}]}
        [of_messages] = schema["properties"]["messages"]["patternProperties"].values()
        schema["properties"]["messages"]["additionalProperties"] = False
        for steps in (schema["properties"]["default"], of_messages):
            steps |= {"items": step, "minItems": 1, "maxItems": len(CHANNELS)}
        return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema, indent=2) + "\n"


def load(path: Path) -> ChannelPolicy:
    """Read a policy file; raise PolicyError with every fault if it has any."""
    return Source.read(path).checked(PlanFile, said).policy()


SAID = {
    "missing": "missing key {key!r}",
    "literal_error": "{key}: {value} is none of {expected}",
    "int_type": "{key}: {value} is not a whole number",
    "greater_than_equal": "{key}: {value} is not from 1 to 10080",
    "less_than_equal": "{key}: {value} is not from 1 to 10080",
    "tuple_type": "{key}: {value} is not a list, as [slack, mail]",
    "model_type": "{key}: {value} is not a channel, as mail, nor a step, as {{channel: sms, after_min: 30}}",
    "string_pattern_mismatch": "{key}: {value} is not a short name without blanks",
}


def said(fault: ErrorDetails) -> str:
    """Say a fault of the model in the words of a policy."""
    names = [str(part) for part in fault["loc"] if isinstance(part, str) and part != "[key]"]
    key, kind = ": ".join(names), fault["type"]
    if kind == "extra_forbidden":
        known = PlanFile.model_fields if len(fault["loc"]) == 1 else Step.model_fields
        return f"unknown key {shown(names[-1])}{did_you_mean(names[-1], known)}"
    expected = fault.get("ctx", {}).get("expected", "")
    template = SAID.get(kind, "{key}: {message}")
    return template.format(key=key, value=shown(fault["input"]), message=fault["msg"], expected=expected)


if __name__ == "__main__":
    raise SystemExit(check("messenger.plan_file", "Check a channel policy.", load, PlanFile.schema_text))

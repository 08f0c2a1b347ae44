"""The policy file: YAML from people's hands, checked by one model that also publishes its JSON Schema.

Every fault is reported at once, each as `FILE:LINE: what is wrong`. `python -m reminders.policy --check FILE` checks
a file, `--schema` prints the schema that lies beside the shipped one.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from reminders.domain import Policy

FILE_BYTES_MAX = 64 * 1024
DEPTH_MAX = 4
OFFSETS_MAX = 20
DIFFERENT: dict[str, JsonValue] = {"minItems": 1, "maxItems": OFFSETS_MAX, "uniqueItems": True}
SHOWN_CHARACTERS_MAX = 40
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,8})")


class PolicyError(Exception):
    """A policy file that cannot be used; each of `lines` reads `FILE:LINE: what is wrong`."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


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

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$", description="What the policy is called")]
    version: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9._-]{1,40}$", description="A new one for each edit; running cases keep theirs"),
        BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    ]
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
    source = Source.read(path)
    try:
        return PolicyFile.model_validate(source.values).policy()
    except ValidationError as error:
        raise PolicyError(source.lines(list(source.faults(error)))) from None


Fault = tuple[int, str]


class Danger(ValueError):
    """YAML that a policy never needs: line and reason."""


class Source:
    """The text of a policy as plain values, with the line each stands in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        self._lines: dict[tuple[int | str, ...], int] = {(): 1}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read YAML without its dangerous parts: small, one document, no tags, no anchors, no doubled keys."""
        source = cls(path)
        try:
            text = source._text()
            refuse_dangers(text)
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except Danger as danger:
            raise source.error(*danger.args) from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise source.error(line, f"not YAML: {error.problem}") from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise source.error(line, f"not YAML: character {error.character:#x} is not allowed") from None
        if not isinstance(root, yaml.MappingNode):
            raise source.error(1, "not a policy: expected keys and values, as 'offsets_days: [30, 14, 3]'")
        source._take(root)
        return source

    def error(self, line: int, what: str) -> PolicyError:
        """Make the error of one fault."""
        return PolicyError(self.lines([(line, what)]))

    def lines(self, faults: Sequence[Fault]) -> list[str]:
        """Write faults as people and editors read them."""
        return [f"{self.path}:{line}: {what}" for line, what in sorted(faults)]

    def faults(self, error: ValidationError) -> Iterator[Fault]:
        """Translate what the model found; a key that is only misspelt is not reported as missing, too."""
        meant = set()
        for fault in error.errors():
            if fault["type"] == "extra_forbidden":
                meant.update(nearest(str(fault["loc"][0]), PolicyFile.model_fields))
        for fault in error.errors():
            if fault["type"] != "missing" or fault["loc"][0] not in meant:
                yield self._line(fault["loc"]), said(fault)

    def _line(self, place: tuple[int | str, ...]) -> int:
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise self.error(1, f"cannot be read ({error.strerror})") from None
        if len(data) > FILE_BYTES_MAX:
            raise self.error(1, f"larger than {FILE_BYTES_MAX // 1024} KB")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.error(data.count(b"\n", 0, error.start) + 1, "not UTF-8") from None

    def _take(self, root: yaml.MappingNode) -> None:
        doubled: list[Fault] = []
        for key, value in root.value:
            line = key.start_mark.line + 1
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "(a list)"
            if (name,) in self._lines:
                doubled.append((line, f"key {shown(name)} stands here twice, first in line {self._lines[name,]}"))
                continue
            self._lines[name,] = line
            self.values[name] = self._value((name,), value)
        if doubled:
            raise PolicyError(self.lines(doubled))

    def _value(self, place: tuple[int | str, ...], node: yaml.Node) -> object:
        """Take whole numbers as numbers, all else as it is written: 10:00 is no number of seconds, `no` no lie."""
        self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._value((*place, index), item) for index, item in enumerate(node.value))
        if isinstance(node, yaml.MappingNode):
            return {str(key.value): self._value((*place, str(key.value)), item) for key, item in node.value}
        if node.tag.endswith(":null"):
            return None
        plain = node.tag.endswith(":int") and WHOLE_NUMBER.fullmatch(node.value)
        return int(node.value) if plain else str(node.value)


def refuse_dangers(text: str) -> None:
    """Refuse what a policy never needs before anything is built of it; walking events takes no stack."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        problem = None
        if depth > DEPTH_MAX:
            problem = "nested too deeply"
        elif getattr(event, "anchor", None):
            problem = "anchors and aliases are not allowed"
        elif getattr(event, "tag", None):
            problem = "tags are not allowed"
        if problem:
            raise Danger(event.start_mark.line + 1 if event.start_mark else 1, problem)


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


def shown(value: object) -> str:
    """Show a faulty value: short, and without what a terminal might obey."""
    text = ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."


def nearest(word: str, words: Iterable[str]) -> list[str]:
    """Find the word that was probably meant."""
    return get_close_matches(word[:SHOWN_CHARACTERS_MAX], sorted(words), n=1)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Name the word that was probably meant."""
    return "".join(f", did you mean {other!r}?" for other in nearest(word, words))


def main() -> int:
    """Check a policy file, or print the schema."""
    parser = argparse.ArgumentParser(prog="python -m reminders.policy", description="Check a reminder policy.")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--check", type=Path, metavar="FILE", help="check a policy file")
    wanted.add_argument("--schema", action="store_true", help="print the JSON Schema")
    arguments = parser.parse_args()
    if arguments.schema:
        sys.stdout.write(PolicyFile.schema_text())
        return 0
    try:
        policy = load(arguments.check)
    except PolicyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{arguments.check}: version {policy.version} is in order\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

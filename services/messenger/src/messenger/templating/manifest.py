"""The manifest of a message: who answers for it, which values it says and in which languages it is there."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from duly_chassis.policy_file import Source, did_you_mean, shown

VALUES_MAX = 50
LANGUAGES_MAX = 60
DAYS_AHEAD_MAX = 365
ALWAYS = frozenset({"name", "subject", "zone_known"})
"""What every wording may say without declaring it: the recipient's name (it may be empty), what stands in the subject,
and whether the recipient's time zone is known."""

NAME = r"^[a-z][a-z0-9_]{0,59}$"
MANIFEST = "message.yaml"


class Value(BaseModel):
    """One value that whoever asks for the message sends with it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: Annotated[
        Literal["text", "instant", "url"], Field(description="text; an instant in ISO 8601; or an https address")
    ]
    sample: Annotated[
        str | int, Field(description="What checks and previews say; for an instant, how many days ahead it is")
    ]
    needed: Annotated[Literal["yes", "no"], Field(description="no: the wording asks whether it is there")] = "yes"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse a sample of another type, and a moment that may be missing: nothing sensible could be said of it."""
        if self.type == "instant" and not (isinstance(self.sample, int) and 0 <= self.sample <= DAYS_AHEAD_MAX):
            most = {"most": DAYS_AHEAD_MAX}
            raise PydanticCustomError("sample", "the sample of an instant is a number of days, 0 to {most}", most)
        if self.type != "instant" and not isinstance(self.sample, str):
            raise PydanticCustomError("sample", "the sample is not a text")
        if self.type == "instant" and self.needed == "no":
            raise PydanticCustomError("needed", "an instant is always needed")
        return self


def derived(name: str, value: Value) -> tuple[str, ...]:
    """Name what a wording may say of one value."""
    if value.type == "instant":
        stem = name.removesuffix("_at")
        return tuple(f"{stem}_{part}" for part in ("day", "time", "utc", "in_days", "in_days_form"))
    return (name, f"{name}_short") if value.type == "text" else (name,)


def known_language(language: str) -> str:
    """Refuse a language that has no rules for dates and plurals."""
    try:
        Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        context = {"language": shown(language)}
        raise PydanticCustomError("language", "{language} is not a language, as en or de-AT", context) from None
    return language


class Manifest(BaseModel):
    """What a message's folder says about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, title="Message")

    owner: Annotated[
        str, Field(pattern=r"^[a-z0-9-]{1,40}$", description="The team that is told when it cannot be sent")
    ]
    languages: Annotated[
        tuple[Annotated[str, AfterValidator(known_language)], ...],
        Field(min_length=1, max_length=LANGUAGES_MAX, description="One file each; the first is for everybody else"),
    ]
    values: Annotated[
        Mapping[Annotated[str, Field(pattern=NAME)], Value],
        Field(max_length=VALUES_MAX, description="What the message needs to be told, by name"),
    ]

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        """Refuse names that mean two things, and an instant whose name does not say that it is one."""
        taken: dict[str, str] = dict.fromkeys(ALWAYS, "what every message has")
        for name, value in self.values.items():
            if value.type == "instant" and not re.fullmatch(r".+_at", name):
                raise PydanticCustomError("name", "{name}: an instant's name ends in _at", {"name": name})
            for word in {name, *derived(name, value)}:
                if word in taken:
                    raise PydanticCustomError(
                        "name", "{name}: {word} is already {owner}", {"name": name, "word": word, "owner": taken[word]}
                    )
                taken[word] = f"said of {name}"
        return self

    @property
    def known(self) -> frozenset[str]:
        """Name everything that a wording may say."""
        return ALWAYS.union(*(derived(name, value) for name, value in self.values.items()))


def read(source: Source) -> Manifest:
    """Make the manifest of a file's values; raises PolicyError with every fault and its line."""
    return source.checked(Manifest, said)


SAID = {
    "missing": "missing key {key!r}",
    "string_type": "{key}: {value} is not a text",
    "tuple_type": "{key}: {value} is not a list, as [en, de]",
    "mapping_type": "{key}: {value} is not a set of named values",
    "string_pattern_mismatch": "{key}: {value} is not a short name in small letters",
    "too_short": "{key}: name at least one",
    "too_long": "{key}: too many",
    "literal_error": "{key}: {value} is none of {expected}",
}


def said(fault: ErrorDetails) -> str:
    """Say a fault of the model in plain words, with the nearest key."""
    place, kind = [str(part) for part in fault["loc"]], fault["type"]
    key = ".".join(part for part in place if part not in {"str", "int", "[key]"})
    if kind == "extra_forbidden":
        fields = Manifest.model_fields if len(place) == 1 else Value.model_fields
        return f"unknown key {shown(place[-1])}{did_you_mean(place[-1], fields)}"
    template = SAID.get(kind, "{key}: {message}" if key else "{message}")
    expected = fault.get("ctx", {}).get("expected", "")
    return template.format(key=key, value=shown(fault["input"]), message=fault["msg"], expected=expected)

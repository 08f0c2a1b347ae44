"""A policy file as people write it: YAML read without its dangerous parts, every value with its line.

Each service's policy has its own model; what they share is here: faults reported all at once, each as
`FILE:LINE: what is wrong`, with the nearest key to a misspelt one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from duly_chassis.plain import FileError

FILE_BYTES_MAX = 64 * 1024
DEPTH_MAX = 5
SHOWN_CHARACTERS_MAX = 40
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,8})")


class PolicyError(FileError):
    """A policy file that cannot be used."""


Fault = tuple[int, str]
Model = TypeVar("Model", bound=BaseModel)


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

    def checked(self, model: type[Model], said: Callable[[ErrorDetails], str]) -> Model:
        """Make the model of the values; raises PolicyError with every fault and its line, in the words of `said`."""
        try:
            return model.model_validate(self.values)
        except ValidationError as error:
            raise PolicyError(self.lines(list(self._faults(error, model.model_fields, said)))) from None

    def _faults(
        self, error: ValidationError, fields: Iterable[str], said: Callable[[ErrorDetails], str]
    ) -> Iterator[Fault]:
        """Translate what the model found; a key that is only misspelt is not reported as missing, too."""
        meant = set()
        for fault in error.errors():
            if fault["type"] == "extra_forbidden":
                meant.update(nearest(str(fault["loc"][0]), fields))
        for fault in error.errors():
            if fault["type"] != "missing" or fault["loc"][0] not in meant:
                yield self.line(fault["loc"]), said(fault)

    def line(self, place: tuple[int | str, ...]) -> int:
        """Return the line of a key, or of the nearest thing around it that has one."""
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

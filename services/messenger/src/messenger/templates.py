"""The wordings of all messages, read and tried once at start: shipped ones, and each tenant's own before them.

Shipped: templates/MESSAGE/VERSION/ of this package; a tenant's own: DIR/TENANT/MESSAGE/VERSION/. The highest version
wins. `python -m messenger.templates --check DIR` checks such a folder as the start would.
"""

import argparse
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path

from duly_chassis.policy_file import PolicyError, shown
from messenger.templating.files import LAYOUT, TemplateRefused, Wording, read
from messenger.words.moments import locale_of
from messenger.words.unsendable import UnknownTemplate

ENGLISH = "en"  # what is spoken where nothing nearer to the recipient is
SHIPPED = ""  # stands where a tenant's name would
CHOICES_MAX = 1_024  # tenants, messages and locales are few
TENANT, MESSAGE, VERSION = (
    re.compile(r"[a-z0-9-]{1,40}"),
    re.compile(r"[a-z0-9-]{1,60}"),
    re.compile(r"[1-9][0-9]{0,8}"),
)

Wordings = Mapping[tuple[str, str], Sequence[Wording]]
"""By tenant and message, each in its languages; the first is for everybody whose own is not there."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The wording for somebody, the locale its dates are said in, and the language that was missing, if one was."""

    wording: Wording
    locale: str
    missing: str


class Catalogue:
    """All wordings of a process; chooses the one for a recipient."""

    def __init__(
        self, wordings: Wordings, default_locale: str = ENGLISH, tenant_locales: Mapping[str, str] | None = None
    ) -> None:
        self.wordings = wordings
        self._default = default_locale
        self._of_tenants = tenant_locales or {}
        self.choose = lru_cache(CHOICES_MAX)(self._choose)

    def of(self, tenant: str, message: str) -> Sequence[Wording]:
        """Return a message in all its languages, the tenant's own before the shipped; raises UnknownTemplate."""
        found = self.wordings.get((tenant, message)) or self.wordings.get((SHIPPED, message))
        if not found:
            raise UnknownTemplate
        return found

    def _choose(self, tenant: str, message: str, locale: str | None) -> Choice:
        """Choose by the person's locale, the tenant's, the site's, English, and else what is there."""
        there = self.of(tenant, message)
        by_language = {wording.language.casefold(): wording for wording in there}
        nearer = [one for one in (self._of_tenants.get(tenant), self._default) if one]
        wanted = [locale, *nearer] if locale else nearer
        for one in [*wanted, ENGLISH]:
            for name in _from_the_whole_to_its_language(one):
                if name.casefold() in by_language:
                    wording = by_language[name.casefold()]
                    return Choice(wording, _said_in(wording.language, wanted), _missing(wording.language, wanted))
        return Choice(there[0], _said_in(there[0].language, wanted), _missing(there[0].language, wanted))


def _from_the_whole_to_its_language(locale: str) -> Iterator[str]:
    subtags = locale.replace("_", "-").split("-")[:8]
    while subtags:
        yield "-".join(subtags)
        subtags.pop()


def _said_in(language: str, wanted: Sequence[str]) -> str:
    """Choose the locale for dates: the nearest that speaks the words' own language, so that no sentence mixes two."""
    spoken = locale_of(language).language
    return next((one for one in wanted if locale_of(one).language == spoken), language)


def _missing(language: str, wanted: Sequence[str]) -> str:
    """Name the language that was wanted most, where another one is spoken."""
    first = locale_of(wanted[0]).language if wanted else ENGLISH
    return "" if first == locale_of(language).language else str(first)


def load(
    folder: Path | None = None, default_locale: str = ENGLISH, tenant_locales: Mapping[str, str] | None = None
) -> Catalogue:
    """Read, check and try every wording; raises TemplateRefused with the faults of all of them."""
    own = {} if folder is None else of_tenants(folder)
    return Catalogue({**shipped(), **own}, default_locale, tenant_locales)


@cache
def shipped() -> Wordings:
    """Read the package's own messages; a broken one stops the start, not a message months later."""
    root = Path(str(files("messenger") / "templates"))
    return {(SHIPPED, path.parent.name): _read(path, SHIPPED) for path in _highest(root, {LAYOUT})}


def of_tenants(folder: Path) -> Wordings:
    """Read what tenants have of their own; raises TemplateRefused with the faults of all of them."""
    wordings: dict[tuple[str, str], Sequence[Wording]] = {}
    faults: list[str] = []
    try:
        for tenant in _folders(folder, TENANT, "a tenant"):
            for path in _highest(tenant):
                try:
                    wordings[tenant.name, path.parent.name] = _read(path, tenant.name)
                except PolicyError as error:
                    faults += error.lines
    except PolicyError as error:
        faults += error.lines
    if faults:
        raise TemplateRefused(faults)
    return wordings


def _read(path: Path, tenant: str) -> Sequence[Wording]:
    return read(path, path.parent.name, int(path.name), tenant)


def _highest(folder: Path, beside: Collection[str] = ()) -> Iterator[Path]:
    """Find the highest version of each message."""
    for message in _folders(folder, MESSAGE, "a message", beside):
        versions = list(_folders(message, VERSION, "a version (1, 2, and so on)"))
        if not versions:
            raise TemplateRefused([f"{message}:1: no version here; make a folder 1"])
        yield max(versions, key=lambda path: int(path.name))


def _folders(folder: Path, called: re.Pattern[str], what: str, beside: Collection[str] = ()) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise TemplateRefused([f"{folder}:1: cannot be read ({error.strerror})"]) from None
    for path in found:
        if path.name in beside or path.name.startswith("."):
            continue
        if not path.is_dir() or not called.fullmatch(path.name):
            raise TemplateRefused([f"{path}:1: {shown(path.name)} is not the folder of {what}"])
        yield path


def main() -> int:
    """Check a folder of templates as the start would."""
    parser = argparse.ArgumentParser(prog="python -m messenger.templates", description="Check mail templates.")
    parser.add_argument(
        "--check", type=Path, metavar="DIR", required=True, help="check DIR/TENANT/MESSAGE/VERSION, and what is shipped"
    )
    arguments = parser.parse_args()
    try:
        wordings = {**shipped(), **of_tenants(arguments.check)}
    except PolicyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for (tenant, message), there in sorted(wordings.items()):
        languages = ", ".join(wording.language for wording in there)
        sys.stdout.write(f"{tenant or 'shipped'} {message} version {there[0].number}: {languages} in order\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

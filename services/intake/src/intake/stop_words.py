"""What a text to one of our senders wants: no more texts, texts again, help, or something else. Pure.

The words that always revoke are those of 47 CFR 64.1200(a)(10); plain wishes count as well, and doubt counts as STOP
(SECURITY 13). Whatever is no keyword is marked for a person to read.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from intake.wishes import ALONE, FILLERS, HELP, KEYWORDS, START, WISHES

CHARACTERS_MAX = 1_600  # the longest text there is; more is not a text of a person


class Wish(StrEnum):
    """What a text wants."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a text wants, and how sure that is: a `keyword`, a `wish` in other words, or `doubt`."""

    wish: Wish
    word_class: str = ""

    @property
    def to_review(self) -> bool:
        """Whether a person should read it."""
        return self.wish is Wish.STOP and self.word_class != "keyword"


def heard(text: str, latin: Callable[[str], str]) -> Heard:
    """Say what a text wants; `latin` gives the Latin letter that another looks like."""
    read = list(readings(text, latin))
    if any(squeezed(words) in KEYWORDS or squeezed(without_fillers(words)) in KEYWORDS for words in read):
        return Heard(Wish.STOP, "keyword")
    if any(squeezed(words) in START for words in read):
        return Heard(Wish.START, "keyword")
    if any(squeezed(words) in HELP for words in read):
        return Heard(Wish.HELP, "keyword")
    if any(wished(words) for words in read):
        return Heard(Wish.STOP, "wish")
    if any(doubtful(words) for words in read):
        return Heard(Wish.STOP, "doubt")
    return Heard(Wish.OTHER)


def readings(text: str, latin: Callable[[str], str]) -> Iterator[list[str]]:
    """Yield the words of a text in the ways it can be read: as typed, and as it looks; marks within or between words.

    Composed forms, case, marks above letters, signs and everything invisible are gone from all of them.
    """
    shown = "".join(c for c in text if unicodedata.category(c) != "Cf")[:CHARACTERS_MAX]
    plain = unicodedata.normalize("NFKC", shown)
    # Looked at before and after: the composed form of a letter may look like another than the letter itself.
    seen = "".join(latin(c) for c in unicodedata.normalize("NFKC", "".join(latin(c) for c in shown)))
    for one in dict.fromkeys((plain, seen, seen.replace("0", "o"))):
        bare = folded(one)
        yield letters(bare, "").split()
        yield letters(bare, " ").split()


def folded(text: str) -> str:
    """Take case and the marks above letters away: ARRÊT, arrêt and arret are one."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c)).casefold()


def letters(text: str, instead: str) -> str:
    """Keep letters, digits and spaces; everything else becomes `instead`."""
    return re.sub(r"[^\w\s]|_", instead, text)


def spelled(words: list[str]) -> list[str]:
    """Put letters that stand alone beside each other together: `s t o p` is one word."""
    return ["".join(run) for alone, run in groupby(words, key=lambda word: len(word) == 1) if alone]


def doubtful(words: list[str]) -> bool:
    """Tell whether a keyword stands or is spelled among other words; within a longer word it means nothing."""
    return not KEYWORDS.isdisjoint(words) or any(word in run for run in spelled(words) for word in KEYWORDS)


def squeezed(words: list[str]) -> str:
    """Write words as one: opt out, opt-out and optout are the same."""
    return "".join(words)


def without_fillers(words: list[str]) -> list[str]:
    """Leave out what politeness adds."""
    return [word for word in words if word not in FILLERS]


def wished(words: list[str]) -> bool:
    """Tell whether a wish stands in these words, at the borders of words; or is all there is."""
    if squeezed(without_fillers(words)) in ALONE:
        return True
    line = f" {' '.join(words)} "
    return any(f" {wish} " in line for wish in WISHES)

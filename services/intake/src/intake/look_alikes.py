"""Letters that look like Latin ones, by the Unicode consortium's table (UTS 39): a person sees STOP, whatever it is."""

from functools import lru_cache

from confusable_homoglyphs.confusables import is_confusable


@lru_cache(maxsize=4_096)
def latin(letter: str) -> str:
    """Return the ASCII letter that a letter looks like, or itself; a small one may look so as a capital only."""
    if letter.isascii():
        return letter
    return _twin(letter) or _twin(letter.upper()) or letter


def _twin(letter: str) -> str:
    if len(letter) != 1:
        return ""
    found = is_confusable(letter, preferred_aliases=[]) or []
    twins = [one["c"] for row in found for one in row["homoglyphs"] if one["c"].isascii() and one["c"].isalpha()]
    return min(twins, key=lambda one: (one.lower() in "il", one), default="")

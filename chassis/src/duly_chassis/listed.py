"""Settings that list words under names, as `acme=a, b; globex=c`."""

import re
from collections.abc import Mapping


def listed(text: str, name: re.Pattern[str], word: re.Pattern[str], example: str) -> Mapping[str, tuple[str, ...]]:
    """Read what each name has; raises ValueError with the example, never with a value."""
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        key, equals, rest = (one.strip() for one in part.partition("="))
        words = tuple(one.strip() for one in rest.split(",") if one.strip())
        good = equals and name.fullmatch(key) and words and all(word.fullmatch(one) for one in words)
        if not good or key in found or len(set(words)) != len(words):
            raise ValueError(f"not of the form {example}, each name once")
        found[key] = words
    return found

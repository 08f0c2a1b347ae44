"""Every requirement of this stage has a test that names it (REQUIREMENTS.md, SECURITY.md)."""

import re

import pytest

from tests.architecture.source import around

REQUIRED = [
    *("G-09", "G-24", "D-13", "X-02", "B-38"),
    *(f"B-{number:02}" for number in (*range(1, 6), 10, 15, 16, *range(18, 23))),
    *(f"S-{number:02}" for number in (*range(1, 6), 13, 14, 15, 34, *range(65, 71))),
    *(f"S-{number}" for number in (23, 24, 25, 27, *range(28, 34), 35, 36, 37, 40, 49, *range(54, 64))),
]
WRITTEN = re.compile(r"\b([BDGSX])-(\d\d)\b|(?<![a-z0-9])([bdgsx])(\d\d)(?![0-9])")


def named(text: str) -> set[str]:
    """Return the requirements that a text names, as G-09 or, in a function's name, g09."""
    found = WRITTEN.finditer(text)
    return {f"{(one[1] or one[3]).upper()}-{one[2] or one[4]}" for one in found}


@pytest.fixture(scope="module")
def proven() -> set[str]:
    """Read what the tests name; this ring only compares, so it proves nothing itself."""
    return {name for module in around() if ".architecture" not in module.name for name in named(module.text)}


@pytest.mark.parametrize("requirement", REQUIRED)
def test_requirement_is_named_by_a_test(requirement: str, proven: set[str]) -> None:
    assert requirement in proven, f"{requirement}: no test names it; put the id into the test that proves it"


def test_requirement_is_found_in_both_spellings() -> None:
    assert named("def test_s54_bytes(): G-09, not S-541 or bus54") == {"S-54", "G-09"}

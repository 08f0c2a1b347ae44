"""Each bad payload gets its reason: SECURITY, S-54 to S-63, as far as the parser is concerned."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duly_contracts.decode import Fact, Poison
from duly_contracts.event import PersonEvent
from tests.contracts.golden import (
    MOMENT,
    NAMES,
    OUTREACH,
    TRAINING,
    Path,
    decode,
    golden,
    paths,
    reason,
    replaced,
    with_field,
    written,
)

VALUE = written(golden(TRAINING).data)
MOMENTS = [
    (name, at)
    for name in NAMES
    for at, leaf in paths(golden(name).data)
    if isinstance(leaf, str) and MOMENT.match(leaf) and "values" not in at
]
IDS = [
    (name, at)
    for name in NAMES
    for at, _ in paths(golden(name).data)
    if at and str(at[-1]) in {"tenant_id", "person_id", "assignment_id", "training_id", "manager_id", "about"}
]
LEAVES = [(name, at) for name in NAMES for at, leaf in paths(golden(name).data) if not isinstance(leaf, dict | list)]


def also(text: str) -> bytes:
    """Return the example of an assignment with something more in it."""
    return VALUE[:-1] + b"," + text.encode("utf-8", "surrogatepass") + b"}"


@pytest.mark.parametrize("field", ["training_title", "unknown"])
@pytest.mark.parametrize(
    "text",
    [
        r"\ud800",
        r"\udc00",
        r"\ud800\ud800",
        r"\ud83d \ude00",
        r"\ud83d\u0041",
        r"\ud83d and \n",
        r"\uDFFF\uD800",
        "\ud800",
    ],
)
def test_s54_half_a_surrogate_pair_is_refused(field: str, text: str) -> None:
    data = {name: value for name, value in golden(TRAINING).data.items() if name != field}
    value = written(data)[:-1] + f',"{field}":"{text}"}}'.encode("utf-8", "surrogatepass")

    assert reason(decode(TRAINING, value)) == "encoding"


def test_s54_half_a_surrogate_pair_cannot_borrow_its_other_half_from_the_next_text() -> None:
    assert reason(decode(TRAINING, also(r'"x":"\ud83d","y":"\ude00"'))) == "encoding"


def test_s54_whole_surrogate_pair_is_a_character() -> None:
    outcome = with_field(TRAINING, "training_title", r'"\ud83d\ude00"')

    assert isinstance(outcome, Fact)
    assert outcome.data.training_title == "😀"  # type: ignore[attr-defined]


@pytest.mark.parametrize("junk", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
@pytest.mark.parametrize("field", [b"training_title", b"unknown"])
def test_s54_bytes_that_are_not_utf8_are_refused(field: bytes, junk: bytes) -> None:
    data = {name: value for name, value in golden(TRAINING).data.items() if name != field.decode()}

    assert reason(decode(TRAINING, written(data)[:-1] + b',"%s":"%s"}' % (field, junk))) == "encoding"


@pytest.mark.parametrize(
    "value",
    [
        also(r'"x":"a\u0000b"'),
        also(r'"x":"\\\u0000"'),
        also(r'"a\u0000b":1'),
        also('"x":"a\0b"'),
        VALUE + b"\0",
    ],
)
def test_s55_nul_is_refused_wherever_it_stands(value: bytes) -> None:
    assert reason(decode(TRAINING, value)) == "nul"


def test_s55_text_that_merely_spells_the_escape_is_fine() -> None:
    outcome = with_field(TRAINING, "training_title", r'"see \\u0000"')

    assert isinstance(outcome, Fact)
    assert outcome.data.training_title == r"see \u0000"  # type: ignore[attr-defined]


@pytest.mark.parametrize("field", ["sequence", "unknown"])
@pytest.mark.parametrize("number", [str(2**63), str(-(2**63) - 1), "1" * 23, "1" * 400, "-" + "1" * 5000])
def test_s56_integer_beyond_64_bits_is_refused(field: str, number: str) -> None:
    assert reason(with_field(TRAINING, field, number)) == "range"


def test_s56_greatest_integer_of_64_bits_is_fine() -> None:
    outcome = with_field(TRAINING, "sequence", str(2**63 - 1))

    assert isinstance(outcome, Fact)
    assert isinstance(outcome.data, PersonEvent)
    assert outcome.data.sequence == 2**63 - 1


@pytest.mark.parametrize(
    ("name", "field", "number"),
    [
        (TRAINING, "sequence", "-1"),
        ("duly.training.progressed.v1", "progress_percent", "100.5"),
        ("duly.training.progressed.v1", "progress_percent", "-0.1"),
        ("duly.training.completed.v1", "score", "1e300"),
        ("duly.people.recorded.v1", "version", "0"),
        ("duly.outreach.sent.v1", "attempts", "0"),
    ],
)
def test_s56_number_outside_the_bounds_of_its_field_is_refused(name: str, field: str, number: str) -> None:
    assert reason(with_field(name, field, number)) == "range"


@pytest.mark.parametrize("field", ["progress_percent", "unknown"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 400 + ".5"])
def test_s57_number_that_is_not_finite_is_refused(field: str, number: str) -> None:
    assert reason(with_field("duly.training.progressed.v1", field, number)) == "number"


@pytest.mark.parametrize("depth", [32, 33, 900, 20_000, 400_000])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_s58_value_nested_too_deep_is_refused(depth: int, left: str, right: str) -> None:
    inner = (left * depth + "1" + right * depth)[: 900_000 - len(VALUE)]

    assert reason(decode(TRAINING, also(f'"x":{inner}'))) == "depth"


def test_s58_value_nested_as_deep_as_allowed_is_fine() -> None:
    assert reason(decode(TRAINING, also('"x":' + "[" * 31 + "]" * 31))) == "Fact"


def test_s58_unclosed_brackets_are_refused() -> None:
    assert reason(decode(TRAINING, b"[" * 900_000)) == "depth"


@pytest.mark.parametrize("length", [1_000_001, 2_000_000])
def test_s58_value_over_a_megabyte_is_refused(length: int) -> None:
    value = also('"x":"' + "a" * (length - len(VALUE) - 7) + '"')

    assert len(value) == length
    assert reason(decode(TRAINING, value)) == "size"


def test_s58_value_of_a_megabyte_is_fine() -> None:
    assert reason(decode(TRAINING, also('"x":"' + "a" * (1_000_000 - len(VALUE) - 7) + '"'))) == "Fact"


@pytest.mark.parametrize("place", ["values", "unknown"])
def test_s58_object_of_ten_thousand_keys_is_refused(place: str) -> None:
    many = {f"k{number}": "v" for number in range(10_000)}

    assert reason(decode(OUTREACH, data=golden(OUTREACH).data | {place: many})) == "size"
    assert reason(decode(OUTREACH, data=golden(OUTREACH).data | many)) == "size"


def test_s58_list_longer_than_its_field_allows_is_refused() -> None:
    endings = golden(OUTREACH).data["ends_when"] * 11

    assert reason(decode(OUTREACH, data=golden(OUTREACH).data | {"ends_when": endings})) == "size"


@pytest.mark.parametrize(
    "text",
    [
        '"due_at":"2027-01-01T00:00:00Z"',
        r'"\u0074enant_id":"globex"',
        '"x":1,"x":1',
        '"x":[{"a":{"b":1,"b":1}}]',
        '"x" :1,"x":1',
        '"x"\t:1,"x":1',
        '"x"\n:1,"x":1',
        '"x"\r:1,"x":1',
        '"x"  :1,"x"  :1,"y":":"',
        '"":1,"":2',
    ],
)
def test_s59_key_that_stands_twice_is_refused(text: str) -> None:
    assert reason(decode(TRAINING, also(text))) == "duplicate-key"


def test_s59_key_that_stands_twice_in_a_nested_block_of_ours_is_refused() -> None:
    value = written(golden(OUTREACH).data).replace(b'"after":', b'"about":"a-2","after":', 1)

    assert reason(decode(OUTREACH, value)) == "duplicate-key"


KEYS = st.text(st.sampled_from('ab": \\'), max_size=3)
TREES = st.recursive(
    st.text(st.sampled_from('a": \\{'), max_size=4) | st.integers(-9, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(tree=TREES, space=st.sampled_from(["", " ", "\t", "\n", "\r"]))
def test_s59_doubled_keys_are_found_however_they_are_written(tree: object, space: str) -> None:
    """Objects are lists of pairs here, so the oracle sees what a parser would hide."""
    doubles = []

    def write(node: object) -> str:
        if not isinstance(node, list):
            return written(node).decode()
        if not node or not all(isinstance(item, tuple) for item in node):
            return "[" + ",".join(write(item) for item in node) + "]"
        names = [name for name, _ in node]
        doubles.append(len(set(names)) != len(names))
        return "{" + ",".join(f"{written(name).decode()}{space}:{write(item)}" for name, item in node) + "}"

    outcome = reason(decode(TRAINING, also(f'"x":{write(tree)}')))

    assert outcome == ("duplicate-key" if any(doubles) else "Fact")


@pytest.mark.parametrize(("name", "at"), MOMENTS)
@pytest.mark.parametrize(
    "moment",
    [
        "2026-03-02T08:15:00",
        "2026-03-02T08:15:00+01:00",
        "9999-12-31T23:59:59Z",
        "2400-01-01T00:00:00Z",
        "2200-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1900-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "2026-03-02",
        "soon",
        "",
        1_772_438_400,
    ],
)
def test_s62_moment_that_is_no_utc_moment_of_our_years_is_refused(name: str, at: Path, moment: object) -> None:
    outcome = decode(name, data=replaced(golden(name).data, at, moment))

    assert isinstance(outcome, Poison)
    assert outcome.reason == "time"
    assert f".{at[-1]}: " in outcome.detail


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z"])
def test_s62_first_and_last_moment_of_our_years_are_fine(moment: str) -> None:
    assert reason(decode(TRAINING, data=golden(TRAINING).data | {"due_at": moment})) == "Fact"


@pytest.mark.parametrize(("name", "at"), IDS)
@pytest.mark.parametrize(
    "bad", ["", "x" * 201, "x" * 10_240, "a/b", "a\n", "\n", "a\x7f", "a\u0085", "a\u202eb", "\u2066a", "\ufeffa"]
)
def test_s63_id_that_is_empty_too_long_or_not_printable_is_refused(name: str, at: Path, bad: str) -> None:
    outcome = decode(name, data=replaced(golden(name).data, at, bad))

    assert isinstance(outcome, Poison)
    assert outcome.reason == "id"
    assert outcome.detail.endswith(f".{at[-1]}: unfit text")


@pytest.mark.parametrize("good", ["x", "x" * 200, "😀" * 200, "a b", "Ångström-7", "urn:x:1?y=z#%20"])
def test_s63_id_of_up_to_200_printable_characters_is_fine(good: str) -> None:
    assert reason(decode(TRAINING, data=golden(TRAINING).data | {"assignment_id": good})) == "Fact"


def test_s63_same_id_with_other_content_has_another_digest() -> None:
    first, again = decode(TRAINING), decode(TRAINING)
    other = with_field(TRAINING, "training_title", '"Another"')
    assert isinstance(first, Fact)
    assert isinstance(again, Fact)
    assert isinstance(other, Fact)

    assert (other.id, other.source) == (first.id, first.source)
    assert first.digest == again.digest
    assert first.digest != other.digest
    assert -(2**63) <= first.digest < 2**63


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"{", b"null", b"[]", b"1", b'"text"', b"{}"),
        *(VALUE[:-1], VALUE + b"{}", b"\xef\xbb\xbf" + VALUE),
        *(also("x:1"), also("'x':1"), also('"x":01'), also('"x":1,'), also('"x":"\t"'), also('"x":"\\q"')),
    ],
)
def test_value_that_is_not_one_json_object_of_the_right_shape_is_refused(value: bytes) -> None:
    assert reason(decode(TRAINING, value)) == "shape"


def test_word_that_is_none_of_those_a_field_may_hold_is_refused() -> None:
    outcome = with_field("duly.outreach.failed.v1", "state", '"s3cret"')

    assert outcome == Poison("shape", "$.state: unknown word")


@pytest.mark.parametrize(("name", "at"), LEAVES)
def test_detail_of_a_refusal_never_holds_a_value(name: str, at: Path) -> None:
    for secret in ("s3cret" * 100, "s3cret\n", ["s3cret"], {"s3cret": 1}, "s3cret"):
        outcome = decode(name, data=replaced(golden(name).data, at, secret))

        assert "s3cret" not in (outcome.detail if isinstance(outcome, Poison) else "")

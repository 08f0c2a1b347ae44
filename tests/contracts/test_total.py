"""The parser is a total function (RELIABILITY 5.3): whatever comes, it answers and never raises."""

import json
from typing import get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st

from duly_contracts.catalogue import BY_TYPE
from duly_contracts.decode import Decoder, Fact, Held, Poison, Skip
from duly_contracts.refusals import PoisonReason
from tests.contracts.golden import NAMES, TRAINING, Outcome, golden, header_list, written

ALL = Decoder(BY_TYPE.values())
HEADER_NAMES = st.sampled_from([*golden(TRAINING).headers, "traceparent", "x"]) | st.text(max_size=8)
HEADER_VALUES = st.sampled_from([written(name).strip(b'"') for name in NAMES]) | st.binary(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FRAGMENTS = (b'"', b"\\", b"{", b"]", b"\0", b"\xff", b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"[" * 1500, b":")


def answered(outcome: Outcome) -> bool:
    """Tell an answer whose parts are what they should be from anything else."""
    match outcome:
        case Poison(reason=reason, detail=detail):
            return reason in get_args(PoisonReason) and 0 < len(detail) <= 200
        case Skip(type=name) | Held(type=name):
            return 0 < len(name) <= 200
        case Fact(id=name, source=source, traceparent=trace):
            return 0 < len(name) <= 200 and 0 < len(source) <= 200 and (trace is None or len(trace) == 55)
    return False


@settings(deadline=None)
@given(
    topic=st.sampled_from(["duly.training", "duly.people", ""]),
    key=st.none() | st.binary(max_size=20),
    headers=st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=12),
    value=st.none() | st.binary(max_size=200),
)
def test_decode_answers_whatever_the_record(
    topic: str, key: bytes | None, headers: list[tuple[str, bytes]], value: bytes | None
) -> None:
    assert answered(ALL.decode(topic, key, headers, value))


@settings(deadline=None)
@given(name=st.sampled_from(NAMES), value=st.binary(max_size=200))
@example(name=TRAINING, value=b"")
def test_decode_answers_whatever_the_value_behind_good_headers(name: str, value: bytes) -> None:
    event = golden(name)

    assert answered(ALL.decode(BY_TYPE[name].topic, event.key.encode(), header_list(event), value))


@settings(deadline=None)
@given(name=st.sampled_from(NAMES), field=st.integers(0, 99), value=JSON)
def test_decode_answers_whatever_json_a_field_holds(name: str, field: int, value: object) -> None:
    event = golden(name)
    chosen = [*event.data, "unknown"][field % (len(event.data) + 1)]
    data = written(event.data | {chosen: None})[:-1]
    text = data.replace(f'"{chosen}":null'.encode(), f'"{chosen}":'.encode() + ascii_json(value)) + b"}"

    assert answered(ALL.decode(BY_TYPE[name].topic, event.key.encode(), header_list(event), text))


@settings(deadline=None)
@given(
    name=st.sampled_from(NAMES),
    cuts=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 9), st.sampled_from(FRAGMENTS)), max_size=4),
)
def test_decode_answers_whatever_damage_a_good_record_took(name: str, cuts: list[tuple[int, int, bytes]]) -> None:
    event = golden(name)
    value = written(event.data)
    for at, length, fragment in cuts:
        start = at % (len(value) + 1)
        value = value[:start] + fragment + value[start + length :]

    assert answered(ALL.decode(BY_TYPE[name].topic, event.key.encode(), header_list(event), value))


def test_decode_answers_when_there_are_very_many_headers() -> None:
    headers = [(f"x-{number}", b"1") for number in range(60_000)] * 2

    assert ALL.decode("duly.training", None, headers, b"") == Poison("envelope", "ce_type: missing or too long")


def ascii_json(value: object) -> bytes:
    """Write JSON with escapes, so that half surrogates and the like can be written at all."""
    return json.dumps(value).encode()

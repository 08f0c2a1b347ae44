"""Both directions for every event: new code reads what was released, old code survives what is to come."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from duly_contracts.catalogue import BY_TYPE
from duly_contracts.decode import Decoder, Fact, Poison
from duly_contracts.envelope import ENCODER, seal
from duly_contracts.schema import HOME
from tests.contracts.golden import (
    NAMES,
    Path,
    decode,
    golden,
    header_list,
    paths,
    reason,
    replaced,
    validator,
    without,
)


def definitions(name: str) -> dict[str, Any]:
    frozen = json.loads((HOME / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = frozen["$defs"]
    return found


def required(name: str) -> list[Path]:
    """List the required places that an example has, nested ones too, by its frozen schema."""
    by_fields = {frozenset(part["properties"]): part.get("required", []) for part in definitions(name).values()}
    return [
        (*at, field)
        for at, node in paths(golden(name).data)
        if isinstance(node, dict)
        for field in by_fields.get(frozenset(node), [])
    ]


def key_of(name: str, data: dict[str, Any]) -> bytes:
    """Give the key of this data, or for data that is no event the example's own."""
    try:
        return msgspec.convert(data, BY_TYPE[name]).key.encode()
    except msgspec.ValidationError:
        return golden(name).key.encode()


REQUIRED = [(name, at) for name in NAMES for at in required(name)]
OBJECTS = [(name, at) for name in NAMES for at, node in paths(golden(name).data) if isinstance(node, dict)]
FIELDS = [(name, field) for name in NAMES for field in golden(name).data]
ODD: tuple[Any, ...] = (None, True, -1, 2.5, 2**63, 1e300, "", "x", "x/y", "a" * 501, "2026-01-01T00:00:00", [], {})


@pytest.mark.parametrize("name", NAMES)
def test_new_code_reads_the_golden_example_whole(name: str) -> None:
    example = golden(name)
    outcome = decode(name)

    assert isinstance(outcome, Fact)
    assert json.loads(ENCODER.encode(outcome.data)) == example.data
    assert (outcome.id, outcome.source) == (example.headers["ce_id"], example.headers["ce_source"])
    assert outcome.traceparent == example.headers["traceparent"]


@pytest.mark.parametrize("name", NAMES)
def test_new_code_reads_an_old_record_of_required_fields_alone(name: str) -> None:
    fields = definitions(name)[BY_TYPE[name].__name__]["required"]
    data = {field: golden(name).data[field] for field in fields}

    assert isinstance(decode(name, data=data), Fact)


@pytest.mark.parametrize(("name", "at"), OBJECTS)
def test_old_code_reads_a_record_with_fields_yet_to_be_invented(name: str, at: Path) -> None:
    if at[-1:] == ("values",):
        invented: object = {"a_new_word": "text"}  # values hold texts under any name
    else:
        invented = {"a_new_field": {"nested": [1, 2.5, None, True, {"deeper": "text"}]}}
    known = dict(paths(golden(name).data))[at]
    data = replaced(golden(name).data, at, known | invented) if at else known | invented

    assert isinstance(decode(name, data=data), Fact)


def test_old_code_reads_the_same_fact_with_and_without_a_new_field() -> None:
    name = "duly.training.completed.v1"
    outcome = decode(name, data=golden(name).data | {"a_new_field": 1})
    known = decode(name)

    assert isinstance(outcome, Fact)
    assert isinstance(known, Fact)
    assert outcome.data == known.data


@pytest.mark.parametrize(("name", "at"), REQUIRED)
def test_record_without_a_required_field_is_refused(name: str, at: Path) -> None:
    outcome = decode(name, data=without(golden(name).data, at))

    assert isinstance(outcome, Poison)
    assert outcome.reason == "shape"
    assert outcome.detail.endswith(f".{at[-1]}: missing")


@pytest.mark.parametrize("name", NAMES)
def test_sealed_event_comes_back_as_the_same_fact(name: str) -> None:
    first = decode(name)
    assert isinstance(first, Fact)
    record = seal(first.data, first.id, first.source, first.traceparent)
    again = Decoder([BY_TYPE[name]]).decode(record.topic, record.key, record.headers, record.value)

    assert again == decode(name, record.value)
    assert isinstance(again, Fact)
    assert again.data == first.data


@pytest.mark.parametrize("name", NAMES)
def test_seal_writes_the_headers_of_the_golden_example(name: str) -> None:
    first = decode(name)
    assert isinstance(first, Fact)
    record = seal(first.data, first.id, first.source, first.traceparent)

    assert sorted(record.headers) == sorted(header_list(golden(name)))
    assert record.key.decode() == golden(name).key


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_schema_and_code_accept_the_same_values(name: str, field: str) -> None:
    """Who keeps to the published schema never lands in the dead letters, and the schema hides no licence."""
    judge: Draft202012Validator = validator(name)
    for odd in ODD:
        data = golden(name).data | {field: odd}
        changes = {"ce_tenantid": str(data["tenant_id"]).encode()}
        outcome = decode(name, data=data, changes=changes, key=key_of(name, data))
        if judge.is_valid(data):
            assert reason(outcome) == "Fact", (odd, outcome)
        else:
            assert isinstance(outcome, Poison), odd

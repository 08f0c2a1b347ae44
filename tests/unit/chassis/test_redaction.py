"""What is shown of a dead letter: nobody's words, whatever field or header they stand in (I9)."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly_chassis.dead_letters import KILLS
from duly_chassis.redaction import seen
from tests.support.records import Tape, assigned, person

CANARIES = ("ada.canary@example.org", "+4915112345678", "Ada Canary", "sk_live_canary4711", "4915112345678", "Canary")


def shown(value: bytes | None, reason: str = "shape", headers: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """Return what is shown of a record with this value and these headers."""
    return seen(Tape().record(assigned("a1"), "e1", value=value, headers=dict(headers or {})), reason)


def test_known_fact_shows_ids_moments_and_shape_and_no_value_of_anybody() -> None:
    record = Tape().record(person(7), "e-1")
    said = seen(record, "handler")

    assert said["headers"]["ce_id"] == "e-1"
    assert said["headers"]["ce_type"] == "duly.people.recorded.v1"
    assert "ce_subject" not in said["headers"]
    assert said["other_headers"] == 2
    assert (said["key_bytes"], said["value_bytes"]) == (len(record.key or b""), len(record.value or b""))
    shape = said["shape"]
    assert (shape["tenant_id"], shape["person_id"], shape["version"]) == ("acme", "p1", 7)
    assert shape["occurred_at"] == "2026-01-01T00:00:00Z"
    assert shape["status"] == "6 bytes"
    assert set(shape["personal"].values()) <= {"3 bytes", "15 bytes", None}


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize(
    "field",
    ["training_title", "tenant_id", "person_id", "due_at", "version", "score", "canary_id", "personal", "values"],
)
def test_canary_is_not_shown_in_any_field(field: str, canary: str) -> None:
    """I9; SECURITY 11. A bare word in a field of ids is an id, as far as anybody can tell."""
    if field.endswith("_id") and field != "canary_id" and canary in {"Canary", "sk_live_canary4711"}:
        canary += " "
    for node in (canary, [canary], {canary: canary}, [{"personal": {"person_id": "p-canary", "name": canary}}]):
        said = json.dumps(shown(json.dumps({field: node, canary: 1}).encode()))
        assert "canary" not in said.lower().replace('"canary_id"', "")
        assert canary not in said


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("name", ["ce_type", "ce_time", "ce_specversion", "content-type", "traceparent", "x-canary"])
def test_canary_is_not_shown_in_any_header(name: str, canary: str) -> None:
    """I9: a header is text of the sender's until it has the form of its name."""
    for text in (canary, f"{canary}.v1", f"duly.training.{canary}.v1", f"application/json; {canary}"):
        assert canary not in json.dumps(shown(b"{}", headers={name: text.encode()}))


@pytest.mark.parametrize("canary", CANARIES[:3])
@pytest.mark.parametrize("name", ["ce_id", "ce_source"])
def test_address_number_and_name_are_not_shown_as_id_or_source(name: str, canary: str) -> None:
    assert canary not in json.dumps(shown(b"{}", headers={name: canary.encode()}))


def test_what_cannot_be_read_is_shown_by_length_and_reason_only() -> None:
    assert shown(b"ada.canary@example.org")["shape"] == "unreadable: shape"
    assert shown(b"\xff\xfe")["shape"] == "unreadable: encoding"
    assert shown(None)["shape"] == "unreadable: shape"
    assert shown(b"[" * 20_000)["shape"] == "unreadable: depth"
    assert shown(b"x" * 2_000_000)["value_bytes"] == 2_000_000


def test_what_killed_the_process_is_not_looked_at() -> None:
    """RELIABILITY 5.10: to show it would be to decode it."""
    assert shown(b'{"tenant_id": "acme"}', KILLS)["shape"] == "not looked at: the process died over it"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=60),
    max_leaves=80,
)


@given(JSON)
def test_every_json_is_shown_in_few_words(value: object) -> None:
    said = json.dumps(shown(json.dumps(value).encode())["shape"])

    assert len(said) < 250_000
    assert said.isascii()

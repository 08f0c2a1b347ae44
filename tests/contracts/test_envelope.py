"""What headers, key and topic decide: whom a record is for, and whether it may be believed (S-60, S-61)."""

import pytest

from duly_contracts.catalogue import BY_TYPE
from duly_contracts.decode import Decoder, Fact, Held, Poison, Skip
from duly_contracts.training import TrainingCompletedV1
from tests.contracts.golden import NAMES, PERSON, TRAINING, decode, golden, header_list, reason, written

UNREADABLE = [None, b"", b"\xff", b"x" * 201, "é".encode() * 201, b"a\nb", b"a\0b", "a\u202eb".encode()]
NAMED = ["ce_id", "ce_type", "ce_source", "ce_tenantid"]


def test_s60_unknown_version_of_a_wanted_type_is_held_for_replay() -> None:
    outcome = decode(TRAINING, b"{broken", changes={"ce_type": b"duly.training.assigned.v9"})

    assert outcome == Held("duly.training.assigned.v9")


@pytest.mark.parametrize(
    "name",
    [
        "duly.training.completed.v1",
        "duly.training.completed.v9",
        "duly.training.forgotten.v1",
        "duly.training.assigned",
        "duly.training.assigned.v01",
        "duly.training.assigned.v0",
        "duly.training.assigned.vx",
        "com.github.push",
        ".v2",
    ],
)
def test_s60_type_that_is_not_wanted_is_skipped_without_a_look_at_its_value(name: str) -> None:
    assert decode(TRAINING, b"{broken", changes={"ce_type": name.encode()}) == Skip(name)


def test_s60_known_version_that_a_consumer_has_moved_on_from_is_skipped() -> None:
    class TrainingCompletedV2(TrainingCompletedV1, frozen=True, kw_only=True):
        type = "duly.training.completed.v2"

    old = "duly.training.completed.v1"
    outcome = Decoder([TrainingCompletedV2]).decode("duly.training", b"", header_list(golden(old)), b"")

    assert outcome == Skip(old)


def test_type_that_is_not_wanted_is_skipped_even_where_its_other_headers_are_broken() -> None:
    headers = [("ce_type", b"duly.training.progressed.v1"), ("ce_id", b"\xff"), ("ce_id", b"")]
    outcome = Decoder([BY_TYPE[TRAINING]]).decode("duly.training", None, headers, None)

    assert outcome == Skip("duly.training.progressed.v1")


@pytest.mark.parametrize("name", NAMES)
def test_s61_data_of_another_tenant_is_refused(name: str) -> None:
    data = golden(name).data | {"tenant_id": "globex"}

    assert reason(decode(name, data=data)) == "tenant"
    assert reason(decode(name, data=data, key=golden(name).key.replace("acme/", "globex/").encode())) == "tenant"
    assert reason(decode(name, data=data, changes={"ce_tenantid": b"globex"})) == "tenant"


def test_s61_header_of_another_tenant_is_refused() -> None:
    assert reason(decode(TRAINING, changes={"ce_tenantid": b"globex"})) == "tenant"


@pytest.mark.parametrize(
    "key", [None, b"", b"acme", b"globex/e-20417", b"acme/e-2", b"acme/e-20417 ", b"ACME/e-20417", b"\xff"]
)
def test_s61_key_of_another_tenant_or_person_is_refused(key: bytes | None) -> None:
    assert reason(decode(TRAINING, key=key)) == "tenant"


@pytest.mark.parametrize("value", UNREADABLE)
@pytest.mark.parametrize("name", NAMED)
def test_header_that_is_missing_or_unreadable_is_refused(name: str, value: bytes | None) -> None:
    outcome = decode(TRAINING, changes={name: value})

    assert isinstance(outcome, Poison)
    assert outcome.reason == "envelope"
    assert outcome.detail.startswith(f"{name}: ")


@pytest.mark.parametrize("name", NAMED)
def test_header_without_a_value_is_refused(name: str) -> None:
    """Kafka has headers whose value is null, whatever the client's types say."""
    headers = [(known, value if known != name else None) for known, value in header_list(golden(TRAINING))]
    value = written(golden(TRAINING).data)
    outcome = Decoder([BY_TYPE[TRAINING]]).decode("duly.training", b"", headers, value)  # type: ignore[arg-type]

    assert reason(outcome) == "envelope"


@pytest.mark.parametrize("name", [*NAMED, "ce_specversion", "ce_time", "ce_subject", "content-type"])
def test_header_that_stands_twice_is_refused(name: str) -> None:
    same = golden(TRAINING).headers[name].encode()

    assert decode(TRAINING, twice=(name, same)) == Poison("envelope", f"{name}: doubled")


def test_type_that_is_named_twice_is_refused_whichever_of_the_two_is_wanted() -> None:
    other = b"duly.training.completed.v1"

    assert decode(TRAINING, twice=("ce_type", other)) == Poison("envelope", "ce_type: doubled")
    assert decode(TRAINING, changes={"ce_type": other}, twice=("ce_type", TRAINING.encode())) == Poison(
        "envelope", "ce_type: doubled"
    )


def test_doubled_header_of_a_name_that_the_sender_made_up_is_not_quoted() -> None:
    outcome = decode(TRAINING, changes={"ce_s3cret": b"1"}, twice=("ce_s3cret", b"2"))

    assert outcome == Poison("envelope", "ce_ header: doubled")


def test_headers_of_others_may_repeat() -> None:
    assert reason(decode(TRAINING, changes={"x-proxy": b"1"}, twice=("x-proxy", b"2"))) == "Fact"


def test_record_without_headers_is_refused() -> None:
    assert reason(Decoder([BY_TYPE[TRAINING]]).decode("duly.training", b"k", [], b"{}")) == "envelope"


@pytest.mark.parametrize(
    "value", [None, b"", b"text/plain", b"application/cloudevents+json", b"application/jsonx", b"\xff"]
)
def test_content_type_other_than_json_is_refused(value: bytes | None) -> None:
    assert reason(decode(TRAINING, changes={"content-type": value})) == "envelope"


@pytest.mark.parametrize("value", [b"application/json; charset=utf-8", b"Application/JSON"])
def test_content_type_of_json_may_be_written_otherwise(value: bytes) -> None:
    assert reason(decode(TRAINING, changes={"content-type": value})) == "Fact"


def test_other_version_of_cloudevents_is_refused() -> None:
    assert reason(decode(TRAINING, changes={"ce_specversion": b"2.0"})) == "envelope"


@pytest.mark.parametrize("topic", ["duly.people", "duly.decisions", "somewhere"])
def test_wanted_type_on_a_topic_that_is_not_its_own_is_refused(topic: str) -> None:
    assert reason(decode(TRAINING, topic=topic)) == "envelope"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"junk",
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
    ],
)
def test_traceparent_that_is_damaged_is_dropped_and_the_fact_kept(value: bytes) -> None:
    outcome = decode(TRAINING, changes={"traceparent": value})

    assert isinstance(outcome, Fact)
    assert outcome.traceparent is None


def test_tombstone_on_a_compacted_topic_is_skipped_with_headers_or_without() -> None:
    people = Decoder([BY_TYPE[PERSON]])

    assert people.decode("duly.people", b"acme/e-1", [], None) == Skip("tombstone")
    assert people.decode("duly.people", b"acme/e-1", header_list(golden(PERSON)), None) == Skip("tombstone")


def test_record_without_a_value_on_another_topic_is_refused() -> None:
    training = Decoder([BY_TYPE[TRAINING]])

    assert training.decode("duly.training", b"acme/e-1", header_list(golden(TRAINING)), None) == Poison(
        "shape", "no value"
    )

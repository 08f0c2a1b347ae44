"""The AsyncAPI document shows what really goes over Kafka, and its page asks nobody else for anything."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

import jsonschema
import pytest
from faststream.specification.asyncapi.v3_0_0.schema.schema import ApplicationSchema

from duly_chassis import asyncapi, asyncapi_page, entries
from duly_chassis.clock import SystemClock
from duly_chassis.service import Listen, Service
from duly_chassis.work import Work
from duly_cli import describing
from duly_contracts import topics
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import TrainingAssignedV1
from tests.architecture.source import ROOT

each_service = pytest.mark.parametrize("name", entries.names())


@cache
def document(name: str) -> dict[str, Any]:
    """Return what `duly asyncapi` prints for a service."""
    found: dict[str, Any] = json.loads(describing.written(entries.named(name)))
    return found


def references(node: object) -> Iterator[str]:
    """Yield every $ref."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def found(node: Any, reference: str) -> Any:
    """Follow a reference within a document; raises KeyError."""
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


@each_service
def test_every_reference_leads_somewhere(name: str) -> None:
    assert all(found(document(name), reference) for reference in references(document(name)))


@each_service
def test_document_is_one_that_faststream_reads(name: str) -> None:
    assert ApplicationSchema.model_validate(document(name)).asyncapi == "3.0.0"


@each_service
def test_payload_is_the_real_one(name: str) -> None:
    """The golden example of each event fits the payload shown, and with a field spoiled it does not."""
    whole = document(name)
    for event_type, message in whole["components"]["messages"].items():
        example = json.loads((ROOT / "contracts" / "examples" / f"{event_type}.json").read_text(encoding="utf-8"))
        schema = {**message["payload"], "components": whole["components"]}
        jsonschema.validate(example["data"], schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**example["data"], "tenant_id": 7}, schema)
        assert set(example["headers"]) <= set(asyncapi.HEADERS)


@each_service
def test_document_names_exactly_what_the_service_hears_and_tells(name: str) -> None:
    service = entries.named(name)
    wired = service.build(service.settings.sample(), SystemClock())
    heard = {event.type for listen in wired.listens for event in listen.types}
    told = {event.type for event in wired.emits}

    def shown(action: str) -> set[str]:
        operations = (one for one in document(name)["operations"].values() if one["action"] == action)
        return {reference["$ref"].rpartition("/")[2] for one in operations for reference in one["messages"]}

    assert (shown("receive"), shown("send")) == (heard, told)


class Spoken(TrainingAssignedV1, frozen=True, kw_only=True):
    """A <script>alert(1)</script> of an event, with `code`."""

    type: ClassVar[str] = "duly.training.spoken.v1"


def service_that_hears(*types: type[Any]) -> dict[str, Any]:
    """Return the document of a service made for this test."""

    async def nothing(_facts: object, _now: object, _tx: object) -> None: ...

    listens = tuple(
        Listen(topics.PEOPLE if one is PersonRecordedV1 else topics.TRAINING, (one,), nothing) for one in types
    )
    return asyncapi.document(Service("toy", Work, listens, emits=()), "1")


def test_page_is_one_file_without_scripts_or_other_hosts() -> None:
    """SECURITY 15: docs pages load nothing from anywhere."""
    page = asyncapi_page.html(service_that_hears(Spoken, PersonRecordedV1))

    assert re.findall(r"<script|<link|<img|https?:|@import|url\(", page) == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt; of an event, with <code>code</code>." in page


def test_page_shows_fields_within_fields_and_which_may_be_left_out() -> None:
    page = asyncapi_page.markdown(service_that_hears(PersonRecordedV1), "toy")

    assert "| `personal.mail` (optional) | string | at most 254 characters |" in page
    assert "| `version` | integer | at least 1 |" in page


def test_service_without_routes_has_a_document_all_the_same() -> None:
    assert service_that_hears()["operations"] == {}

"""The AsyncAPI document as a page for people: as HTML without scripts or outside hosts, and as Markdown for docs/."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from duly_chassis.asyncapi import ENVELOPE

WORDS = {"receive": "Listens to", "send": "Tells"}
LIMITS = {
    "minLength": "not empty",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxItems": "at most {} items",
    "enum": "one of {}",
    "default": "default {}",
}
LARGEST = 2**63 - 1  # what PostgreSQL holds: a limit that tells a reader nothing
CODE = re.compile(r"`([^`]+)`")


def html(document: Mapping[str, Any]) -> str:
    """Return the page that a service serves."""
    return _template("asyncapi.html").render(_view(document))


def markdown(document: Mapping[str, Any], name: str) -> str:
    """Return the page that stands in docs/, beside `<name>.json`."""
    return _template("asyncapi.md").render(_view(document), name=name) + "\n"


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("duly_chassis", "pages"),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    return environment.get_template(name)


def _prose(text: str) -> Markup:
    """Show what stands between backticks in our docstrings as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped in the same line


def _view(document: Mapping[str, Any]) -> dict[str, Any]:
    headers = document["components"]["messageTraits"][ENVELOPE]["headers"]
    return {
        "info": document["info"],
        "operations": [_operation(document, one) for one in document["operations"].values()],
        "headers": [
            {"name": name, "meaning": found["description"], "required": name in headers["required"]}
            for name, found in headers["properties"].items()
        ],
    }


def _operation(document: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any]:
    channel = document["channels"][_last(operation["channel"])]
    return {
        "word": WORDS[operation["action"]],
        "topic": channel["address"],
        "partitions": channel["bindings"]["kafka"]["partitions"],
        "kept": channel["description"],
        "messages": [_message(document, _last(one)) for one in operation["messages"]],
    }


def _message(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    message = document["components"]["messages"][name]
    schemas = document["components"]["schemas"]
    return {
        "name": name,
        "summary": message["summary"],
        "description": message.get("description", ""),
        "fields": list(_fields(schemas, schemas[_last(message["payload"])], "")),
    }


def _fields(schemas: Mapping[str, Any], schema: Mapping[str, Any], inside: str) -> Iterator[dict[str, Any]]:
    """Yield an object's fields, those of objects within it by their whole name."""
    for name, field in schema["properties"].items():
        kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
        yield {
            "name": inside + name,
            "type": " or ".join(map(_kind, kinds)),
            "limits": ", ".join(filter(None, (*map(_limits, kinds), _limits(field) if "anyOf" in field else ""))),
            "required": name in schema.get("required", ()),
        }
        for kind in kinds:
            deeper = kind.get("items", kind)
            if "$ref" in deeper:
                yield from _fields(schemas, schemas[_last(deeper)], f"{inside}{name}.")


def _kind(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return "object"
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    return str(field.get("format") or field.get("type") or "word")


def _limits(field: Mapping[str, Any]) -> str:
    told = (LIMITS[name].format(_word(field[name])) for name in LIMITS if name in field and _telling(name, field[name]))
    return ", ".join(told)


def _telling(name: str, value: object) -> bool:
    """Leave out what says nothing: the empty default and the largest number."""
    if name == "default":
        return isinstance(value, bool | int | float) or bool(value and isinstance(value, str))
    return value != LARGEST


def _word(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _last(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]

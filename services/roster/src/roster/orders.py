"""What a file is sent with, read on a thread together with the file: `POST /v1/roster/import`."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from duly_chassis.web import Refusal, needed
from roster import sheet
from roster.csv_file import DELIMITERS, ENCODINGS, Dialect, FileRefused
from roster.record import Sheet

TENANT = re.compile(r"[a-z0-9-]{1,40}")
NAME_CHARACTERS_MAX = 200
FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}


@dataclass(frozen=True, slots=True)
class Order:
    """A file and what to do with it."""

    tenant_id: str
    dry_run: bool
    complete: bool
    by: str
    file_name: str
    digest: str
    read: Sheet | FileRefused


def read(query: Mapping[str, str], content: bytes, dialect: Dialect) -> Order:
    """Read the parameters and the whole file; raises Refusal 400 for a parameter, keeps a file's refusal."""
    tenant_id = needed(query, "tenant")
    if not TENANT.fullmatch(tenant_id):
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_tenant")
    declared = replace(
        dialect,
        delimiter=_one_of(query, "delimiter", DELIMITERS) or dialect.delimiter,
        encoding=_one_of(query, "encoding", ENCODINGS) or dialect.encoding,
    )
    try:
        found: Sheet | FileRefused = sheet.read(content, declared)
    except FileRefused as refused:
        found = refused
    return Order(
        tenant_id,
        _flag(query, "dry_run"),
        _flag(query, "complete"),
        printable(query.get("by", ""), NAME_CHARACTERS_MAX),
        _base_name(query.get("name", "")),
        hashlib.sha256(content).hexdigest(),
        found,
    )


def _one_of(query: Mapping[str, str], name: str, words: Mapping[str, str]) -> str | None:
    word = query.get(name) or None
    if word is not None and word not in words:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"bad_{name}")
    return word


def _flag(query: Mapping[str, str], name: str) -> bool:
    word = query.get(name, "")
    if word not in FLAGS:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"bad_{name}")
    return FLAGS[word]


def _base_name(name: str) -> str:
    """Keep a file's last name alone (S-27): it is shown, never opened."""
    last = re.split(r"[/\\]", name)[-1]
    return printable(last, NAME_CHARACTERS_MAX)


def printable(text: str, characters_max: int) -> str:
    """Return words for a person to read: short, and without what a terminal would obey."""
    return "".join(c for c in text if c.isprintable())[:characters_max]

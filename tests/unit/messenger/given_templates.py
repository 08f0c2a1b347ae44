"""Folders of templates as a tenant's admin would make them: the shipped message, with something changed."""

import shutil
from pathlib import Path

import pytest

from messenger import templates
from messenger.templates import load
from messenger.templating.files import TemplateRefused

SHIPPED = Path(templates.__file__).parent / "templates" / "deadline-reminder" / "1"
EN_WORDS = SHIPPED / "en.yaml"
TENANT = "acme"


def a_version(folder: Path, number: int = 1, message: str = "deadline-reminder", tenant: str = TENANT) -> Path:
    """Copy the shipped message into a tenant's own folder and return where it lies."""
    path = folder / tenant / message / str(number)
    shutil.copytree(SHIPPED, path)
    return path


def exchange(path: Path, old: str, new: str) -> None:
    """Change some words in a file, which must be there."""
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def refused(folder: Path) -> list[str]:
    """Return why this folder is refused, its own path left out."""
    with pytest.raises(TemplateRefused) as error:
        load(folder)
    return [line.replace(f"{folder}/", "") for line in error.value.lines]

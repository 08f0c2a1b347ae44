"""The published files and the code are one contract, and a released file is frozen."""

import json
import shutil
from pathlib import Path

import pytest

from duly_contracts import schema
from duly_contracts.catalogue import BY_TYPE
from tests.contracts.golden import NAMES, TRAINING, golden, paths, validator


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("schemas", "examples"):
        shutil.copytree(schema.HOME / folder, tmp_path / folder)
    return tmp_path


def test_schema_files_match_the_code() -> None:
    assert schema.faults(schema.HOME) == []


@pytest.mark.parametrize("folder", ["schemas", "examples"])
def test_check_fails_when_a_file_is_missing(home: Path, folder: str) -> None:
    (home / folder / f"{TRAINING}.json").unlink()

    assert schema.main(["--check", "--home", str(home)]) == 1


@pytest.mark.parametrize("folder", ["schemas", "examples"])
def test_check_fails_when_a_file_has_no_event(home: Path, folder: str) -> None:
    (home / folder / "duly.training.forgotten.v1.json").write_text("{}")

    assert schema.main(["--check", "--home", str(home)]) == 1


def test_check_names_an_event_whose_shape_changed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "schemas" / f"{TRAINING}.json"
    path.write_text(path.read_text().replace('"maxLength": 500', '"maxLength": 400'))

    assert schema.main(["--check", "--home", str(home)]) == 1
    assert capsys.readouterr().out == f"{TRAINING}: {schema.CHANGED}\n"


def test_write_leaves_a_file_alone_whose_shape_differs(home: Path) -> None:
    path = home / "schemas" / f"{TRAINING}.json"
    frozen = path.read_text().replace('"maxLength": 500', '"maxLength": 400')
    path.write_text(frozen)

    assert schema.main(["--write", "--home", str(home)]) == 1
    assert path.read_text() == frozen


def test_write_mends_a_file_whose_wording_alone_differs(home: Path) -> None:
    path = home / "schemas" / f"{TRAINING}.json"
    path.write_text(path.read_text().replace("A person must", "A learner must"))

    assert schema.main(["--check", "--home", str(home)]) == 1
    assert schema.main(["--write", "--home", str(home)]) == 0
    assert path.read_text() == schema.written(BY_TYPE[TRAINING])


def test_write_adds_a_missing_file(home: Path) -> None:
    (home / "schemas" / f"{TRAINING}.json").unlink()

    assert schema.main(["--write", "--home", str(home)]) == 0


def test_shape_keeps_a_field_that_is_called_description() -> None:
    node = {"description": "words", "properties": {"description": {"type": "string"}}}

    assert schema.shape(node) == {"properties": {"description": {"type": "string"}}}


@pytest.mark.parametrize("name", NAMES)
def test_golden_example_keeps_to_its_frozen_schema(name: str) -> None:
    validator(name).validate(golden(name).data)


@pytest.mark.parametrize("name", NAMES)
def test_golden_example_fills_every_field(name: str) -> None:
    frozen = json.loads((schema.HOME / "schemas" / f"{name}.json").read_text())
    data = golden(name).data
    empty = [at for at, value in paths(data) if value in (None, "", [], {})]
    given = {at[-1] for at, _ in paths(data) if at}

    assert empty == []
    for definition in frozen["$defs"].values():
        assert definition["properties"].keys() <= given
    assert frozen["$defs"][BY_TYPE[name].__name__]["properties"].keys() == data.keys()

"""deploy/Dockerfile, followed without a container engine: what it says, and its build on this host."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from dockerfile_parse.parser import DockerfileParser

from tests.support.compose import ROOT

FILE = ROOT / "deploy" / "Dockerfile"
BUILD_WITHIN_S = 180


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction."""

    word: str
    value: str


@dataclass(frozen=True)
class Dockerfile:
    """The stages of the file, in order; what stands before the first FROM is stage 0."""

    text: str

    @cached_property
    def stages(self) -> list[list[Step]]:
        parser = DockerfileParser(fileobj=BytesIO(self.text.encode()))
        stages: list[list[Step]] = [[]]
        for one in parser.structure:
            if one["instruction"] == "FROM":
                stages.append([])
            if one["instruction"] != "COMMENT":
                stages[-1].append(Step(one["instruction"], one["value"]))
        return stages

    def values(self, word: str, stage: int = -1) -> list[str]:
        """Return what an instruction says in a stage; the last stage is the image."""
        return [step.value for step in self.stages[stage] if step.word == word]

    def environment(self, stage: int = -1) -> dict[str, str]:
        """Return the variables that a stage sets."""
        words = " ".join(self.values("ENV", stage)).split()
        return dict(word.split("=", 1) for word in words)

    def copied(self, stage: int) -> Iterator[tuple[str, str]]:
        """Yield what a stage copies from the checkout, and where to."""
        for value in self.values("COPY", stage):
            if not value.startswith("--from="):
                *sources, target = value.split()
                yield from ((source, target) for source in sources)

    @property
    def health(self) -> list[str]:
        (value,) = self.values("HEALTHCHECK")
        return list(json.loads(value.partition(" CMD ")[2]))


def dockerfile() -> Dockerfile:
    """Read the file."""
    return Dockerfile(FILE.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Built:
    """What would be the image's /app, in a folder of this host."""

    app: Path

    @property
    def bin(self) -> Path:
        return self.app / ".venv" / "bin"


def build(package: str, place: Path) -> Built:
    """Follow the file for one package: copy what it copies, run its `uv sync`, and nothing of the checkout is left."""
    file = dockerfile()
    source, app = place / "build", place / "app"
    for name, target in file.copied(1):
        _copy(ROOT / name, source / target)
    (sync,) = (value for value in file.values("RUN", 1) if value.startswith("uv sync"))
    given = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "VIRTUAL_ENV", "DULY_"))}
    wanted = file.environment(1) | {"SERVICE": package, "UV_PROJECT_ENVIRONMENT": str(app / ".venv")}
    for name in ("UV_NO_CACHE", "UV_LINK_MODE", "UV_COMPILE_BYTECODE"):  # they make an image good, and a test slow
        wanted.pop(name)
    uv = str(ROOT / ".venv" / "bin")
    subprocess.run(
        ["sh", "-c", sync],
        check=True,
        capture_output=True,
        cwd=source,
        env=given | wanted | {"PATH": f"{uv}:{given['PATH']}"},
        timeout=BUILD_WITHIN_S,
    )
    for name, target in file.copied(-1):
        _copy(ROOT / name, app / target)
    shutil.rmtree(source)
    return Built(app)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        target.mkdir(parents=True, exist_ok=True)  # a file is copied into a folder only
        shutil.copy(source, target)

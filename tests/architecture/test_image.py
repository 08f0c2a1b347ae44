"""What deploy/Dockerfile promises: one recipe, pinned, small, without secrets, for a user who owns nothing."""

import re

import pytest

from tests.architecture.source import ROOT
from tests.support.image import Dockerfile, dockerfile

FILE = dockerfile()
TAG = re.compile(r"python:(\d+\.\d+)\.\d+-slim-[a-z]+")


def test_base_is_a_slim_python_pinned_to_its_last_number_and_the_same_in_both_stages() -> None:
    (argument,) = FILE.values("ARG", 0)
    name, _, image = argument.partition("=")
    found = TAG.fullmatch(image)

    assert found is not None
    assert f">={found[1]}" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [FILE.values("FROM", stage) for stage in (1, 2)] == [[f"${{{name}}} AS build"], [f"${{{name}}}"]]
    assert len(FILE.stages) == 3


def test_packages_are_those_of_the_lock_file_for_one_service_and_no_tools() -> None:
    """STYLE.md section 8: an image that copies one service; pinned uv, as make setup has it."""
    (version,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert FILE.values("RUN", 1) == [
        f"pip install uv=={version}",
        'uv sync --frozen --package "${SERVICE}" --no-dev --no-editable',
    ]
    assert FILE.values("ARG", 1) == ["SERVICE"]


def test_image_gets_the_environment_and_the_policies_and_nothing_else() -> None:
    """Neither sources nor uv nor tests nor a compiler come along."""
    assert FILE.values("COPY") == ["--from=build /app/.venv/ .venv/", "policies/ policies/"]
    assert FILE.values("WORKDIR") == ["/app"]
    assert FILE.environment(1)["UV_PROJECT_ENVIRONMENT"] == "/app/.venv"
    assert FILE.environment()["PATH"].split(":")[0] == "/app/.venv/bin"


def test_image_runs_as_a_user_by_number_who_owns_one_folder() -> None:
    """By number: an orchestrator that demands a user other than root cannot look names up."""
    (user,) = FILE.values("USER")
    (made,) = FILE.values("RUN")
    steps = [step.word for step in FILE.stages[-1]]

    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", user)
    assert made == "install -d -o {} -g {} -m 0700 /var/lib/duly".format(*user.split(":"))
    assert steps.index("USER") > max(steps.index("RUN"), steps.index("COPY"))
    assert "USER" not in [step.word for step in FILE.stages[1]]


def test_image_writes_no_bytecode_stops_on_sigterm_and_says_whether_it_lives() -> None:
    (health,) = FILE.values("HEALTHCHECK")
    port = FILE.environment()["DULY_HTTP_PORT"]

    assert FILE.environment()["PYTHONDONTWRITEBYTECODE"] == "1"
    assert FILE.environment(1)["UV_COMPILE_BYTECODE"] == "1"
    assert FILE.values("STOPSIGNAL") == ["SIGTERM"]
    assert FILE.values("EXPOSE") == [port]
    assert FILE.health == ["python", "-m", "duly_chassis.probe"]
    assert {"--interval=10s", "--timeout=5s", "--start-period=60s"} <= set(health.split())
    assert FILE.values("CMD") == ['["python", "-m", "duly_chassis.run"]']


@pytest.mark.parametrize("pattern", ["(?i)password|token|secret|api_?key", r"https?://", "--index|INDEX_URL|ADD "])
def test_image_holds_no_secret_and_fetches_from_nowhere_by_itself(pattern: str) -> None:
    """Which index is asked is a matter of who builds; the lock file's hashes say what is accepted."""
    words = [f"{step.word} {step.value}" for stage in FILE.stages for step in stage]

    assert [word for word in words if re.search(pattern, word)] == []


def test_reader_sees_what_is_written() -> None:
    read = Dockerfile("ARG A=1\nFROM x AS y\nENV B=2 \\\n    C=3\nCOPY a b c/\nFROM x\nCOPY --from=y d e\nUSER 0\n")

    assert [len(stage) for stage in read.stages] == [1, 3, 3]
    assert read.environment(1) == {"B": "2", "C": "3"}
    assert list(read.copied(1)) == [("a", "c/"), ("b", "c/")]
    assert list(read.copied(2)) == []

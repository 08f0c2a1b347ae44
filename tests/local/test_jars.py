"""The jars: exactly the locked ones, whole or not at all, and plain words when they cannot be had."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from duly_local import fetch, jars
from duly_local.errors import LocalError

NAMES = ("broker.jar", "clients.jar")


def body(name: str) -> bytes:
    return f"the content of {name}".encode()


class Maven:
    """Stands at the edge where jgo would download."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes]) -> None:
        self.calls = 0
        self._content = content
        text = "# comment\n" + "".join(f"{hashlib.sha256(body(n)).hexdigest()}  {n}\n" for n in NAMES)
        monkeypatch.setattr(jars, "_lock_text", lambda: text)
        monkeypatch.setattr(jars, "resolve", self.resolve)

    def resolve(self, work: Path, progress: jars.Progress) -> list[Path]:
        self.calls += 1
        for done, (name, content) in enumerate(self._content.items(), start=1):
            (work / name).write_bytes(content)
            progress(done, len(self._content))
        return [work / name for name in self._content]


def quiet(*_: object) -> None:
    """Take what is said, and the progress."""


def test_jars_are_installed_whole_and_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = Maven(monkeypatch, {name: body(name) for name in NAMES})
    first = jars.install(quiet, quiet)

    assert first == jars.install(quiet, quiet)
    assert (1, list(NAMES)) == (maven.calls, [jar.name for jar in first])
    assert {jars.folder().name, "fetch.lock"} == {path.name for path in cache.iterdir()}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"broker.jar": body("broker.jar"), "clients.jar": b"other"}, r"clients\.jar is refused: its SHA-256"),
        ({"broker.jar": body("broker.jar")}, r"clients\.jar is missing"),
        ({name: body(name) for name in (*NAMES, "extra.jar")}, r"extra\.jar is refused: jars\.lock does not"),
    ],
)
def test_jar_that_is_not_the_locked_one_is_refused_by_name(
    cache: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes], words: str
) -> None:
    Maven(monkeypatch, content)
    with pytest.raises(LocalError, match=words):
        jars.install(quiet, quiet)

    assert [path.name for path in cache.iterdir()] == ["fetch.lock"]


@pytest.mark.usefixtures("cache")
def test_jar_that_changed_in_the_cache_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    Maven(monkeypatch, {name: body(name) for name in NAMES})
    jars.install(quiet, quiet)[0].write_bytes(b"changed")
    with pytest.raises(LocalError, match=r"broker\.jar is refused.*Remove .* and run `make setup`"):
        jars.install(quiet, quiet)


@pytest.mark.usefixtures("cache")
def test_two_fetches_at_once_fetch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    maven = Maven(monkeypatch, {name: body(name) for name in NAMES})
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: jars.install(quiet, quiet), range(8)))

    assert maven.calls == 1
    assert all(result == results[0] for result in results)


def test_fetch_clears_what_a_killed_one_left(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Maven(monkeypatch, {name: body(name) for name in NAMES})
    (cache / "fetch-killed").mkdir(parents=True)
    jars.install(quiet, quiet)

    assert not (cache / "fetch-killed").exists()


def test_no_network_and_no_cache_says_what_is_missing_and_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(_work: Path, _progress: jars.Progress) -> list[Path]:
        raise OSError("name resolution failed")

    monkeypatch.setattr(jars, "resolve", resolve)
    monkeypatch.setattr("sys.argv", ["fetch"])
    with pytest.raises(SystemExit) as ended:
        fetch.main()

    words = str(ended.value)
    assert words.startswith(f"Apache Kafka's jars are missing in {cache}")
    assert all(way in words for way in ("`make setup`", "copy that folder", "DULY_KAFKA_BOOTSTRAP"))
    assert "Traceback" not in words


@pytest.mark.usefixtures("cache")
def test_fetch_goes_on_without_the_archive_of_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(_home: Path, _target: Path) -> None:
        raise LocalError("Java wrote no archive.")

    Maven(monkeypatch, {name: body(name) for name in NAMES})
    monkeypatch.setattr(fetch, "_record", record)
    said: list[str] = []

    assert jars.folder() == fetch.fetch(said.append, quiet)
    assert said[-1].endswith("Kafka will run, but start slower. Java wrote no archive.")


def test_lock_file_names_every_jar_once_with_a_sha256() -> None:
    locked = jars.locked()

    assert len(locked) == 93
    assert all(name.endswith(".jar") and len(bytes.fromhex(digest)) == 32 for name, digest in locked.items())

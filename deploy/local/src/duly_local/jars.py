"""Kafka's jars: fetched once into the user's cache, each compared with `jars.lock`, in place only when whole."""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

from duly_local.errors import LocalError, NoServers
from duly_local.lock import FolderLock
from duly_local.places import cache_folder

VERSION = "4.1.2"
ENDPOINT = (
    # The "!" asks for plain Maven resolution; without it versions are mixed and the broker does not start.
    f"org.apache.kafka:kafka_2.13:{VERSION}!"
    f"+org.apache.kafka:kafka-tools:{VERSION}!"
    "+org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!"
    "+org.apache.logging.log4j:log4j-core:2.24.3!"
    "@kafka.Kafka"
)
TIMEOUT_S = 60
LINE_EVERY = 20

Say = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Told how many jars have arrived, and of how many."""


def folder() -> Path:
    """Return where this set of jars lies; another lock file means another folder."""
    digest = hashlib.sha256(_lock_text().encode()).hexdigest()
    return cache_folder() / f"kafka-{VERSION}-{digest[:12]}"


def installed() -> list[Path]:
    """Return the jars in the cache, none if there are none; raise LocalError if one is not what was locked."""
    jars = folder() / "jars"
    if not jars.is_dir():
        return []
    found = {path.name: path for path in jars.glob("*.jar")}
    try:
        require_locked(found, locked())
    except LocalError as error:
        raise LocalError(f"{error} Remove {folder()} and run `make setup` again.") from None
    return [found[name] for name in sorted(found)]


def install(say: Say, progress: Progress) -> list[Path]:
    """Return the jars, fetched now if the cache has none; two processes at once fetch them once."""
    if jars := installed():
        return jars
    with exclusive() as home:
        if not installed():
            _fetch(home, say, progress)
        return installed()


@contextmanager
def exclusive() -> Iterator[Path]:
    """Hold the cache for one process at a time; yields its folder."""
    home = cache_folder()
    home.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(home / "fetch.lock")
    lock.wait()
    try:
        yield home
    finally:
        lock.release()


def clear(home: Path, left_over: str) -> None:
    """Remove what a killed process left; only while the cache is held."""
    for path in home.glob(left_over):
        shutil.rmtree(path, ignore_errors=True)


def lines(say: Say) -> Progress:
    """Return a progress that is told in plain lines, not too many."""

    def progress(done: int, total: int) -> None:
        if done % LINE_EVERY == 0 or done == total:
            say(f"{done} of {total} jars")

    return progress


def resolve(work: Path, progress: Progress) -> list[Path]:
    """Download everything below `work` and return the jars; the only place that reaches the network."""
    # Imported here: a start that finds its jars in the cache shall not pay for it.
    try:
        from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ModuleNotFoundError:
        raise NoServers from None

    resolver = PythonResolver(progress_callback=_Arrivals(len(locked()), progress))
    context = MavenContext(resolver=resolver, repo_cache=work / "m2", timeout=TIMEOUT_S)
    builder = EnvironmentBuilder(context, cache_dir=work / "env", link_strategy=LinkStrategy.COPY)
    environment = Path(builder.from_endpoint(ENDPOINT).path)
    return [*environment.glob("jars/*.jar"), *environment.glob("modules/*.jar")]


def require_locked(found: Mapping[str, Path], wanted: Mapping[str, str]) -> None:
    """Raise LocalError, with the jar's name, unless exactly the locked jars were found."""
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            raise LocalError(f"{name} is missing among Kafka's jars.")
        if name not in wanted:
            raise LocalError(f"{name} is refused: jars.lock does not know it.")
        with found[name].open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != wanted[name]:
            raise LocalError(f"{name} is refused: its SHA-256 is {digest}, jars.lock says {wanted[name]}.")


def locked() -> dict[str, str]:
    """Return each jar's SHA-256 by its name."""
    lines = (line.split() for line in _lock_text().splitlines() if not line.startswith("#"))
    return {name: digest for digest, name in lines}


@cache
def _lock_text() -> str:
    return resources.files("duly_local").joinpath("jars.lock").read_text(encoding="ascii")


def _fetch(home: Path, say: Say, progress: Progress) -> None:
    clear(home, "fetch-*/")
    say(f"Fetching Apache Kafka {VERSION} into {folder()}, once: {len(locked())} jars, 54 MB.")
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=home) as name:
        work = Path(name)
        whole = work / "whole" / "jars"
        whole.mkdir(parents=True)
        jars = _resolved(work, progress)
        require_locked({path.name: path for path in jars}, locked())
        for path in jars:
            path.rename(whole / path.name)
        whole.parent.rename(folder())


def _resolved(work: Path, progress: Progress) -> list[Path]:
    # jgo reports to the log what we say ourselves, and in plain words.
    log = logging.getLogger("jgo")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        return resolve(work, progress)
    except Exception as error:  # whatever its HTTP client and its parsers raise
        raise LocalError(
            f"Apache Kafka's jars are missing in {cache_folder()} and could not be fetched from Maven Central "
            f"({type(error).__name__}). Either run `make setup` where there is a network, or copy that folder "
            "from a machine that has it, or set DULY_KAFKA_BOOTSTRAP to a Kafka that runs already."
        ) from error
    finally:
        log.setLevel(level)


class _Arrivals:
    """Counts the jars that have arrived; poms do not count."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._progress = progress
        self._done = 0

    @contextmanager
    def __call__(self, name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield lambda _count: None
        if name.endswith(".jar"):
            self._done += 1
            self._progress(min(self._done, self._total), self._total)

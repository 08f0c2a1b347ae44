"""The containers of docker-compose.yml as processes of this host.

Each has exactly the command and the variables that the file and its image give it. What cannot be the same without an
engine is replaced as text: the names of hosts, and the folders that an engine would mount.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from duly_local import waiting
from tests.support.compose import ROOT, Compose, Container
from tests.support.image import Built, dockerfile

HEALTHY_WITHIN_S = 60.0
ENDS_WITHIN_S = 40.0
PROBE_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands in for an engine: images, folders, and where the servers are."""

    compose: Compose
    images: Mapping[str, Built]
    folder: Path
    servers: Mapping[str, str]
    """Host and port inside the network, and where that is here."""

    def here(self, container: Container, text: str) -> str:
        """Replace hosts and folders in a text of this container."""
        for inside, outside in self.servers.items():
            text = re.sub(rf"\b{re.escape(inside)}\b", outside, text)
        hosts = "|".join(self.compose.containers)
        text = re.sub(rf"(?<=[/@])({hosts})(?=:\d)", "127.0.0.1", text)
        text = "127.0.0.1" if text == "0.0.0.0" else text  # noqa: S104 - said to a container, replaced here
        for target, source in container.mounts.items():
            text = text.replace(target, str(self.mounted(source)))
        text = text.replace("/run/secrets/", f"{self.folder / 'secrets'}/")
        return re.sub(r"(?<![\w/])/app\b", str(self.images[str(container.package)].app), text)

    def mounted(self, source: str) -> Path:
        """Return the folder that a volume is, or that of the checkout."""
        return ROOT / source if source.startswith(".") else self.folder / source

    def environment(self, container: Container) -> dict[str, str]:
        """Return the whole environment: the image's variables, then the file's; nothing is inherited."""
        given = dockerfile().environment() | container.environment
        return {name: self.here(container, value) for name, value in given.items()}

    def argv(self, container: Container) -> list[str]:
        return [self.here(container, word) for word in container.argv]

    def health(self, container: Container) -> list[str]:
        """Return the command that the engine would ask with."""
        return [self.here(container, word) for word in container.health[1:] or dockerfile().health]

    def run(self, container: Container, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one to its end, with other words behind its entrypoint if they are given."""
        argv = [*container.said["entrypoint"], *arguments] if arguments else self.argv(container)
        return self._to_its_end(container, argv, HEALTHY_WITHIN_S)

    def healthy(self, container: Container) -> bool:
        """Ask once; no answer in time is one, too."""
        try:
            return self._to_its_end(container, self.health(container), PROBE_WITHIN_S).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def _to_its_end(self, container: Container, argv: list[str], within_s: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._found(container, argv),
            check=False,
            capture_output=True,
            text=True,
            cwd=self.images[str(container.package)].app,
            env=self.environment(container),
            timeout=within_s,
        )

    def _found(self, container: Container, argv: list[str]) -> list[str]:
        """Name the image's own program: only its folder stands on the path that counts."""
        return [str(self.images[str(container.package)].bin / argv[0]), *argv[1:]]

    @contextmanager
    def started(self, container: Container) -> Iterator["Process"]:
        """Run one until the block ends; healthy at its beginning."""
        log = self.folder / f"{container.name}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                self._found(container, self.argv(container)),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=self.images[str(container.package)].app,
                env=self.environment(container),
                start_new_session=True,
            )
        found = Process(process, log)
        try:
            waiting.until(lambda: self.healthy(container) or process.poll() is not None, within_s=HEALTHY_WITHIN_S)
            assert process.poll() is None, found.said
            yield found
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=ENDS_WITHIN_S)


@dataclass(frozen=True, slots=True)
class Process:
    """A container that runs."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> int:
        """Stop it as an engine does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=ENDS_WITHIN_S)


def in_order(compose: Compose) -> list[Container]:
    """Return the containers built here, each after those it waits for."""
    found: list[Container] = []

    def add(name: str) -> None:
        for needed in compose.containers[name].needs:
            add(needed)
        if compose.containers[name] not in found and name in compose.ours:
            found.append(compose.containers[name])

    for name in compose.ours:
        add(name)
    return found

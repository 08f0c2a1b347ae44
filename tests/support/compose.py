"""docker-compose.yml as a program reads it: anchors resolved, variables put in, each service as it would be started."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\})")
PORT = re.compile(r"\$\{([A-Z_]+_PORT):-")
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Published:
    """A port of this machine that leads into a container."""

    address: str
    outer: int
    inner: int


@dataclass(frozen=True, slots=True)
class Container:
    """One service of the file."""

    name: str
    said: Mapping[str, Any]

    @property
    def image(self) -> str:
        return str(self.said["image"])

    @property
    def package(self) -> str | None:
        """The member that its image is built of; None for an image of somebody else's."""
        build = self.said.get("build")
        return str(build["args"]["SERVICE"]) if build else None

    @property
    def argv(self) -> list[str]:
        return [str(word) for word in (*self.said.get("entrypoint", ()), *self.said.get("command", ()))]

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.said.get("environment", {}).items()}

    @property
    def secrets(self) -> list[str]:
        return list(self.said.get("secrets", ()))

    @property
    def needs(self) -> dict[str, str]:
        """The services that it waits for, and what it waits for in them."""
        return {name: one["condition"] for name, one in self.said.get("depends_on", {}).items()}

    @property
    def mounts(self) -> dict[str, str]:
        """What is mounted where: source by target."""
        return {target: source for source, target, *_ in (one.split(":") for one in self.said.get("volumes", ()))}

    @property
    def ports(self) -> list[Published]:
        found = (str(one).rsplit(":", 2) for one in self.said.get("ports", ()))
        return [Published(address, int(outer), int(inner)) for address, outer, inner in found]

    @property
    def memory_bytes_max(self) -> int:
        size = str(self.said["mem_limit"])
        return int(size[:-1]) * {"m": 1024**2, "g": 1024**3}[size[-1]]

    @property
    def health(self) -> list[str]:
        """The command that asks for its health; empty where only its image says it."""
        return [str(word) for word in self.said.get("healthcheck", {}).get("test", ())]


@dataclass(frozen=True, slots=True)
class Compose:
    """The whole file."""

    said: Mapping[str, Any]

    @property
    def containers(self) -> dict[str, Container]:
        return {name: Container(name, said) for name, said in self.said["services"].items()}

    @property
    def ours(self) -> dict[str, Container]:
        """Those whose image is built here."""
        return {name: one for name, one in self.containers.items() if one.package}

    @property
    def secret_files(self) -> dict[str, str]:
        return {name: str(one["file"]) for name, one in self.said["secrets"].items()}


def port_variables() -> list[str]:
    """Return the variables with which somebody chooses other ports."""
    return sorted(set(PORT.findall(FILE.read_text(encoding="utf-8"))))


def read(variables: Mapping[str, str] = NOTHING, text: str | None = None) -> Compose:
    """Read the file with these variables, and the defaults of all others."""
    return Compose(put_in(yaml.safe_load(text or FILE.read_text(encoding="utf-8")), variables))


def put_in(value: Any, variables: Mapping[str, str]) -> Any:
    """Replace `${NAME:-default}` and `$$` in every text; nothing else of Compose's syntax is used."""
    if isinstance(value, dict):
        return {key: put_in(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [put_in(one, variables) for one in value]
    if not isinstance(value, str):
        return value
    if "$" in VARIABLE.sub("", value):
        raise ValueError(f"a variable without a default, or another syntax: {value}")
    return VARIABLE.sub(lambda one: "$" if one["dollar"] else variables.get(one["name"], one["default"]), value)

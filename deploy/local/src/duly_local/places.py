"""Where things lie: the cache of the user, and the inside of one state folder."""

import os
from dataclasses import dataclass
from pathlib import Path

ADDRESSES = "services.json"


def cache_folder() -> Path:
    """Return the folder for what can be fetched again: jars and what is derived from them."""
    if chosen := os.environ.get("DULY_CACHE_DIR"):
        return Path(chosen).absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).absolute() / "duly"
    return Path.home() / ".cache" / "duly"


@dataclass(frozen=True, slots=True)
class State:
    """The layout of one state folder; everything a stack keeps lies below it."""

    root: Path
    """Absolute and without links, as the kernel reports it in /proc; `orphans` compares with that."""

    @staticmethod
    def at(folder: Path) -> "State":
        """Return the layout below `folder`, which need not exist yet."""
        return State(folder.resolve())

    @property
    def lock(self) -> Path:
        """Held by the process that runs this stack."""
        return self.root / "lock"

    @property
    def ports(self) -> Path:
        """The ports chosen at the first start."""
        return self.root / "ports.json"

    @property
    def logs(self) -> Path:
        """What each child wrote to its standard output and error."""
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        """Belongs to the user PostgreSQL runs as: `data`, and `data.part` until initdb is through."""
        return self.root / "postgres"

    @property
    def postgres_programs(self) -> Path:
        """Holds a copy of the programs, where that user cannot read the installed ones."""
        return self.root / "postgres-programs"

    @property
    def kafka(self) -> Path:
        """The broker's `data`, its settings and its scratch files."""
        return self.root / "kafka"

    @property
    def mails(self) -> Path:
        """The inbox; finished mails stand below `new`."""
        return self.root / "mails"

    @property
    def services(self) -> Path:
        """Where each service answers, written by whoever runs them, while they run."""
        return self.root / ADDRESSES

    def create(self) -> None:
        """Make the folder; as root one that others may pass through, since PostgreSQL will not run as root."""
        missing = [folder for folder in (self.root, *self.root.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self.logs.mkdir(mode=0o700, exist_ok=True)

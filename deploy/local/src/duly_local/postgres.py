"""PostgreSQL 18 as one child: made once, started, known to be ready, stopped."""

import os
import shutil
import signal
from pathlib import Path
from threading import Event

from duly_local import child, orphans, waiting
from duly_local.account import require_reachable, server_account
from duly_local.child import Account, Child, Command
from duly_local.errors import LocalError
from duly_local.places import State
from duly_local.ports import HOST
from duly_local.programs import programs

MAJOR = "18"
INIT_WITHIN_S = 60.0
READY_WITHIN_S = 180.0
"""After a crash it replays its log first: up to max_wal_size."""
BLOCKED = "pre-existing shared memory block"
"""Its last words while a backend of a killed server still works in the data folder."""
BLOCKED_PAUSE_S = 0.2
STATUS_LINE = 7
"""Of postmaster.pid; what `pg_ctl -w` reads."""

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path may have 100 bytes, a state folder's more
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",  # a bulk run shall not checkpoint all the time
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and values are personal data: the log tells what the server did, not with what.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


class Postgres:
    """One server on one data folder."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends the sessions; SIGTERM would wait for them
    stop_within_s = 20.0

    def __init__(self, state: State, port: int) -> None:
        self._state = state
        self._port = port
        self._data = state.postgres / "data"
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The superuser's address; connections on loopback need no password."""
        return f"postgresql://postgres@{HOST}:{self._port}/postgres"

    def start(self, cancelled: Event) -> None:
        """Start it, made first if need be; return when it answers."""
        account = server_account()
        if account:
            require_reachable(self._state.root, account)
        bin_folder = programs(self._state, account)
        self._own_folder(account)
        if not self._data.exists():
            self._init(bin_folder, account, cancelled)
        self._require_version()
        self._forget_dead_server()
        server = self._server(bin_folder, account)
        self.child = child.start(server)
        if not waiting.until(lambda: self._ready(server, cancelled), within_s=READY_WITHIN_S, cancelled=cancelled):
            raise LocalError(f"PostgreSQL was not ready within {READY_WITHIN_S:.0f} s; see {self.child.command.log}.")

    def _own_folder(self, account: Account | None) -> None:
        folder = self._state.postgres
        folder.mkdir(mode=0o700, exist_ok=True)
        if account and not self._data.exists():
            os.chown(folder, account.uid, account.gid)
        owner = folder.stat().st_uid
        if owner != (account.uid if account else os.geteuid()):
            raise LocalError(
                f"{folder} belongs to the user with id {owner}, who started it first. "
                "Run duly as that user again, or choose another state folder."
            )

    def _init(self, bin_folder: Path, account: Account | None, cancelled: Event) -> None:
        """Make the data folder beside its place and rename it when whole: a kill leaves none or a good one."""
        part = self._data.with_name("data.part")
        shutil.rmtree(part, ignore_errors=True)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "--no-instructions"]
        argv = [str(bin_folder / "initdb"), "-D", str(part), *options]
        child.run(self._command("initdb", argv, account), within_s=INIT_WITHIN_S, cancelled=cancelled)
        part.rename(self._data)

    def _require_version(self) -> None:
        version = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != MAJOR:
            raise LocalError(
                f"{self._data} was made by PostgreSQL {version}; this is {MAJOR}. Choose another state folder."
            )

    def _forget_dead_server(self) -> None:
        """Remove the note of a killed server.

        The server would refuse to start if a stranger had its process id by now. No server of ours lives: we
        hold the folder's lock, and `orphans` has looked; where it cannot look the note stays.
        """
        if orphans.PROC.is_dir():
            self._data.joinpath("postmaster.pid").unlink(missing_ok=True)

    def _server(self, bin_folder: Path, account: Account | None) -> Command:
        argv = [str(bin_folder / "postgres"), "-D", str(self._data), "-p", str(self._port)]
        for name, value in SETTINGS.items():
            argv += ["-c", f"{name}={value}"]
        return self._command(self.name, argv, account)

    def _command(self, name: str, argv: list[str], account: Account | None) -> Command:
        return Command(
            name=name,
            argv=argv,
            log=self._state.logs / f"{name}.log",
            folder=self._state.postgres,
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            account=account,
            death_signal=signal.SIGQUIT,  # the postmaster then ends its backends too; a kill would not
        )

    def _ready(self, server: Command, cancelled: Event) -> bool:
        if self.child is None:
            return False
        if not self.child.running():
            if BLOCKED not in child.tail(server.log):
                raise self.child.failure()
            cancelled.wait(BLOCKED_PAUSE_S)
            self.child = child.start(server)  # `orphans` could not see who blocks: try again until it is gone
        try:
            lines = self._data.joinpath("postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        written = len(lines) > STATUS_LINE and lines[0] == str(self.child.pid)
        return written and lines[STATUS_LINE].strip() == "ready"

"""The mail inbox as one child: started, known to be ready, stopped."""

import os
import signal
import socket
import sys
from pathlib import Path
from threading import Event

from duly_local import child, waiting
from duly_local.child import Child, Command
from duly_local.errors import LocalError
from duly_local.places import State
from duly_local.ports import HOST

READY_WITHIN_S = 30.0
GREETING_WITHIN_S = 1.0


class Inbox:
    """One inbox on one folder of mails."""

    name = "inbox"
    stop_signal = signal.SIGTERM
    stop_within_s = 5.0

    def __init__(self, state: State, port: int) -> None:
        self._state = state
        self._port = port
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Where mails are taken."""
        return f"smtp://{HOST}:{self._port}"

    @property
    def mails(self) -> Path:
        """Where they are put."""
        return self._state.mails / "new"

    def start(self, cancelled: Event) -> None:
        """Start it; return when it greets."""
        self._state.mails.mkdir(mode=0o700, exist_ok=True)
        folder = str(self._state.mails)
        argv = [sys.executable, "-m", "duly_local.inbox", "--port", str(self._port), "--dir", folder]
        self.child = child.start(
            Command(
                name=self.name,
                argv=argv,
                log=self._state.logs / f"{self.name}.log",
                folder=self._state.mails,
                environment={
                    "PATH": os.defpath,
                    "LC_ALL": "C.UTF-8",
                    "TZ": "UTC",
                    "PYTHONPATH": os.environ.get("PYTHONPATH", ""),  # it imports what we import
                },
            )
        )
        if not waiting.until(self._greets, within_s=READY_WITHIN_S, cancelled=cancelled):
            raise LocalError(f"The inbox was not ready within {READY_WITHIN_S:.0f} s; see {self.child.command.log}.")

    def _greets(self) -> bool:
        if self.child is None:
            return False
        if not self.child.running():
            raise self.child.failure()
        try:
            with socket.create_connection((HOST, self._port), GREETING_WITHIN_S) as connection:
                return connection.recv(4) == b"220 "
        except OSError:
            return False

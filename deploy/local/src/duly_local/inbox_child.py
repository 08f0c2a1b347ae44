"""The mail inbox as one child: started, known to be ready, stopped."""

import os
import re
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
ASKING = re.compile(r"DULY_([A-Z][A-Z0-9_]*_ADDRESS|HTTP_TOKEN(_FILE)?)")
"""What its page needs to ask services for the story of a mail."""


class Inbox:
    """One inbox on one folder of mails."""

    name = "inbox"
    stop_signal = signal.SIGTERM
    stop_within_s = 5.0

    def __init__(self, state: State, port: int, page: int) -> None:
        self._state = state
        self._port = port
        self._page = page
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Where mails are taken."""
        return f"smtp://{HOST}:{self._port}"

    @property
    def page_url(self) -> str:
        """Where people look at them."""
        return f"http://{HOST}:{self._page}/"

    @property
    def mails(self) -> Path:
        """Where they are put."""
        return self._state.mails / "new"

    def start(self, cancelled: Event) -> None:
        """Start it; return when it greets."""
        self._state.mails.mkdir(mode=0o700, exist_ok=True)
        options = {
            "--port": self._port,
            "--dir": self._state.mails,
            "--http-port": self._page,
            "--services": self._state.services,
        }
        given = [word for name, value in options.items() for word in (name, str(value))]
        self.child = child.start(
            Command(
                name=self.name,
                argv=[sys.executable, "-m", "duly_local.inbox", *given],
                log=self._state.logs / f"{self.name}.log",
                folder=self._state.mails,
                environment={
                    "PATH": os.defpath,
                    "LC_ALL": "C.UTF-8",
                    "TZ": "UTC",
                    "PYTHONPATH": os.environ.get("PYTHONPATH", ""),  # it imports what we import
                    **{name: value for name, value in os.environ.items() if ASKING.fullmatch(name)},
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

"""The smallest replay that keeps every promise, so that the campaign itself can be tested in seconds.

It stands for `duly replay oulad`: a ledger written before each call, refusals retried on the driven clock, parked
when in doubt, and a helper process that has to be killed with it. With FAKE_FORGETS it resends what is in doubt.
"""

import json
import os
import signal
import smtplib
import subprocess
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.naive import message
from tests.oracle.oulad import Key, truth

RETRY_AFTER_MINUTES = (1, 5, 15, 60, 60)
HELPER = "import time; time.sleep(600)"


class InDoubt(Exception):
    """The body had begun when the connection went away."""


class Ledger:
    """A file of [key, word] lines; a word is on the disk before `note` returns."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.words: dict[Key, str] = {}
        for line in lines:
            with suppress(ValueError):  # the line that was being written when the process died
                key, word = json.loads(line)
                self.words[(key[0], key[1], key[2])] = word
        self._file = path.open("a", encoding="utf-8")
        self._file.write("\n")

    def note(self, key: Key, word: str) -> None:
        """Remember the state of one mail."""
        self.words[key] = word
        self._file.write(json.dumps([key, word]) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def send(key: Key, now: datetime, server: tuple[str, int]) -> bool:
    """Send one mail: true if accepted, false if refused for now."""
    mail = message(key, now)
    with suppress(OSError, smtplib.SMTPException):
        connection = smtplib.SMTP(*server, timeout=10)
        connection.ehlo()
        for command in ("MAIL FROM:<duly@staff.example>", f"RCPT TO:<{key[0]}>", "DATA"):
            code, _ = connection.docmd(command)
            if code >= 400:
                connection.close()
                return False
        try:
            connection.send(mail.as_bytes().replace(b"\n", b"\r\n") + b"\r\n.\r\n")
            code, _ = connection.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise InDoubt from error
        connection.close()
        return code == 250
    return False


def replay(folder: Path, server: tuple[str, int], ledger: Ledger) -> None:
    """Send what is due, in order; a refused mail is tried again before the clock goes on."""
    for key, word in list(ledger.words.items()):
        if word == "posting":
            ledger.note(key, "due" if os.environ.get("FAKE_FORGETS") else "parked")
    for key, moment in sorted(truth(folder).reminders.items(), key=lambda item: (item[1], item[0])):
        now = moment
        for minutes in (0, *RETRY_AFTER_MINUTES):
            now += timedelta(minutes=minutes)
            if ledger.words.get(key) in {"sent", "parked"}:
                break
            ledger.note(key, "posting")
            try:
                ledger.note(key, "sent" if send(key, now, server) else "due")
            except InDoubt:
                ledger.note(key, "due" if os.environ.get("FAKE_FORGETS") else "parked")


def main() -> int:
    """Play `duly replay oulad DIR --smtp URL --state DIR --json`."""
    words = sys.argv[1:]
    folder, smtp, state = Path(words[2]), urlsplit(words[4]), Path(words[6])
    state.mkdir(exist_ok=True)
    helper_file = state / "helper.pid"
    if helper_file.exists() and Path("/proc", helper_file.read_text(encoding="utf-8"), "cwd").exists():
        return 3  # the last run's helper lives: not everything was killed
    helper = subprocess.Popen([sys.executable, "-c", HELPER], cwd=state, env={}, start_new_session=True)
    helper_file.write_text(str(helper.pid), encoding="utf-8")
    ledger = Ledger(state / "ledger.jsonl")
    replay(folder, (smtp.hostname or "", smtp.port or 0), ledger)
    helper.send_signal(signal.SIGTERM)
    helper.wait()
    parked = [
        {"to": to, "assignment": about, "step": step, "why": "connection lost after the body began"}
        for (to, about, step), word in ledger.words.items()
        if word == "parked"
    ]
    sys.stdout.write(json.dumps({"parked": parked}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

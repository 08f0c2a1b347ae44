"""The negative control: a sender as it is usually written, which a rig worth its name must fail.

It opens a connection per mail and tries three times more, at once, whatever went wrong.
By hand: `python -m tests.faults.naive FOLDER --smtp smtp://127.0.0.1:PORT`
"""

import argparse
import json
import smtplib
import sys
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.oracle.oulad import Key, truth

TRIES = 4


def message(key: Key, moment: datetime) -> EmailMessage:
    """Write one reminder with the headers the checker asks for."""
    to, about, step = key
    mail = EmailMessage()
    mail["From"] = "duly@staff.example"
    mail["To"] = to
    mail["Date"] = format_datetime(moment)
    mail["Subject"] = f"{about} is due in {step} days"
    mail["Message-ID"] = f"<{about}-{step}@staff.example>"
    mail["Duly-Outreach-Id"] = f"{about}-{step}"
    mail["Duly-About"] = about
    mail["Duly-Step"] = step
    mail.set_content(f"Hello,\n\n{about} is due in {step} days.\n")
    return mail


def send_naively(folder: Path, host: str, port: int) -> None:
    """Send every reminder of the folder, each until somebody says yes or the patience is over."""
    expected = sorted(truth(folder).reminders.items(), key=lambda item: (item[1], item[0]))
    for key, moment in expected:
        send(message(key, moment), host, port)


def send(mail: EmailMessage, host: str, port: int) -> None:
    """Try one mail until somebody says yes or the patience is over."""
    for _ in range(TRIES):
        with suppress(smtplib.SMTPException, OSError), smtplib.SMTP(host, port, timeout=10) as connection:
            connection.send_message(mail)
            return


def main() -> int:
    """Send, and claim that all is well."""
    parser = argparse.ArgumentParser(description="Send a folder's reminders the naive way.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--smtp", required=True, help="smtp://127.0.0.1:PORT")
    given = parser.parse_args()
    server = urlsplit(given.smtp)
    send_naively(given.folder, server.hostname or "127.0.0.1", server.port or 25)
    sys.stdout.write(json.dumps({"parked": []}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

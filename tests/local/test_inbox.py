"""The inbox: whole mails in order, nothing else."""

import smtplib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from duly_local import inbox, mailbox
from duly_local.mailbox import Mailbox
from duly_local.stack import Endpoints, Stack

MAIL = "From: a@example.org\r\nTo: b@example.org\r\nSubject: due\r\n\r\nIn 14 days.\r\n.\r\nEnd.\r\n"


@pytest.fixture
def endpoints(state: Path) -> Iterator[Endpoints]:
    with Stack(state, kafka=False, postgres=False) as found:
        yield found


def client(endpoints: Endpoints) -> smtplib.SMTP:
    address = urlsplit(endpoints.smtp_url)
    assert address.hostname is not None
    assert address.port is not None
    return smtplib.SMTP(address.hostname, address.port, timeout=10)


def mails(endpoints: Endpoints) -> list[Path]:
    assert endpoints.mails is not None
    return sorted(endpoints.mails.rglob("*.eml"))


def test_inbox_stores_a_mail_whole_under_its_envelope(endpoints: Endpoints) -> None:
    with client(endpoints) as smtp:
        smtp.sendmail("a@example.org", ["b@example.org", "c@example.org"], MAIL)

    envelope = b"Return-Path: <a@example.org>\r\nDelivered-To: b@example.org\r\nDelivered-To: c@example.org\r\n"
    assert [envelope + MAIL.encode()] == [mail.read_bytes() for mail in mails(endpoints)]


def test_inbox_advertises_its_limit_and_refuses_a_larger_mail(endpoints: Endpoints) -> None:
    with client(endpoints) as smtp:
        smtp.ehlo()
        assert str(inbox.MAIL_BYTES_MAX) == smtp.esmtp_features["size"]
        smtp.mail("a@example.org")
        smtp.rcpt("b@example.org")
        code, _ = smtp.data(b"x: y\r\n" * (inbox.MAIL_BYTES_MAX // 6 + 1))

    assert (code, mails(endpoints)) == (552, [])


def test_inbox_refuses_an_announced_size_above_its_limit(endpoints: Endpoints) -> None:
    with client(endpoints) as smtp:
        smtp.ehlo()
        code, _ = smtp.mail("a@example.org", [f"SIZE={inbox.MAIL_BYTES_MAX + 1}"])

    assert code == 552


def test_inbox_lets_no_address_add_a_header(endpoints: Endpoints) -> None:
    with client(endpoints) as smtp:
        smtp.ehlo()
        smtp.mail("a@example.org")
        smtp.putcmd('RCPT TO:<"b\tX-Evil"@example.org>')
        code, _ = smtp.getreply()

    assert code == 553


def test_inbox_listens_on_loopback_only(endpoints: Endpoints) -> None:
    """Every address of 127/8 is this machine; a listener on all addresses would answer on another of them."""
    port = urlsplit(endpoints.smtp_url).port
    assert port is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=5)


def test_inbox_limits_its_connections(endpoints: Endpoints) -> None:
    with ExitStack() as held:
        for _ in range(inbox.CONNECTIONS_MAX):
            held.enter_context(client(endpoints))
        with pytest.raises(smtplib.SMTPConnectError, match="421"):
            client(endpoints)
    with client(endpoints) as smtp:
        assert smtp.noop() == (250, b"OK")


def test_mailbox_sorts_by_arrival_across_folders_and_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MAILS_PER_FOLDER", 2)
    stored = [Mailbox(tmp_path).put("a", ["b"], str(number).encode()) for number in range(5)]

    found = sorted((tmp_path / "new").rglob("*.eml"))
    assert stored == found
    assert [mail.parent.name for mail in found] == ["000000", "000000", "000001", "000001", "000002"]


def test_mailbox_removes_a_mail_cut_off_by_a_kill(tmp_path: Path) -> None:
    Mailbox(tmp_path)
    (tmp_path / "tmp" / "000000000.eml").write_bytes(b"hal")
    Mailbox(tmp_path)

    assert list(tmp_path.rglob("*.eml")) == []

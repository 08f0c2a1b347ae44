"""The inbox: whole mails in order, nothing else."""

import errno
import json
import resource
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from duly_local import inbox, mailbox, waiting
from duly_local.mailbox import Mailbox
from duly_local.stack import Endpoints, Stack

MAIL = "From: a@example.org\r\nTo: b@example.org\r\nSubject: due\r\n\r\nIn 14 days.\r\n.\r\nEnd.\r\n"


LARGE = MAIL + ("x" * 70 + "\r\n") * 100
ROOM_BYTES = 4_096


@pytest.fixture
def stack(state: Path) -> Stack:
    return Stack(state, kafka=False, postgres=False)


@pytest.fixture
def endpoints(stack: Stack) -> Iterator[Endpoints]:
    with stack as found:
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


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """Let no file of a process grow beyond a few kB: its writes then fail midway, as on a full disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, resource.RLIM_INFINITY))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def shown(endpoints: Endpoints) -> list[str]:
    """Ask the page for the mails' subjects."""
    with urlopen(f"{endpoints.inbox_url}api/mails", timeout=10) as answer:  # noqa: S310 - our own page
        return [item["subject"] for item in json.load(answer)["items"]]


def test_inbox_with_a_full_disk_answers_452_and_leaves_nothing_half_written(
    stack: Stack, endpoints: Endpoints, state: Path
) -> None:
    """The sender tries again later; meanwhile the page works, and so does the connection."""
    with client(endpoints) as smtp:
        smtp.sendmail("a@example.org", ["b@example.org"], MAIL)
        with full_disk(stack.pids["inbox"]):
            smtp.mail("a@example.org")
            smtp.rcpt("b@example.org")
            refused = smtp.data(LARGE)
            during = [path for path in (state / "mails").rglob("*") if path.is_file()]
            seen = shown(endpoints)
            smtp.sendmail("a@example.org", ["b@example.org"], MAIL.replace("due", "small"))
        smtp.sendmail("a@example.org", ["b@example.org"], LARGE.replace("due", "large"))

    assert refused == (452, b"4.3.1 cannot store the mail: File too large")
    assert [path.name for path in during] == ["000000000.eml"]
    assert seen == ["due"]
    assert [path.name for path in mails(endpoints)] == ["000000000.eml", "000000001.eml", "000000002.eml"]
    assert shown(endpoints) == ["large", "small", "due"]
    stack.check()


@pytest.mark.parametrize("act", ["mkdir", "rename"])
def test_mail_that_cannot_get_its_place_is_refused_whole_and_the_next_one_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """A full disk also refuses names: at a new folder, or at the last step."""
    box = Mailbox(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, act, full)
        with pytest.raises(OSError, match="No space left"):
            box.put("a", ["b"], b"body")
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    stored = box.put("a", ["b"], b"body")

    assert (left, stored.name) == ([], "000000000.eml")


def test_page_listens_on_loopback_only(endpoints: Endpoints) -> None:
    port = urlsplit(endpoints.inbox_url).port
    assert port is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=5)


def test_inbox_in_a_container_listens_where_it_is_told_and_answers_to_its_name(tmp_path: Path, free: list[int]) -> None:
    """As a compose file runs it: all addresses, by an explicit option, and asked for by its service's name."""
    smtp_port, page_port = free
    options = ["--port", smtp_port, "--http-port", page_port, "--dir", tmp_path / "mails"]
    options += ["--host", "0.0.0.0", "--http-name", "inbox"]  # noqa: S104 - what is tested
    with subprocess.Popen([sys.executable, "-m", "duly_local.inbox", *map(str, options)]) as inbox:
        try:
            assert waiting.until(lambda: answers(smtp_port), within_s=20)
            with smtplib.SMTP("127.0.0.2", smtp_port, timeout=10) as smtp:
                smtp.sendmail("a@example.org", ["b@example.org"], MAIL)
            by_name = status(page_port, "inbox:8025")
            by_another = status(page_port, "evil.example")
        finally:
            inbox.terminate()
            ended = inbox.wait(timeout=10)

    assert (by_name, by_another, ended) == (b"HTTP/1.1 200 OK", b"HTTP/1.1 421 Misdirected Request", 0)


@pytest.fixture
def free() -> list[int]:
    """Choose two ports."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return [one.getsockname()[1], two.getsockname()[1]]


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.2", port), timeout=1) as connection:
            return connection.recv(4) == b"220 "
    except OSError:
        return False


def status(port: int, host: str) -> bytes:
    """Ask the page on another address of this machine, under a name, for its first line."""
    with socket.create_connection(("127.0.0.2", port), timeout=5) as connection:
        connection.sendall(f"GET /api/mails HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(1_000).partition(b"\r\n")[0]


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

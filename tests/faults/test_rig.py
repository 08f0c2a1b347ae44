"""The lying server keeps its own promises, and the naive sender fails against it."""

import hashlib
import itertools
import json
import socket
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.checker import check, gather
from tests.faults.logs import read
from tests.faults.naive import send_naively
from tests.faults.plan import IN_THE_OPEN, REFUSES_FOR_S, TLS_FAILURES, Fault, Plan, Shares, Where
from tests.faults.processes import PROJECT, smtp_server
from tests.faults.tls import TRUSTED
from tests.oracle.folder import generate

MAIL = (
    b"From: a@duly.test\r\nTo: =?utf-8?q?B=C3=B6?=\r\n <b@learners.example>\r\n"
    b"Date: Sat, 21 Sep 2013 08:00:00 +0000\r\nMessage-ID: <1@duly.test>\r\n"
    b"Duly-Outreach-Id: o-1\r\nDuly-About: AAA-2013J-1-2\r\nDuly-Step: 14\r\n\r\n"
)
ENVELOPE = b"MAIL FROM:<a@duly.test>\r\nRCPT TO:<b@learners.example>\r\nDATA\r\n"


@contextmanager
def talk(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.recv(1000)
        yield connection


def answers(connection: socket.socket, sent: bytes, expected: int) -> list[bytes]:
    """Send, and read as many reply lines as expected, or fewer if the connection ends."""
    connection.sendall(sent)
    received = b""
    while received.count(b"\r\n") < expected:
        try:
            more = connection.recv(10_000)
        except ConnectionResetError:
            break
        if not more:
            break
        received += more
    return received.splitlines()


def test_server_takes_pipelined_mails_and_answers_each_in_order(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "log") as port, talk(port) as connection:
        mail = ENVELOPE + MAIL + b"hello\r\n.\r\n"
        replies = answers(connection, b"EHLO x\r\n" + mail + mail + b"NOOP\r\nQUIT\r\n", 14)

    codes = [int(reply[:3]) for reply in replies]
    assert codes == [250] * 4 + [250, 250, 354, 250] * 2 + [250, 221]
    assert len(list(read(tmp_path / "log"))) == 2


def test_server_keeps_headers_unfolded_and_hashes_the_body_without_its_stuffed_dots(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "log") as port, talk(port) as connection:
        answers(connection, ENVELOPE, 3)
        answers(connection, MAIL + b"..one\r\ntwo.\r\n...\r\n.\r\n", 1)

    (entry,) = read(tmp_path / "log")
    assert hashlib.sha256(b".one\r\ntwo.\r\n..\r\n").hexdigest() == entry["body_sha256"]
    assert entry["headers"]["to"] == "=?utf-8?q?B=C3=B6?= <b@learners.example>"
    assert entry["to"] == ["b@learners.example"]
    assert tuple(entry["headers"][name] for name in ("duly-outreach-id", "duly-about", "duly-step")) == (
        "o-1",
        "AAA-2013J-1-2",
        "14",
    )


def test_server_takes_a_mail_that_arrives_byte_by_byte(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "log") as port, talk(port) as connection:
        for byte in ENVELOPE + MAIL + b"hello\r\n.\r\n":
            connection.sendall(bytes([byte]))
        replies = answers(connection, b"", 4)

    assert replies[-1][:3] == b"250"
    assert len(list(read(tmp_path / "log"))) == 1


def test_server_has_the_mail_on_disk_when_its_250_arrives(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "log") as port, talk(port) as connection:
        answers(connection, ENVELOPE, 3)
        (reply,) = answers(connection, MAIL + b"hello\r\n.\r\n", 1)

        assert reply.startswith(b"250")
        assert len(list(read(tmp_path / "log"))) == 1


def test_server_forgets_a_mail_after_rset_and_wants_mail_before_rcpt(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "log") as port, talk(port) as connection:
        replies = answers(connection, b"MAIL FROM:<a@b>\r\nRSET\r\nRCPT TO:<c@d>\r\nDATA\r\nWHAT\r\n", 5)

    assert [reply[:3] for reply in replies] == [b"250", b"250", b"503", b"503", b"502"]


def test_server_logs_a_mail_whose_answer_it_loses_as_accepted_and_as_cut(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "log", shares=Shares(cut_after=100)) as port, talk(port) as connection:
        answers(connection, ENVELOPE, 3)

        assert answers(connection, MAIL + b"hello\r\n.\r\n", 1) == []

    (accepted,), (fault,) = read(tmp_path / "log"), read(tmp_path / "log.faults")
    assert accepted["headers"] == fault["headers"]
    assert (fault["deed"], fault["where"]) == ("cut", "accepted")


def test_server_never_logs_a_mail_as_accepted_that_it_cut_before(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "log", shares=Shares(cut_before=200)) as port:
        for number in range(6):
            address = b"RCPT TO:<b%d@learners.example>\r\n" % number
            with talk(port) as connection:
                answers(connection, b"MAIL FROM:<a@b>\r\n" + address + b"DATA\r\n", 3)
                try:
                    answers(connection, MAIL + b"hello\r\n.\r\n", 1)
                except BrokenPipeError:
                    continue

    deeds = [fault["deed"] for fault in read(tmp_path / "log.faults")]
    assert deeds == ["cut"] * 6
    assert list(read(tmp_path / "log")) == []


def drawn(seed: int) -> list[tuple[str, Where, int | None]]:
    """Play 4,000 stubborn attempts of 400 mails to 50 addresses against a plan."""
    plan = Plan(seed, Shares(refuse=60, cut_before=20, cut_after=20))
    told = []
    for attempt in range(4_000):
        identity = f"mail-{attempt % 400}"
        address = f"learner{attempt % 50}@learners.example"
        fault = plan.at_rcpt(address) or plan.at_data(address) or plan.at_headers(identity, address)
        if fault is not None:
            known = fault.where in {Where.FINAL_DOT, Where.MID_BODY, Where.WHOLE_BODY, Where.ACCEPTED}
            told.append((identity if known else address, fault.where, fault.code))
    return told


def test_plan_refuses_a_mail_at_most_three_times_and_cuts_it_at_most_once() -> None:
    refused = Counter(name for name, _, code in drawn(1) if code is not None)
    cut = Counter(name for name, _, code in drawn(1) if code is None)

    assert max(times for name, times in refused.items() if name.startswith("mail")) == 1
    assert max(times for name, times in refused.items() if name.startswith("learner")) == 2
    assert {1} == set(cut.values())
    early = {name for name in cut if name.startswith("learner")}
    late = {f"learner{int(name[5:]) % 50}@learners.example" for name in cut if name.startswith("mail")}
    assert early
    assert late
    assert not early & late


def test_plan_uses_every_lie_and_draws_the_same_from_the_same_seed() -> None:
    first = drawn(1)

    assert first == drawn(1)
    assert first != drawn(2)
    assert set(Where) - {Where.MAIL, Where.DRIP, Where.SLOW, Where.BOUNCED, *TLS_FAILURES} == {
        where for _, where, _ in first
    }
    assert {421, 451, None} == {code for _, _, code in first}


def test_plan_refuses_at_mail_rarely_so_that_no_mail_meets_it_often() -> None:
    plan = Plan(1, Shares(refuse=100))
    refused = [number for number in range(1_000) if plan.at_mail() is not None]

    gaps = [after - before for before, after in itertools.pairwise(refused)]
    assert refused
    assert min(gaps) >= 64


def test_plan_lets_connections_fail_in_every_way_and_refuses_only_before_what_it_refused_comes_back() -> None:
    """A refused mail comes back after 60 s: a second refusal would cost it five minutes more."""
    now_s = 1_000.0
    plan = Plan(1, Shares(refuse=300, cut_before=400, tls=20), gentle=True, clock=lambda: now_s)
    ways = {fault.where for _ in range(100) if (fault := plan.at_starttls()) is not None}

    assert ways == set(TLS_FAILURES)
    assert plan.at_rcpt("a@b") is not None
    now_s += REFUSES_FOR_S + 0.1
    assert [plan.at_starttls() for _ in range(100)] == [None] * 100
    assert plan.at_rcpt("c@d") is None
    assert {plan.at_data(f"{number}@d") for number in range(20)} == {Fault(Where.AFTER_354)}
    assert plan.at_headers("e", "0@d") is None


@contextmanager
def under_tls(port: int) -> Iterator[ssl.SSLSocket]:
    """Ask for TLS as messenger does, trusting whom the rig has it trust."""
    with talk(port) as connection:
        assert [reply[:3] for reply in answers(connection, b"EHLO x\r\nSTARTTLS\r\n", 6)][-1] == b"220"
        context = ssl.create_default_context(cafile=str(TRUSTED))
        with context.wrap_socket(connection, server_hostname="127.0.0.1") as secured:
            yield secured


def test_server_takes_mail_under_tls_and_none_in_the_open(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "log", 1, Shares(), "--tls") as port:
        with talk(port) as connection:
            assert answers(connection, b"MAIL FROM:<a@b>\r\n", 1)[0].startswith(b"530")
        with under_tls(port) as secured:
            answers(secured, ENVELOPE, 3)
            assert answers(secured, MAIL + b"hello\r\n.\r\n", 1)[0].startswith(b"250")

    (accepted,), (fault,) = read(tmp_path / "log"), read(tmp_path / "log.faults")
    assert accepted["secure"]
    assert fault["deed"] == IN_THE_OPEN


def test_server_lets_a_handshake_come_to_nothing_in_each_of_its_ways(tmp_path: Path) -> None:
    """Refused, garbage, a stranger's certificate, one of another name: a client that checks goes on with none."""
    met = []
    with smtp_server(tmp_path / "log", 1, Shares(tls=100)) as port:
        for _ in TLS_FAILURES:
            try:
                with under_tls(port):
                    met.append("none")
            except (AssertionError, ssl.SSLError) as error:
                met.append(getattr(error, "verify_message", None) or type(error).__name__)

    assert met[:2] == ["AssertionError", "SSLError"]
    assert "self-signed" in met[2].replace("self signed", "self-signed")
    assert "IP address mismatch" in met[3]
    assert [entry["where"] for entry in read(tmp_path / "log.faults")] == [*TLS_FAILURES]


def test_naive_sender_passes_the_checker_when_the_server_is_honest(tmp_path: Path) -> None:
    folder = generate(tmp_path / "data", learners=8, seed=1)
    with smtp_server(tmp_path / "log") as port:
        send_naively(folder, "127.0.0.1", port)

    evidence = gather(folder, tmp_path / "log", tmp_path / "log.faults", {"parked": []}, kills=0)
    assert len(evidence.accepted) > 40
    assert check(evidence) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_naive_sender_fails_the_checker_when_the_server_lies(tmp_path: Path, seed: int) -> None:
    """The negative control of every campaign: a rig that passes this sender is broken."""
    folder = generate(tmp_path / "data", learners=60, seed=seed)
    shares = Shares(refuse=8, cut_before=2, cut_after=2)
    with smtp_server(tmp_path / "log", seed, shares) as port:
        command = [sys.executable, "-m", "tests.faults.naive", str(folder)]
        command += ["--smtp", f"smtp://127.0.0.1:{port}"]
        ended = subprocess.run(command, check=True, cwd=PROJECT, capture_output=True, timeout=50)

    outcome = json.loads(ended.stdout)
    evidence = gather(folder, tmp_path / "log", tmp_path / "log.faults", outcome, kills=0)
    kinds = Counter(violation.kind for violation in check(evidence))
    cuts = evidence.faults.by_deed["cut accepted"]
    assert cuts > 0
    assert cuts == kinds["doubled"]

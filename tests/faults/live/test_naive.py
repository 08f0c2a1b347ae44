"""The negative control: a sender as it is usually written fails the live checker; a rig that passes it is broken."""

from collections import Counter
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.faults.live.evidence import Evidence, read_mail
from tests.faults.live.given import NOW, facts, notices, raw
from tests.faults.live.judge import check
from tests.faults.live.place import HOST, Diary, Place
from tests.faults.live.truth import Notice, fold
from tests.faults.naive import send
from tests.faults.plan import Shares
from tests.faults.processes import smtp_server


def mail(notice: Notice) -> EmailMessage:
    """Write one reminder, with all that the checker looks for."""
    key = notice.key
    written = EmailMessage()
    written["From"] = "naive@staff.example"
    written["To"] = f"Vera CNRY{key.tenant}{key.person}x <{notice.to}>"
    written["Date"] = formatdate(NOW.timestamp())
    written["Message-ID"] = f"<{key.tenant}-{key.assignment}-{key.step}@staff.example>"
    written["Duly-About"] = key.assignment
    written["Duly-Step"] = key.step
    written.set_content(f"Safety TRNG{key.tenant}{key.assignment}x is due.\n")
    return written


@pytest.mark.parametrize("cut_percent", [0, 8])
def test_naive_sender_fails_the_live_checker_as_often_as_its_answers_are_cut(tmp_path: Path, cut_percent: int) -> None:
    place, told = Place(tmp_path), facts(5)
    place.create()
    Diary(place.note("raw")).say_all(raw(told))
    known = notices(told)
    with smtp_server(place.note("accepts"), 5, Shares(cut_after=cut_percent)) as port:
        for notice in known.values():
            if notice.verdict != "never":
                send(mail(notice), HOST, port)
    evidence = Evidence(known, [])
    read_mail(evidence, fold(raw(told)), place)

    kinds = Counter(violation.kind for violation in check(evidence))
    assert kinds["I2 doubled"] == evidence.lies["cut accepted"]
    assert (kinds["I2 doubled"] > 0) == (cut_percent > 0)
    assert kinds["I1 lost"] == sum(notice.verdict == "never" for notice in known.values())
    assert kinds["I8 wrong tenant"] == 0

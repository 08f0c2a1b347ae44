"""Templates as admins write them: which one somebody gets, in which version, and where its links lead."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from messenger.settings import Settings
from messenger.templates import load
from messenger.words.unsendable import Unsendable
from tests.unit.messenger.given_mails import a_request, a_writer, parsed, part
from tests.unit.messenger.given_templates import a_version, exchange


def test_tenant_without_its_own_gets_the_shipped_message(tmp_path: Path) -> None:
    exchange(a_version(tmp_path) / "en.yaml", "Your training is due soon", "Acme asks")
    writer = a_writer(catalogue=load(tmp_path))
    acme, globex = (writer.write(replace(a_request(), tenant=tenant)) for tenant in ("acme", "globex"))

    assert "Acme asks" in part(acme, "html")
    assert "Your training is due soon" in part(globex, "html")
    assert globex.wording == a_writer().write(a_request()).wording


def test_highest_version_wins_and_a_letter_names_it(tmp_path: Path) -> None:
    for number in (2, 10, 9):
        exchange(a_version(tmp_path, number) / "en.yaml", "Reminder:", f"Number {number}:")

    letter = a_writer(catalogue=load(tmp_path)).write(a_request())

    assert parsed(letter)["Subject"].startswith("Number 10:")
    assert re.fullmatch(r"10\.en\.[0-9a-f]{12}", letter.wording)


def test_wordings_version_changes_with_every_letter_of_it(tmp_path: Path) -> None:
    exchange(a_version(tmp_path) / "en.yaml", "nothing more to do.", "nothing more to do!")

    assert a_writer(catalogue=load(tmp_path)).write(a_request()).wording != a_writer().write(a_request()).wording


@pytest.mark.parametrize(
    ("link", "allowed"),
    [
        ("https://lms.acme.example/x", True),
        ("https://LMS.acme.example/x", True),
        ("https://a.learn.example/x", True),
        ("https://learn.example/x", False),
        ("https://lms.acme.example.evil.example/", False),
        ("https://evil.example/?lms.acme.example", False),
        ("https://evillearn.example/", False),
    ],
)
def test_link_leads_only_to_the_hosts_of_the_tenant(link: str, allowed: bool) -> None:
    """S-31."""
    settings = Settings.sample(link_hosts="acme=lms.acme.example, *.learn.example; globex=lms.globex.example")
    writer = a_writer(hosts=settings.link_hosts)

    if allowed:
        assert link in part(writer.write(a_request(link=link)), "plain")
    else:
        with pytest.raises(Unsendable, match="value_bad: link"):
            writer.write(a_request(link=link))

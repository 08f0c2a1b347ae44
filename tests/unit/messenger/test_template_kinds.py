"""Words of channels beside mail: the same folder, manifest and allow-list, and what a channel demands of them."""

from pathlib import Path

import pytest

from messenger.templates import load
from messenger.words.unsendable import NotWorded
from tests.unit.messenger.given_mails import a_request, a_writer
from tests.unit.messenger.given_templates import a_version, exchange, refused


def test_words_of_a_text_stand_beside_the_mails_in_every_language() -> None:
    texts = [wording.on("sms") for wording in load().of("acme", "deadline-reminder")]

    assert [text.language for text in texts] == ["en", "de"]
    assert all("[[" not in text.sources.text and "STOP" in text.sources.text for text in texts)


def test_mail_keeps_its_version_when_the_words_of_a_text_change(tmp_path: Path) -> None:
    exchange(a_version(tmp_path) / "en.yaml", "Reply STOP", "Answer STOP")

    assert a_writer(catalogue=load(tmp_path)).write(a_request()).wording == a_writer().write(a_request()).wording
    assert load(tmp_path).of("acme", "deadline-reminder")[0].on("sms").version.startswith("1.en.")
    assert len({load(tmp_path).of(one, "deadline-reminder")[0].on("sms").version for one in ("acme", "globex")}) == 2


def test_message_without_words_for_a_channel_says_so(tmp_path: Path) -> None:
    path = a_version(tmp_path)
    (path / "sms.txt").unlink()
    for language in ("en", "de"):
        words = (path / f"{language}.yaml").read_text("utf-8").splitlines(keepends=True)
        (path / f"{language}.yaml").write_text("".join(line for line in words if not line.startswith(("sms_", "opt"))))

    with pytest.raises(NotWorded, match="not_worded: sms"):
        load(tmp_path).of("acme", "deadline-reminder")[0].on("sms")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[opt_out]]", "", "sms.txt:1: no place for [[opt_out]]: every text says how to get no more"),
        ("{{ link }}", "", "sms.txt:1: {{ link }} is not said: a text leads straight to the training"),
        ("{{ link }}", "{{ lnk }}", "sms.txt:6: unknown value 'lnk', did you mean 'link'?"),
        ("{{ link }}", "{{ 'a'*200000000 }}", "sms.txt:6: arithmetic and joining are not allowed"),
    ],
)
def test_layout_of_a_text_is_refused_for(tmp_path: Path, old: str, new: str, said: str) -> None:
    exchange(a_version(tmp_path) / "sms.txt", old, new)

    assert any(line.startswith(f"acme/deadline-reminder/1/{said}") for line in refused(tmp_path))


def test_way_out_must_hold_the_word_that_every_provider_knows(tmp_path: Path) -> None:
    exchange(a_version(tmp_path) / "de.yaml", "Antworten Sie mit STOP", "Antworten Sie mit HALT")

    assert refused(tmp_path) == ["acme/deadline-reminder/1/de.yaml:18: opt_out: the word STOP is not in it"]

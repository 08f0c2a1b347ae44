"""A language that nobody speaks, long and full of accents: no word is hard-wired, and no layout is too narrow."""

import re
from pathlib import Path

import pytest
import yaml

from messenger.channel import Letter
from messenger.templates import load
from messenger.words.request import Reader
from tests.unit.messenger.given_mails import a_request, a_writer, part
from tests.unit.messenger.given_templates import SHIPPED, a_version, exchange
from tests.unit.messenger.seen_html import Texts

ACCENTS = str.maketrans("aceinouyAEIOUSTdlgrhkwmpbfvst", "àçéîñöûýÅÉÎÖÛŠŤðļĝŕĥķŵɱþƀƒṽšţ")
PSEUDO = "en-AU"  # any locale with English rules that has no words of its own
JINJA = re.compile(r"(\{\{.*?\}\}|\{%.*?%\}|STOP)")  # STOP is the same word in every language
LINK = "https://0.1/2"  # in no letters: what is left in plain letters was not said by the words
ANYBODY = Reader(address="0@1.example", name="0 1", zone="UTC", locale=PSEUDO)
WIDEST_PX = 600


def stretched(sentence: str) -> str:
    """Put accents on a sentence and make it half as long again, its values left alone."""
    pieces = [piece if JINJA.fullmatch(piece) else piece.translate(ACCENTS) for piece in JINJA.split(sentence)]
    return "".join(pieces) + " " + "ōṽéŕ " * (len(JINJA.sub("", sentence)) // 10)


@pytest.fixture(name="letter")
def letter_fixture(tmp_path: Path) -> Letter:
    path = a_version(tmp_path)
    exchange(path / "message.yaml", "[en, de]", f"[en, de, {PSEUDO}]")
    words = yaml.safe_load((SHIPPED / "en.yaml").read_text("utf-8"))
    said = {
        name: {form: text if form == "of" else stretched(text) for form, text in value.items()}
        if isinstance(value, dict)
        else stretched(value)
        for name, value in words.items()
    }
    (path / f"{PSEUDO}.yaml").write_text(yaml.safe_dump(said, allow_unicode=True, sort_keys=False), "utf-8")
    return a_writer(catalogue=load(tmp_path)).write(a_request(ANYBODY, training_title="2026", link=LINK))


def test_every_word_of_a_mail_comes_from_its_language(letter: Letter) -> None:
    page = Texts.read(part(letter, "html"))
    html = " ".join(text for text, look in page.seen if look.shown)
    allowed = re.compile(r"31 January 2014|11:59.pm|UTC|https")

    for text in (html, part(letter, "plain")):
        assert re.findall(r"[A-Za-z]{2,}", allowed.sub("", text)) == []
        assert text.count("ōṽéŕ") > 10


def test_layout_holds_when_all_words_are_half_as_long_again(letter: Letter) -> None:
    """No width but the whole mail's, no height at all around words, and long words break."""
    page = Texts.read(part(letter, "html"))
    styles = [attributes.get("style") or "" for _, attributes in page.tags]
    cells = [style for style in styles if "word-break:break-word" in style]
    sizes = [int(px) for style in styles for px in re.findall(r"(?:^|;)(?:max-)?width:(\d+)px", style)]

    assert max(sizes) <= WIDEST_PX
    assert len(cells) > 5
    assert [style for style in styles if re.search(r"(?:^|;)height:[1-9]", style)] == []
    assert "white-space:nowrap" not in part(letter, "html")

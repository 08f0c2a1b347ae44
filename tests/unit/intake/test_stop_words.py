"""Every way in which people say STOP stops; what is no keyword is marked for a person (SECURITY 13)."""

# ruff: noqa: RUF001 - letters that look alike are what is tested

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.look_alikes import latin
from intake.stop_words import Heard, Wish, heard
from intake.wishes import ALONE, KEYWORDS, WISHES

LAW = ("stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe")
"""47 CFR 64.1200(a)(10)."""
BETWEEN = ("", " ", "  ", ".", "-", "_", "'", "!", "*", "\u200b", "\u200d", "\u00ad", "\ufeff", "\t", "\n", "…", "~")
TWINS = {
    "s": "ѕՏｓ𝐬ꜱ",
    "t": "тТᎢｔ𝐭",
    "o": "оοО0օｏ",
    "p": "рΡｐ𝐩",
    "e": "еЕｅ",
    "n": "Νｎ",
    "c": "сϲｃ",
    "a": "аＡ",
}


def wish(text: str) -> Heard:
    return heard(text, latin)


@st.composite
def variants(draw: st.DrawFn) -> str:
    """Write a word of the law in any case, with anything between its letters and around it."""
    word = draw(st.sampled_from(LAW))
    between = draw(st.sampled_from(BETWEEN))
    letters = [draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in word]
    around = st.text(st.sampled_from(" .,!?-*\"'()\u200b\n"), max_size=4)
    return draw(around) + between.join(letters) + draw(around)


@st.composite
def disguises(draw: st.DrawFn) -> str:
    """Write a word of the law with letters that look alike."""
    word = draw(st.sampled_from(LAW))
    return "".join(draw(st.sampled_from(letter + letter.upper() + TWINS.get(letter, ""))) for letter in word)


@given(variants())
def test_every_casing_spacing_and_punctuation_of_a_stop_word_stops(text: str) -> None:
    assert wish(text) == Heard(Wish.STOP, "keyword")


@given(disguises())
def test_letters_that_look_alike_are_the_letters_they_look_like(text: str) -> None:
    assert wish(text).wish is Wish.STOP


@given(variants(), st.text(max_size=60), st.text(max_size=60))
def test_stop_word_that_stands_alone_between_other_words_stops(text: str, before: str, after: str) -> None:
    assert wish(f"{before} {text} {after}").wish is Wish.STOP or wish(text).wish is not Wish.STOP


@pytest.mark.parametrize("text", [" Stop. ", "STOP please", "ＳＴＯＰ", "st\u200bop", "STОP", "Bitte STOP", "Opt-Out"])
def test_s65_stop_however_it_is_typed_is_a_keyword(text: str) -> None:
    assert wish(text) == Heard(Wish.STOP, "keyword")


@pytest.mark.parametrize(
    "text",
    [
        *("ok stop", "please leave me alone", "pare", "arrêt", "ARRET", "Arrêtez svp", "Stopp", "Hör auf!", "hor auf"),
        *("Don't text me", "dont contact me again", "wrong number", "Bitte keine SMS mehr", "lasst mich in Ruhe"),
        *("désabonner", "laissez-moi tranquille", "ne m'envoyez plus de messages", "dar de baja", "no más mensajes"),
        *("No me escriban más", "please don't stop", "when does the training end?", "Abmelden", "stop sending me this"),
    ],
)
def test_s66_wish_or_doubt_stops_and_is_marked_for_review(text: str) -> None:
    found = wish(text)

    assert found.wish is Wish.STOP
    assert found.to_review


@pytest.mark.parametrize("text", ["START", " start ", "Start.", "UNSTOP", "ＳＴＡＲＴ"])
def test_start_as_the_whole_text_is_a_start(text: str) -> None:
    assert wish(text) == Heard(Wish.START, "keyword")


@pytest.mark.parametrize("text", ["start stop", "please start", "when do we start?", "restart", "starting"])
def test_start_within_other_words_brings_nothing_back(text: str) -> None:
    assert wish(text).wish is not Wish.START


@pytest.mark.parametrize("text", ["HELP", "help?", "Info", "Hilfe", "aide", "AYUDA"])
def test_help_is_help(text: str) -> None:
    assert wish(text).wish is Wish.HELP


@pytest.mark.parametrize("text", ["", " ", "1", "Thanks!", "done", "I finished it yesterday", "👍", "\x00", "Weekend?"])
def test_other_text_is_left_alone(text: str) -> None:
    assert wish(text) == Heard(Wish.OTHER)


@given(st.text(max_size=2_000))
def test_any_text_has_an_answer(text: str) -> None:
    assert wish(text).wish in Wish


def test_long_text_is_read_to_its_limit_only() -> None:
    assert wish("x " * 800 + "stop").wish is Wish.OTHER
    assert wish("a" * 100_000).wish is Wish.OTHER


def test_lists_are_written_as_they_are_compared() -> None:
    """A wish with a capital, a mark or a sign would never be found."""
    assert [one for one in KEYWORDS | ALONE if not one.isascii() or not one.isalpha() or not one.islower()] == []
    assert [one for one in WISHES if not one.replace(" ", "").isascii() or one != " ".join(one.lower().split())] == []
    assert [one for one in WISHES | ALONE if wish(one).wish is not Wish.STOP] == []

"""Templates in languages: which one somebody gets, plural forms, moments, and from the right to the left."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from messenger.counts import Counts
from messenger.templates import load
from tests.unit.messenger.given_mails import ANN, a_request, a_writer, parsed, part
from tests.unit.messenger.given_templates import EN_WORDS, a_version, exchange, refused

NOW = datetime(2014, 2, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locale", "tenant_locale", "site", "language"),
    [
        ("de-AT", None, "en", "de-AT"),
        ("de-CH", None, "en", "de"),
        ("de_CH", None, "en", "de"),
        ("DE", None, "en", "de"),
        ("fr-FR", "de", "en", "de"),
        ("fr-FR", None, "de-CH", "de"),
        ("fr-FR", "it", "es", "en"),
        (None, "de-AT", "en", "de-AT"),
        (None, None, "de", "de"),
        ("no such locale!", None, "en", "en"),
    ],
)
def test_language_falls_back_to_language_tenant_site_and_english(
    tmp_path: Path, locale: str | None, tenant_locale: str | None, site: str, language: str
) -> None:
    """LIBRARIES.md 3: person, site, tenant, English; and never a key in place of a text."""
    path = a_version(tmp_path)
    exchange(path / "message.yaml", "[en, de]", "[en, de, de-AT]")
    (path / "de-AT.yaml").write_text((path / "de.yaml").read_text("utf-8").replace("Guten Tag", "Grüß Gott"), "utf-8")
    catalogue = load(tmp_path, site, {"acme": tenant_locale} if tenant_locale else {})

    letter = a_writer(catalogue=catalogue).write(a_request(replace(ANN, locale=locale)))

    assert parsed(letter)["Content-Language"] == language
    assert "[[" not in part(letter, "plain") + part(letter, "html")


def test_message_without_english_is_sent_in_its_first_language(tmp_path: Path) -> None:
    path = a_version(tmp_path)
    exchange(path / "message.yaml", "[en, de]", "[de]")
    (path / "en.yaml").unlink()

    letter = a_writer(catalogue=load(tmp_path)).write(a_request())

    assert parsed(letter)["Subject"] == "Erinnerung: Fire safety & first aid ist am 31. Januar 2014 fällig"


def test_dates_are_said_in_the_language_of_the_words() -> None:
    """No joined fragments: a sentence is in one language."""
    writer = a_writer(catalogue=load(None, "en-GB"))

    assert (
        "is due on 1 February 2014"
        in parsed(writer.write(a_request(replace(ANN, zone="Asia/Tokyo", locale="ja"))))["Subject"]
    )


def test_missing_translation_is_counted(tmp_path: Path) -> None:
    counts = Counts()
    writer = a_writer(catalogue=load(tmp_path), counts=counts)
    for locale in ("fr-FR", "fr", "de-AT", "en", None):
        writer.write(a_request(replace(ANN, locale=locale)))

    assert counts.missing.labels("messenger", "deadline-reminder", "fr")._value.get() == 2
    assert [one.labels["language"] for metric in counts.missing.collect() for one in metric.samples] == [
        "fr",
        "fr",
    ], "its count, and when it began"


@pytest.mark.parametrize(
    ("language", "forms", "wanted"),
    [
        ("ru", {"one", "other"}, "Russian also needs the form 'few'"),
        ("pl", {"one", "few", "other"}, "Polish also needs the form 'many'"),
        ("ar", {"one", "two", "few", "many", "other"}, "Arabic also needs the form 'zero'"),
        ("pl", {"one", "few", "many", "other"}, ""),
        ("ja", {"other"}, ""),
    ],
)
def test_plural_has_every_form_that_the_language_needs(
    tmp_path: Path, language: str, forms: set[str], wanted: str
) -> None:
    """LIBRARIES.md 3: full sentences with plural forms, by CLDR's rules."""
    path = a_version(tmp_path)
    exchange(path / "message.yaml", "[en, de]", f"[en, {language}]")
    (path / "de.yaml").unlink()
    words = EN_WORDS.read_text("utf-8").partition("  0: That is today.\n")
    rest = words[2].partition("zone_unknown:")
    said = "".join(f"  {form}: <{form}> {{{{ due_in_days }}}}\n" for form in sorted(forms))
    (path / f"{language}.yaml").write_text(f"{words[0]}{said}zone_unknown:{rest[2]}", "utf-8")

    assert [line for line in refused(tmp_path) if line.endswith(wanted)] if wanted else load(tmp_path)


@pytest.mark.parametrize(("days", "form"), [(0, "many"), (1, "one"), (2, "few"), (5, "many"), (22, "few")])
def test_plural_form_is_the_languages_own(tmp_path: Path, days: int, form: str) -> None:
    test_plural_has_every_form_that_the_language_needs(tmp_path, "pl", {"one", "few", "many", "other"}, "")
    to = replace(ANN, zone="UTC", locale="pl-PL")
    letter = a_writer(catalogue=load(tmp_path)).write(
        a_request(to, due_at=f"2014-02-{17 + days - 14:02}T12:00:00Z", now=NOW)
    )

    assert f"<{form}> {days}" in part(letter, "plain")
    assert f"&lt;{form}&gt; {days}" in part(letter, "html")


def test_right_to_left_language_is_laid_out_from_the_right(tmp_path: Path) -> None:
    path = a_version(tmp_path)
    exchange(path / "message.yaml", "[en, de]", "[en, he]")
    (path / "de.yaml").unlink()
    he = EN_WORDS.read_text("utf-8").replace("  other: That", "  two: In two days.\n  one: In a day.\n  other: That")
    (path / "he.yaml").write_text(he, "utf-8")

    html = part(a_writer(catalogue=load(tmp_path)).write(a_request(replace(ANN, locale="he-IL"))), "html")

    assert '<html lang="he" dir="rtl"' in html
    assert "direction:ltr" not in html
    assert "text-align:left;color" not in html

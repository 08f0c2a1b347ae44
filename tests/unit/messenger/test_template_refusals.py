"""Templates that are refused when they are loaded, each with its file, its line and plain words."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from duly_chassis.policy_file import PolicyError
from messenger.app import build
from messenger.settings import Settings
from tests.unit.messenger.given_templates import a_version, exchange, refused

BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a loop": (
        "en.yaml:4",
        lambda path: exchange(
            path / "en.yaml", "Hello{% if name %} {{ name }}{% endif %},", "Hi{% for n in name %}{{ n }}{% endfor %}"
        ),
        "greeting: loops are not allowed",
    ),
    "an attribute": (
        "de.yaml:3",
        lambda path: exchange(path / "de.yaml", "Ihre Schulung ist bald", "Ihre {{ name.__class__ }} ist bald"),
        "heading: values have no attributes",
    ),
    "an unknown value": (
        "en.yaml:5",
        lambda path: exchange(path / "en.yaml", "“{{ training_title }}”", "“{{ training_name }}”"),
        "still_open: unknown value 'training_name'",
    ),
    "a value that is not compared with its like": (
        "en.yaml:1",
        lambda path: exchange(path / "en.yaml", "Open the training", "Open{% if link > 3 %}!{% endif %}"),
        "cannot be rendered",
    ),
    "a missing sentence": (
        "de.yaml:1",
        lambda path: exchange(path / "de.yaml", "heading: Ihre Schulung ist bald fällig\n", ""),
        "missing sentence 'heading'",
    ),
    "a misspelt sentence": (
        "en.yaml:4",
        lambda path: exchange(path / "en.yaml", "greeting:", "greting:"),
        "unknown sentence 'greting', did you mean 'greeting'?",
    ),
    "a sentence without words": (
        "en.yaml:3",
        lambda path: exchange(path / "en.yaml", "heading: Your training is due soon", "heading:"),
        "heading: not a sentence",
    ),
    "a missing language": (
        "fr.yaml:1",
        lambda path: exchange(path / "message.yaml", "[en, de]", "[en, de, fr]"),
        "cannot be read (No such file or directory)",
    ),
    "a language nobody knows": (
        "message.yaml:3",
        lambda path: exchange(path / "message.yaml", "[en, de]", "[en, klingon]"),
        "languages.1: 'klingon' is not a language",
    ),
    "a file nobody would read": (
        "fr.yaml:1",
        lambda path: (path / "fr.yaml").write_text("subject: x\n"),
        "no part of this message",
    ),
    "a misspelt key": (
        "message.yaml:2",
        lambda path: exchange(path / "message.yaml", "owner:", "ownr:"),
        "unknown key 'ownr', did you mean 'owner'?",
    ),
    "a misspelt key of a value": (
        "message.yaml:7",
        lambda path: exchange(path / "message.yaml", "needed: no", "neded: no"),
        "unknown key 'neded', did you mean 'needed'?",
    ),
    "an unknown type": (
        "message.yaml:6",
        lambda path: exchange(path / "message.yaml", "type: instant", "type: date"),
        "values.due_at.type: 'date' is none of 'text', 'instant' or 'url'",
    ),
    "a moment that may be missing": (
        "message.yaml:6",
        lambda path: exchange(path / "message.yaml", "sample: 14", "sample: 14, needed: no"),
        "an instant is always needed",
    ),
    "a value that has the name of another": (
        "message.yaml:1",
        lambda path: exchange(path / "message.yaml", "values:", "values:\n  due_day: {type: text, sample: x}"),
        "is already said of",
    ),
    "an image": (
        "body.mjml:1",
        lambda path: exchange(
            path / "body.mjml", "<mj-section", "<mj-image src='https://x.example/a.png' /><mj-section"
        ),
        "<mj-image> is not allowed",
    ),
    "an include": (
        "body.mjml:1",
        lambda path: exchange(path / "body.mjml", "<mj-section", "<mj-include path='/etc/passwd' /><mj-section"),
        "<mj-include> is not allowed",
    ),
    "a remote background": (
        "body.mjml:1",
        lambda path: exchange(
            path / "body.mjml", "<mj-section", '<mj-section background-url="https://x.example/a.png"'
        ),
        "mj-section background-url: not allowed",
    ),
    "a style": (
        "body.mjml:3",
        lambda path: exchange(path / "body.mjml", 'padding="0 32px 20px"', 'color="red;background:url(x)"'),
        "is not a plain size, colour or word",
    ),
    "a script": (
        "body.mjml:3",
        lambda path: exchange(path / "body.mjml", "<h1>", "<script>alert(1)</script><h1>"),
        "<script> is not allowed",
    ),
    "an address that is no value": (
        "body.mjml:17",
        lambda path: exchange(path / "body.mjml", "{{ link }}", "https://evil.example/"),
        "href: a value of type url (link) and nothing else",
    ),
    "a text where an address belongs": (
        "body.mjml:17",
        lambda path: exchange(path / "body.mjml", "{{ link }}", "{{ training_title }}"),
        "href: a value of type url (link) and nothing else",
    ),
    "words in the layout": (
        "body.mjml:19",
        lambda path: exchange(path / "body.mjml", "<mj-divider />", "Please!<mj-divider />"),
        "words stand in the languages' files",
    ),
    "tags that cross": (
        "body.mjml:3",
        lambda path: exchange(path / "body.mjml", "</h1></mj-text>", "</mj-text></h1>"),
        "</mj-text> ends <h1> of line 3",
    ),
    "a comment for one mail program": (
        "body.mjml:1",
        lambda path: exchange(
            path / "body.mjml", "<mj-section", "<!--[if mso]><v:image src='x'/><![endif]--><mj-section"
        ),
        "some mail programs obey comments",
    ),
    "a layout that is not closed": (
        "body.mjml:1",
        lambda path: exchange(path / "body.mjml", "</mj-section>", ""),
        "<mj-section> is never ended",
    ),
    "a condition that is not closed": (
        "body.txt:15",
        lambda path: exchange(path / "body.txt", "{{ link }}\n\n{% endif %}", "{{ link }}"),
        "not a wording",
    ),
    "no text": ("body.txt:1", lambda path: (path / "body.txt").unlink(), "cannot be read"),
    "text in another encoding": (
        "body.txt:2",
        lambda path: (path / "body.txt").write_bytes(b"a\n\xfc"),
        "not UTF-8",
    ),
    "anchors": (
        "en.yaml:2",
        lambda path: exchange(path / "en.yaml", "preheader: Due", "preheader: &a Due"),
        "anchors and aliases are not allowed",
    ),
    "a form of no number": (
        "en.yaml:8",
        lambda path: exchange(path / "en.yaml", "  other: That", "  othr: That"),
        "'othr' is no form of a number, did you mean 'other'?",
    ),
    "a count of nothing": (
        "en.yaml:8",
        lambda path: exchange(path / "en.yaml", "of: due_in_days", "of: due_day"),
        "'of' names what is counted: due_in_days",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_template_is_refused_when_it_is_loaded(tmp_path: Path, name: str) -> None:
    """S-28 to S-31, S-33, S-49: with file, line and plain words."""
    place, breaking, why = BROKEN[name]
    breaking(a_version(tmp_path))
    lines = refused(tmp_path)

    assert [line for line in lines if line.startswith(f"acme/deadline-reminder/1/{place}: ") and why in line], lines


def test_start_fails_and_names_the_file_when_a_template_is_broken(tmp_path: Path) -> None:
    """Refused when it is loaded, not when it is sent."""
    exchange(a_version(tmp_path) / "de.yaml", "Guten Tag", "Guten Tag {% if %}")
    settings = Settings.sample(templates_dir=tmp_path)

    with pytest.raises(PolicyError, match=r"acme/deadline-reminder/1/de\.yaml:4: greeting: not a wording"):
        build(settings, None)  # type: ignore[arg-type]  # no clock is asked


def test_faults_of_all_tenants_are_told_at_once(tmp_path: Path) -> None:
    for tenant in ("acme", "globex"):
        exchange(a_version(tmp_path, tenant=tenant) / "en.yaml", "subject:", "subjct:")

    assert {line.split("/")[0] for line in refused(tmp_path)} == {"acme", "globex"}


@pytest.mark.parametrize("path", ["Acme/x/1", "acme/Deadline/1", "acme/deadline-reminder/draft", "acme/x/01"])
def test_folder_with_another_name_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / path).mkdir(parents=True)

    assert "is not the folder of" in refused(tmp_path)[0]


def test_message_without_a_version_and_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "acme" / "deadline-reminder").mkdir(parents=True)

    assert "no version here" in refused(tmp_path)[0]
    assert "cannot be read" in refused(tmp_path / "nowhere")[0]


@pytest.mark.parametrize(
    "values",
    [
        {"link_hosts": "acme"},
        {"link_hosts": "acme=https://lms.example"},
        {"link_hosts": "acme=a.example; acme=b.example"},
        {"tenant_locales": "acme=klingon"},
        {"tenant_locales": "acme=de, en"},
        {"tenant_locales": "A C=de"},
    ],
)
def test_setting_by_tenant_is_refused_when_it_is_misspelt(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Settings.sample(**values)


def test_check_says_what_is_in_order_and_what_is_not(tmp_path: Path) -> None:
    """`python -m messenger.templates --check DIR` is what an admin asks before the start does."""
    path = a_version(tmp_path)
    command = [sys.executable, "-m", "messenger.templates", "--check", str(tmp_path)]
    good = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    exchange(path / "en.yaml", "subject:", "subjct:")
    bad = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "acme deadline-reminder version 1: en, de in order" in good.stdout
    assert f"{path}/en.yaml:1: unknown sentence 'subjct', did you mean 'subject'?" in bad.stderr

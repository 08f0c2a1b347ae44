"""`duly preview`: the mail or text that somebody would get now, on the screen or as files; nothing is sent."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from duly_chassis.web import Refusal
from duly_cli import asking
from duly_cli.explaining import AsJson, Token
from duly_cli.states import UpState, addresses
from duly_cli.troubles import Usage, told_plainly

SAMPLES = "duly.samples"
"""The entry points that write a sample without a running service, so that this command imports none by name."""


def preview(
    message: Annotated[str, typer.Argument(help="The message's name, for example deadline-reminder.")],
    state: UpState,
    person: Annotated[str | None, typer.Option("--person", help="The person's id in the source system.")] = None,
    locale: Annotated[str | None, typer.Option("--locale", help="Another locale than theirs, as de-AT.")] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", help="mail, slack, sms or teams; mail by default.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", envvar="DULY_TENANT", help="Whose message.")] = None,
    value: Annotated[
        list[str] | None, typer.Option("--value", help="NAME=TEXT instead of the message's sample; may be repeated.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="Another moment than now, as 2026-03-17T08:00:00Z.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="For a sample person; asks no service.")] = False,
    templates: Annotated[
        Path | None, typer.Option("--templates", help="With --sample: the folder of the tenants' own messages.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write it into this folder: .txt, .html and .eml.")
    ] = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show what a person would get now: subject and text here, all of it with --out or --json."""
    with told_plainly():
        query = {f"value.{name}": text for name, text in map(given, value or ())}
        said = {"message": message, "person": person, "tenant": tenant, "locale": locale, "at": at, "channel": channel}
        query |= {name: text for name, text in said.items() if text}
        answer = of_sample(query, templates) if sample else _of_person(query, state, templates, token)
        if out is not None:
            for path in written(answer, out, locale or answer["language"]):
                sys.stderr.write(f"{path}\n")
        if as_json:
            sys.stdout.write(json.dumps(answer) + "\n")
            return
        typer.echo("\n\n".join(filter(None, (answer.get("subject"), answer["text"], size(answer)))).rstrip())


def size(answer: Mapping[str, Any]) -> str:
    """Say how long a text is; of a mail nothing."""
    if "segments" not in answer:
        return ""
    segments = f"{answer['segments']} segment{'' if answer['segments'] == 1 else 's'}"
    return f"({segments}, {answer['encoding']}, {answer['characters']} characters)"


def given(word: str) -> tuple[str, str]:
    """Read NAME=TEXT; raises Usage."""
    name, equals, text = word.partition("=")
    if not name or not equals:
        raise Usage(f"--value {word!r}: give it as NAME=TEXT")
    return name, text


def of_sample(query: Mapping[str, str], templates: Path | None) -> dict[str, Any]:
    """Have the sample written in this process; raises Usage for what the templates do not have."""
    if "person" in query:
        raise Usage("--sample and --person are two questions: give one of them")
    (point,) = entry_points(group=SAMPLES, name="mail")
    try:
        answer: dict[str, Any] = point.load()(query, templates)
    except Refusal as refusal:
        raise Usage(f"cannot be written: {refusal.word}") from None
    return answer


def _of_person(query: Mapping[str, str], state: Path, templates: Path | None, token: str | None) -> dict[str, Any]:
    if "person" not in query or "tenant" not in query:
        raise Usage("say whom it would go to, --person P --tenant T; or --sample")
    if templates is not None:
        raise Usage("--templates is for --sample: a running service has its own folder")
    where = addresses(state)
    if "messenger" not in where:
        raise Usage("messenger does not run here; --sample asks no service")
    answer: dict[str, Any] = asyncio.run(asking.get(where["messenger"], "/v1/preview", query, token))
    return answer


def written(answer: Mapping[str, Any], folder: Path, locale: str) -> Sequence[Path]:
    """Write the mail as three files, or what another channel sends as one, and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{answer['message']}-{''.join(one if one.isalnum() else '-' for one in locale)[:35]}"
    if "eml" in answer:
        text = f"{answer['subject']}\n\n{answer['text']}"
        contents = {"txt": text, "html": answer["html"], "eml": answer["eml"]}
    else:
        contents = {f"{answer['channel']}.txt": answer["text"]}
        if "blocks" in answer:  # what Slack's Block Kit Builder shows
            contents["slack.json"] = json.dumps({"blocks": answer["blocks"]}, ensure_ascii=False, indent=2) + "\n"
        if "card" in answer:  # what the Adaptive Cards Designer shows
            contents["teams.json"] = json.dumps(answer["card"], ensure_ascii=False, indent=2) + "\n"
    paths = []
    for ending, content in contents.items():
        path = folder / f"{name}.{ending}"
        path.write_text(content, encoding="utf-8", newline="")
        paths.append(path)
    return paths

"""`duly up` from the first start to a start after kill -9: one house, one person who hears once."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from duly_local import waiting
from tests.journeys.command import Running, ask, duly, started
from tests.journeys.facts import TENANT, TITLE, one_who_hears, one_who_is_done, publish
from tests.journeys.mails import mails
from tests.support import http

pytestmark = [pytest.mark.connected, pytest.mark.timeout(180)]

ADDRESS = re.compile(r"^(intake|messenger|reminders|roster) +(http://127\.0\.0\.1:\d+)/health/ready$", re.MULTILINE)
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "roster.csv"
TOLD_WITHIN_S = 30.0


@dataclass
class House:
    """A state folder and the `duly up` that runs on it now."""

    state: Path
    stack: ExitStack
    up: Running = field(init=False)

    def start(self) -> None:
        self.up = self.stack.enter_context(started(self.state, "up", "--state", self.state))
        self.up.ready()

    @property
    def addresses(self) -> dict[str, str]:
        return dict(ADDRESS.findall(self.up.out))

    @property
    def kafka(self) -> str:
        found = re.search(r"^Kafka +(\S+)$", self.up.out, re.MULTILINE)
        assert found is not None
        return found[1]

    @property
    def inbox(self) -> Path:
        found = re.search(r"^mails +(\S+)$", self.up.out, re.MULTILINE)
        assert found is not None
        return Path(found[1])

    @property
    def page(self) -> str:
        found = re.search(r"^inbox +(http://127\.0\.0\.1:\d+)/$", self.up.out, re.MULTILINE)
        assert found is not None
        return found[1]

    def story(self, person: str, assignment: str) -> dict[str, object]:
        """Ask what `duly explain --json` tells."""
        asked = ask("explain", person, assignment, "--tenant", TENANT, "--state", self.state, "--json")
        assert asked.returncode == 0, asked.stderr
        (line,) = asked.stdout.splitlines()
        return dict(json.loads(line))


@pytest.fixture(scope="module", name="house")
def house_fixture(place: Path) -> Iterator[House]:
    """Start a house where one person is due to hear, and one has finished already."""
    with ExitStack() as stack:
        house = House(place / "state", stack)
        house.start()
        asyncio.run(publish(house.kafka, *one_who_is_done("ben", "fire-ben"), *one_who_hears("ada", "fire-ada")))
        assert waiting.until(lambda: mails(house.inbox) != [], within_s=TOLD_WITHIN_S), house.up.err
        yield house


async def test_up_says_where_everything_is_and_all_of_it_is_ready(house: House) -> None:
    assert set(house.addresses) == {"intake", "messenger", "reminders", "roster"}
    assert re.search(r"^PostgreSQL +127\.0\.0\.1:\d+/", house.up.out, re.MULTILINE)
    for address in house.addresses.values():
        status, findings = await http.get(address, "/health/ready")
        assert (status, set(findings.values())) == (200, {"ok"})


def test_person_with_a_near_deadline_gets_exactly_one_mail(house: House) -> None:
    """G-09: whoever has finished hears nothing, and the reason is recorded."""
    done = house.story("ben", "fire-ben")["reminders"]
    (mail,) = mails(house.inbox)

    assert mail["Delivered-To"] == "ada@acme.example"
    assert (mail["Duly-About"], mail["Duly-Step"]) == ("fire-ada", "3")
    assert re.fullmatch(r"[0-9a-f-]{36}", mail["Duly-Outreach-Id"])
    assert TITLE in mail["Subject"] + str(mail.get_body(("plain",)))
    assert isinstance(done, dict)
    assert [(one["requested"], one["reason"]) for one in done["decisions"]] == [(False, "completed")]


def test_explain_tells_the_whole_story_in_words(house: House) -> None:
    asked = duly("explain", "ada", "fire-ada", "--tenant", TENANT, "--state", house.state)

    assert (asked.returncode, asked.stderr) == (0, "")
    parts = re.split(r"^(?=\S)", asked.stdout, flags=re.MULTILINE)[1:]
    heads = ["Facts received", "Planned by policy 1", "Decisions", "Messages", "Next"]
    assert [part.startswith(head) for part, head in zip(parts, heads, strict=True)] == [True] * 5
    facts, planned, decisions, messages, following = parts
    assert re.search(rf"training +{TITLE}\n.*assigned at +\d.*due at +\d", facts, re.DOTALL)
    assert re.search(r"in Etc/GMT\S+\n +3 days ahead +\d{4}-\d\d-\d\dT\d\d:00:00Z$", planned)
    assert re.search(r"3 days ahead +\S+Z +requested: moment_reached  trace [0-9a-f]{32}$", decisions)
    assert re.search(r"3 days ahead +mail sent: accepted  trace [0-9a-f]{32}\n", messages)
    assert "nothing: every step has been decided" in following


def test_explain_tells_the_same_as_one_line_of_json(house: House) -> None:
    asked = duly("explain", "ada", "fire-ada", "--tenant", TENANT, "--state", house.state, "--json")

    assert (asked.returncode, asked.stderr, asked.stdout.count("\n")) == (0, "", 1)
    story = json.loads(asked.stdout)
    reminders, messenger = story["reminders"], story["messenger"]
    assert isinstance(reminders, dict)
    assert isinstance(messenger, dict)
    assert reminders["facts"]["training"] == TITLE
    assert [moment["step"] for moment in reminders["planned"]] == ["3"]
    assert [(one["step"], one["requested"]) for one in reminders["decisions"]] == [("3", True)]
    (message,) = messenger["messages"]
    assert (message["channel"], message["state"]) == ("mail", "sent")
    assert [step["state"] for step in message["history"]] == ["posting", "sent"]


async def test_page_of_the_mails_shows_the_mail_with_its_story(house: House) -> None:
    """The story is asked from the services that run, for the person whom messenger names by the mail's own id."""
    listed = json.loads(await http.text(house.page, "/api/mails?search=ada@acme.example"))
    story = await http.text(house.page, f"/mails/{listed['items'][0]['number']}/story")

    assert [(item["about"], item["tenant"]) for item in listed["items"]] == [("fire-ada", TENANT)]
    assert "requested: moment_reached" in story
    assert "3 days ahead    mail sent: accepted" in story
    assert f"duly explain ada fire-ada --tenant {TENANT}" in story


def test_another_tenant_learns_nothing(house: House) -> None:
    asked = ask("explain", "ada", "fire-ada", "--tenant", "globex", "--state", house.state)
    story = ask("explain", "ada", "fire-ada", "--tenant", "globex", "--state", house.state, "--json")

    assert (asked.returncode, asked.stdout) == (
        0,
        "Nothing is known of this person and assignment, by those who answered.\n",
    )
    assert json.loads(story.stdout)["reminders"] == {"known": False}
    assert json.loads(story.stdout)["messenger"] == {"known": False, "messages": []}


def test_preview_shows_what_a_person_would_get_now_and_sends_nothing(house: House, tmp_path: Path) -> None:
    who = ("--person", "ada", "--tenant", TENANT, "--state", house.state)
    asked = ask("preview", "deadline-reminder", *who, "--locale", "de-AT", "--value", "training_title=Brandschutz")
    whole = ask("preview", "deadline-reminder", *who, "--json", "--out", tmp_path)

    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout.startswith("Erinnerung: Brandschutz ist am ")
    assert "Guten Tag Ada Evans," in asked.stdout
    assert json.loads(whole.stdout)["headers"]["To"] == "Ada Evans <ada@acme.example>"
    assert json.loads(whole.stdout)["html"] == (tmp_path / "deadline-reminder-en.html").read_text("utf-8")
    assert len(mails(house.inbox)) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--person", "nobody", "--tenant", TENANT), "404: person_unknown"),
        (("--person", "ada", "--tenant", "globex"), "404: person_unknown"),
        (("--person", "ada", "--tenant", TENANT, "--value", "link=http://x"), "422: value_bad: link"),
        (("--person", "ada", "--tenant", TENANT, "--value", "training_title="), "422: value_missing: training_title"),
        (("--person", "ada", "--tenant", TENANT, "--at", "soon"), "400: needs_at_as_an_instant"),
    ],
)
def test_preview_says_what_is_wrong(house: House, words: tuple[str, ...], said: str) -> None:
    """S-31, S-33: what would park the message is told before anybody sends it; another tenant learns nothing."""
    asked = ask("preview", "deadline-reminder", *words, "--state", house.state)

    assert (asked.returncode, asked.stdout) == (1, "")
    assert asked.stderr.endswith(f"/v1/preview answered {said}\n")


def test_roster_is_imported_once_held_when_half_is_missing_and_released_by_name(house: House, tmp_path: Path) -> None:
    """S-24, I6 over the command line, with its exit codes: 0 done, 1 rows refused, 3 held."""
    who = ("--tenant", TENANT, "--state", house.state)
    first = ask("roster", "import", EXAMPLE, "--complete", *who)
    again = ask("roster", "import", EXAMPLE, "--complete", "--json", *who)
    part = tmp_path / "part.csv"
    part.write_text("".join(EXAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)[:6]), encoding="utf-8")
    dry = ask("roster", "import", part, "--complete", "--dry-run", *who)
    held = ask("roster", "import", part, "--complete", *who)
    released = ask("roster", "release", "3", "--by", "Ada", "--reason", "a site closed", *who)
    odd = tmp_path / "odd.csv"
    odd.write_text("person_id,time_zone\ne-1001,Europe/Dublin\ne-1002,Mars/Olympus\n", encoding="utf-8")
    refused = ask("roster", "import", odd, *who)
    runs = ask("roster", "runs", *who)

    assert (first.returncode, first.stdout.splitlines()[0]) == (0, "Run 1: applied")
    assert (again.returncode, json.loads(again.stdout)["unchanged"]) == (0, 12)
    assert (dry.returncode, held.returncode) == (3, 3)
    assert "leave    e-3003" in held.stdout
    assert (released.returncode, released.stdout) == (0, "Run 3 is now released; 7 people changed\n")
    assert refused.returncode == 1
    assert f"{odd}:3:time_zone: is not a known IANA time zone" in refused.stdout
    assert runs.stdout.endswith("4 runs, 0 held\n")


def test_nothing_is_parked_and_nothing_is_held_when_all_went_well(house: House) -> None:
    parked = ask("parked", "list", "--tenant", TENANT, "--state", house.state)
    held = ask("brake", "list", "--state", house.state)
    as_json = ask("brake", "list", "--state", house.state, "--json")

    assert (parked.returncode, parked.stdout) == (0, "0 parked\n")
    assert (held.returncode, held.stdout) == (0, "0 held\n")
    assert json.loads(as_json.stdout) == {"intake": [], "messenger": [], "reminders": [], "roster": []}


def test_orders_about_what_is_not_there_are_refused_in_plain_words(house: House) -> None:
    message = "00000000-0000-4000-8000-000000000000"
    who = ("--tenant", TENANT, "--by", "ops", "--state", house.state)

    settle = ask("parked", "settle", message, "--as", "sent", *who)
    release = ask("brake", "release", "nobody", "x", "--by", "ops", "--reason", "test", "--state", house.state)

    assert (settle.returncode, settle.stdout) == (1, "")
    assert settle.stderr.endswith("/v1/parked/settle answered 404: not_parked\n")
    assert (release.returncode, release.stderr) == (
        2,
        "nobody does not run here; there are: intake, messenger, reminders, roster\n",
    )


def test_second_up_on_the_same_state_says_who_has_it(house: House) -> None:
    second = duly("up", "--state", house.state)

    assert second.returncode == 1
    assert f"is already in use by process {house.up.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert second.stdout == ""
    assert house.up.process.poll() is None
    assert ask("parked", "list", "--tenant", TENANT, "--state", house.state).returncode == 0
    assert "mail sent: accepted" in asyncio.run(http.text(house.page, "/mails/0/story"))


def test_house_finds_its_data_again_after_ctrl_c_and_after_kill_of_everything(house: House) -> None:
    """Ctrl-C leaves no process behind; neither end loses a fact, and nobody hears twice."""
    before = house.story("ada", "fire-ada")
    assert house.up.stop() == 0, house.up.err
    assert house.up.left() == []
    assert house.up.out.endswith("Stopping.\nEverything is stopped.\n")
    stopped = ask("explain", "ada", "fire-ada", "--tenant", TENANT, "--state", house.state)
    assert (stopped.returncode, "start `duly up`" in stopped.stderr) == (2, True)

    house.start()
    assert house.story("ada", "fire-ada") == before
    killed = house.up.kill()
    gone = ask("explain", "ada", "fire-ada", "--tenant", TENANT, "--state", house.state)

    house.start()
    assert killed >= 4, "the command, PostgreSQL, Kafka and the inbox"
    assert (gone.returncode, "is it running?" in gone.stderr) == (1, True)
    assert house.story("ada", "fire-ada") == before
    beside = duly("up", "--state", house.state)  # the lock of a killed one is stale, the one of this run is not
    assert (beside.returncode, f"in use by process {house.up.process.pid}." in beside.stderr) == (1, True)
    asyncio.run(publish(house.kafka, *one_who_hears("cyd", "fire-cyd")))
    assert waiting.until(lambda: len(mails(house.inbox)) > 1, within_s=TOLD_WITHIN_S), house.up.err
    assert [mail["Duly-About"] for mail in mails(house.inbox)] == ["fire-ada", "fire-cyd"]

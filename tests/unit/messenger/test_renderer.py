"""The second wall: what got past the first is rendered in a process that has little, and can be thrown away."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psutil
import pytest

from duly_local import waiting
from messenger.counts import Counts
from messenger.domain import Outreach
from messenger.templates import Catalogue, shipped
from messenger.templating.files import Wording
from messenger.templating.renderer import ChildRenderer
from messenger.templating.sandbox import Sources
from messenger.words.unsendable import Breach, Later, TooLarge, Unsendable
from messenger.writer import unsendable
from tests.unit.messenger.given_mails import ANN, NOW, OUTREACH_ID, VALUES, a_request, a_writer

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
(ENGLISH,) = (wording for wording in shipped()["", "deadline-reminder"] if wording.language == "en")


def a_wording(html: str) -> Wording:
    """Return a wording that no load would have let through."""
    return replace(ENGLISH, key=html[:200], owner="training", sources=Sources("s", "t", html))


@pytest.fixture(name="child")
async def child_fixture(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChildRenderer]:
    """Give a child the time that a second of processor time takes on a busy machine."""
    monkeypatch.setattr("messenger.templating.renderer.ANSWER_WITHIN_S", 40.0)
    monkeypatch.setattr("messenger.templating.renderer.START_WITHIN_S", 40.0)
    monkeypatch.setattr("messenger.words.drafts.RENDERING_S_MAX", 40.0)
    child = ChildRenderer(Counts())
    yield child
    await child.close()


def breaches(child: ChildRenderer, wall: str) -> float:
    return float(child._counts.breaches.labels("messenger", "deadline-reminder", wall)._value.get())


def starts(child: ChildRenderer) -> float:
    return float(child._counts.starts.labels("messenger")._value.get())


async def hello(child: ChildRenderer) -> str:
    return (await child.render(a_wording("Hello {{ name }}"), {"name": "<Ann>"})).html


async def test_child_says_what_this_process_would_say(child: ChildRenderer) -> None:
    here, there = a_writer(), a_writer(renderer=child)
    requests = [a_request(), a_request(replace(ANN, locale="de-DE"), link="https://lms.example/"), a_request()]
    await there.prepare(requests)

    assert [there.write(one) for one in requests] == [here.write(one) for one in requests]


async def test_child_is_started_when_first_needed_and_used_again(child: ChildRenderer) -> None:
    assert child.pid is None
    await child.ready()
    first = child.pid

    assert [await hello(child) for _ in range(3)] == ["Hello &lt;Ann&gt;"] * 3
    assert (child.pid, starts(child)) == (first, 1)


@pytest.mark.parametrize(
    ("wall", "source"),
    [
        ("cpu", ENDLESS),
        ("memory", "{{ 'a' * 400000000 }}"),
        ("memory", "{{ ('a' * 1000) | center(300000000) }}"),
    ],
)
async def test_breach_names_wall_and_owner_and_the_next_message_goes(
    child: ChildRenderer, wall: str, source: str
) -> None:
    """S-29: 256 MB and a second of processor time; the message is parked and the template's owner is named."""
    with pytest.raises(Breach) as breach:
        await child.render(a_wording(source), {})
    change = unsendable(an_outreach(), breach.value, NOW)

    assert (change.state, change.reason) == ("parked", "template_breach")
    assert change.code == f"{wall} owner=training deadline-reminder/1"
    assert breaches(child, wall) == 1
    assert await hello(child) == "Hello &lt;Ann&gt;"
    assert starts(child) == 2


async def test_output_without_end_is_cut_and_the_child_goes_on(child: ChildRenderer) -> None:
    """S-29: 256 KB."""
    with pytest.raises(TooLarge):
        await child.render(a_wording("{% for a in range(99999) %}{{ 'abc' * 3 }}{% endfor %}"), {})

    assert breaches(child, "output") == 1
    assert await hello(child) == "Hello &lt;Ann&gt;"
    assert starts(child) == 1


async def test_event_loop_is_not_held_up_by_a_breach(child: ChildRenderer) -> None:
    """Others are served while a template eats its second."""
    await child.ready()
    job = asyncio.ensure_future(child.render(a_wording(ENDLESS), {}))
    turns = 0
    while not job.done():
        await asyncio.wait([job], timeout=0.01)
        turns += 1

    assert isinstance(job.exception(), Breach)
    assert turns > 20


@pytest.mark.parametrize(
    "source", ["{{ name.__class__.__mro__ }}", "{{ nobody }}", "{{ 'x'|attr('__class__') }}", "{% if"]
)
async def test_what_the_sandbox_stops_is_one_messages_fault(child: ChildRenderer, source: str) -> None:
    """S-30: refused at save, refused at render."""
    with pytest.raises(Unsendable, match="template_failed"):
        await child.render(a_wording(source), {"name": "x"})

    assert await hello(child) == "Hello &lt;Ann&gt;"


async def test_message_is_due_again_when_somebody_kills_the_child_and_the_next_goes(child: ChildRenderer) -> None:
    await child.ready()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)  # else it might answer first
    job = asyncio.ensure_future(hello(child))
    await asyncio.sleep(0)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(Later) as later:
        await job
    change = unsendable(an_outreach(), later.value, NOW)

    assert (change.state, change.reason, change.next_due_at, change.attempt) == ("due", "renderer_killed", NOW, 0)
    assert await hello(child) == "Hello &lt;Ann&gt;"


async def test_message_is_parked_when_children_die_over_it_again_and_again(child: ChildRenderer) -> None:
    async def killed() -> None:
        await child.ready()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGSTOP)
        job = asyncio.ensure_future(hello(child))
        await asyncio.sleep(0)
        os.kill(child.pid, signal.SIGKILL)
        await job

    with pytest.raises(Later):
        await killed()
    with pytest.raises(Breach, match="killed owner=training"):
        await killed()


async def test_child_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch, child: ChildRenderer) -> None:
    monkeypatch.setattr("messenger.templating.renderer.ANSWER_WITHIN_S", 0.2)
    await child.ready()
    stopped = child.pid
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    with pytest.raises(Later):
        await hello(child)

    assert not psutil.pid_exists(stopped)


async def test_message_waits_when_no_child_can_be_started() -> None:
    away = ChildRenderer(Counts(), ["no-such-program"])
    with pytest.raises(Later) as later:
        await hello(away)

    assert (later.value.reason, later.value.after_s) == ("renderer_away", 60)


async def test_child_that_says_something_else_first_is_not_trusted() -> None:
    other = ChildRenderer(Counts(), [sys.executable, "-c", "print('hello, this is no renderer')"])
    with pytest.raises(Later, match="renderer_away"):
        await hello(other)


async def test_answer_is_never_taken_for_that_of_another_message(child: ChildRenderer) -> None:
    """A sender that is stopped in the middle leaves no answer behind in the pipe."""
    await child.ready()
    job = asyncio.ensure_future(child.render(a_wording("mine {{ name }}"), {"name": "a"}))
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    assert await hello(child) == "Hello &lt;Ann&gt;"


async def test_child_holds_no_setting_and_no_password(monkeypatch: pytest.MonkeyPatch, child: ChildRenderer) -> None:
    monkeypatch.setenv("DULY_DATABASE_URL", "postgresql://owner:canary@db/duly")
    await child.ready()
    environment = psutil.Process(child.pid).environ()

    assert [name for name in environment if name.startswith("DULY_")] == []
    assert "canary" not in str(environment)


def test_child_takes_its_limits_before_it_reads_a_job() -> None:
    """S-29: 256 MB, no file, no dump; whether a system enforces the first is its own affair (decision 0015)."""
    program = (
        "import resource\nfrom messenger.templating.render_child import limit\nlimit()\n"
        "print([resource.getrlimit(getattr(resource, f'RLIMIT_{name}')) for name in ('AS', 'FSIZE', 'CORE')])"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=40)

    assert said.stdout == f"[({256 * 1024 * 1024}, {256 * 1024 * 1024}), (0, 0), (0, 0)]\n"


async def test_child_is_small(child: ChildRenderer) -> None:
    await hello(child)

    assert psutil.Process(child.pid).memory_info().rss < 60e6


def test_child_ends_with_its_parent_even_when_that_is_killed() -> None:
    program = (
        "import asyncio\nfrom messenger.counts import Counts\nfrom messenger.templating.renderer import ChildRenderer\n"
        "async def main():\n child = ChildRenderer(Counts())\n await child.ready()\n print(child.pid, flush=True)\n"
        " await asyncio.sleep(60)\nasyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        child = psutil.Process(pid)
        parent.kill()
        parent.wait(timeout=10)

    assert waiting.until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, within_s=10)


async def test_writer_parks_what_breaches_and_writes_the_others(child: ChildRenderer) -> None:
    """S-29: one message's breach is not the batch's."""
    writer = a_writer(catalogue=Catalogue({**shipped(), ("", "endless"): [a_wording(ENDLESS)]}), renderer=child)
    bad, good = replace(a_request(), message="endless"), a_request()
    await writer.prepare([bad, bad, good])

    assert writer.write(good) == a_writer().write(good)
    with pytest.raises(Breach):
        writer.write(bad)
    assert breaches(child, "cpu") == 1


async def test_writer_leaves_for_later_what_would_hold_the_rows_too_long(
    monkeypatch: pytest.MonkeyPatch, child: ChildRenderer
) -> None:
    monkeypatch.setattr("messenger.words.drafts.RENDERING_S_MAX", -1.0)
    writer = a_writer(renderer=child)
    await writer.prepare([a_request()])

    with pytest.raises(Later):
        writer.write(a_request())
    assert child.pid is None


@pytest.mark.parametrize("missing", ["training_title", "due_at"])
async def test_missing_value_is_one_messages_fault_with_a_child_too(child: ChildRenderer, missing: str) -> None:
    """S-33: that message parked with the value's name, the others go."""
    writer = a_writer(renderer=child)
    values = {name: value for name, value in VALUES.items() if name != missing}
    bad, good = replace(a_request(), values=values), a_request()
    await writer.prepare([bad, good])

    with pytest.raises(Unsendable) as error:
        writer.write(bad)
    assert unsendable(an_outreach(), error.value, NOW).code == missing
    assert writer.write(good) == a_writer().write(good)


def an_outreach(**values: Any) -> Outreach:
    given: dict[str, Any] = {
        "tenant_id": "acme",
        "outreach_id": OUTREACH_ID,
        "person_id": "e-1",
        "about": str(uuid4()),
        "step": "14",
        "message": "deadline-reminder",
        "values": VALUES,
        "ends_when": (),
        "not_before": NOW,
        "useful_until": NOW,
        "state": "due",
        "reason": "requested",
        "attempt": 0,
    }
    return Outreach(**(given | values))

"""How long one event takes at 50 events/s: to its commit, beside the bare loop, and from an assignment to its mail."""

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median, quantiles

from aiokafka import AIOKafkaProducer

from benchmarks import memory, state_bare
from benchmarks.arms import Arm, ArmFailed
from benchmarks.events import Message, load
from benchmarks.figures import Figure, Size, ratio
from benchmarks.place import Place
from duly_contracts import topics

PER_SECOND = 50
WARMUP_S = 3
SEED = 2_000
TENANT = "latency"


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Send at an even pace to both arms by turns, then assignments to all services."""
    p50: dict[str, list[float]] = {"duly": [], "bare": []}
    p99: dict[str, list[float]] = {"duly": [], "bare": []}
    for number in range(size.rounds):
        for name in ("duly", "bare") if number % 2 == 0 else ("bare", "duly"):
            waits = _committed(place, name, size.latency_s, SEED + number)
            p50[name].append(median(waits))
            p99[name].append(quantiles(waits, n=100)[98])
        told = ", ".join(f"{name} {p50[name][-1]:.1f} / {p99[name][-1]:.1f} ms" for name in p50)
        say(f"latency to commit, p50 / p99, round {number + 1} of {size.rounds}: {told}")
    mails = _mails(place, size.latency_s * size.rounds)
    mail = median(mails)
    say(f"latency from assignment to mail: p50 {mail:.1f} ms")
    evidence = {f"{name}_p50_ms": values for name, values in p50.items()}
    evidence |= {f"{name}_p99_ms": values for name, values in p99.items()}
    mail_ms = {"p50_ms": [mail], "p99_ms": [quantiles(mails, n=100)[98]]}
    what, lower = f"latency at {PER_SECOND}/s", True
    return [
        Figure(
            f"{what}, committed / bare, p50",
            ratio(p50["duly"], p50["bare"]),
            "x",
            2,
            1.3,
            evidence,
            lower_is_better=lower,
        ),
        Figure(f"{what}, committed / bare, p99", ratio(p99["duly"], p99["bare"]), "x", 3, 2, lower_is_better=lower),
        Figure(
            f"{what}, mail / bare commit, p50", mail / median(p50["bare"]), "x", 10, 5, mail_ms, lower_is_better=lower
        ),
    ]


def _committed(place: Place, name: str, seconds: int, seed: int) -> list[float]:
    """Send events to one arm; returns ms from each send to its commit, as the arm saw it."""
    loaded = load(PER_SECOND * (seconds + WARMUP_S), seed).messages
    messages = {dict(message.headers)["ce_id"].decode(): message for message in loaded}  # each once
    topic = topics.TRAINING.name if name == "duly" else state_bare.TOPIC
    with Arm(f"benchmarks.latency_{name}", place.settings(), place.log(f"latency-{name}")) as arm:
        arm.hear()
        sent = asyncio.run(_send(place, topic, list(messages.values())))
        arm.go()
        ended: dict[str, float] = arm.hear()["committed"]
    began = dict(zip(messages, sent, strict=True))
    return _waits(began, ended)[PER_SECOND * WARMUP_S :]


def _mails(place: Place, seconds: int) -> list[float]:
    """Assign to people what they must be told of at once; returns ms until the sink has taken each one's mail."""
    warmup = PER_SECOND * WARMUP_S
    people, assignments = memory.facts(warmup + PER_SECOND * seconds, TENANT)
    with Arm("benchmarks.mail_sink", {}, place.log("sink")) as sink:
        settings = {**place.settings(), "smtp_url": f"smtp://127.0.0.1:{sink.hear()['port']}"}
        mails = [warmup, len(assignments)]
        arguments: dict[str, object] = {"settings": settings, "services": ["messenger", "reminders"], "mails": mails}
        with Arm("benchmarks.memory_duly", arguments, place.log("latency-mail")) as arm:
            arm.hear()
            arm.go()
            place.publish(topics.PEOPLE.name, people)
            place.publish(topics.TRAINING.name, assignments[:warmup])
            arm.hear()  # whatever lay in the topics before is done, and the first mails are sent
            sent = asyncio.run(_send(place, topics.TRAINING.name, assignments[warmup:]))
            arm.hear()
        sink.go()
        taken: dict[str, float] = sink.hear()["taken"]
    persons = [message.key.decode().partition("/")[2] for message in assignments[warmup:]]
    return _waits({f"{one}@people.example": at for one, at in zip(persons, sent, strict=True)}, taken)


def _waits(began: dict[str, float], ended: dict[str, float]) -> list[float]:
    """Return the ms between both; raises ArmFailed if something never ended."""
    if missing := began.keys() - ended.keys():
        raise ArmFailed(f"{len(missing)} of {len(began)} events never came out")
    return [(ended[one] - at) * 1e3 for one, at in began.items()]


async def _send(place: Place, topic: str, messages: Sequence[Message]) -> list[float]:
    """Send at an even pace, late ones at once; returns the moment of each send (monotonic: one clock for all here)."""
    producer = AIOKafkaProducer(bootstrap_servers=place.endpoints.kafka_bootstrap, acks="all", linger_ms=0)
    await producer.start()
    sent, waiting = [], []
    try:
        first = time.monotonic()
        for number, message in enumerate(messages):
            await asyncio.sleep(max(0.0, first + number / PER_SECOND - time.monotonic()))
            sent.append(time.monotonic())
            waiting.append(await producer.send(topic, message.value, key=message.key, headers=message.headers))
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()
    return sent

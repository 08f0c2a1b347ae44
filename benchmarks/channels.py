"""Slack and SMS through ledger and gate, against a bare aiohttp loop with as many in flight to the same sink."""

from collections.abc import Callable
from typing import Any

from benchmarks.arms import Arm
from benchmarks.figures import Figure, Size, ratio
from benchmarks.place import Place
from messenger import channels
from messenger.settings import Settings

WARMUP = 300
ALL_DAY = {"opens": "00:00", "closes": "00:00"}
TIMES = {"slack": ("places looked up", "places known"), "sms": ("",)}
"""What each time is called: in both arms alike, Slack's first time asks two methods more for each person."""


def slack(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Run both arms by turns; each sends to everybody twice."""
    return _measure(place, "slack", size, say)


def sms(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Run both arms by turns."""
    return _measure(place, "sms", size, say)


def settings(place: Place, channel: str, port: int) -> dict[str, Any]:
    """Return messenger's settings with this channel set up, and the one it always has."""
    url = f"http://127.0.0.1:{port}"
    own: dict[str, dict[str, Any]] = {
        "slack": {"slack_token": "xoxb-bench", "slack_url": url},
        "sms": {
            "twilio_account_sid": "AC" + "0" * 32,
            "twilio_auth_token": "bench",
            "twilio_url": url,
            "sms_from": "+447400000000",
            "sms_rate": 100,
        },
    }
    hours = {f"{channel}_{name}": at for name, at in ALL_DAY.items()}
    nowhere = {"smtp_url": "smtp://127.0.0.1:9", "loopback_only": True}  # no mail is sent here
    return {**place.settings(), **nowhere, **own[channel], **hours}


def in_flight(given: dict[str, Any], channel: str) -> int:
    """Count the messages of this channel that messenger has on their way at once as shipped."""
    made = Settings(**given)
    lines = channels.set_up(made)
    [line] = [one for one in lines if one.name == channel]
    return channels.share(made, lines, line) * line.loops(made)


def _measure(place: Place, channel: str, size: Size, say: Callable[[str], None]) -> list[Figure]:
    times = TIMES[channel]
    rates: list[dict[str, list[float]]] = [{"duly": [], "bare": []} for _ in times]
    cpu: list[dict[str, list[float]]] = [{"duly": [], "bare": []} for _ in times]
    with Arm("benchmarks.http_sink", {}, place.log("sink"), seconds_max=1_800) as sink:
        port = int(sink.hear()["port"])
        for number in range(size.rounds):
            for name in ("duly", "bare") if number % 2 == 0 else ("bare", "duly"):
                for time, said in enumerate(_round(place, name, channel, port, size.messages)):
                    rates[time][name].append(said["messages"] / said["seconds"])
                    cpu[time][name].append(said["cpu_seconds"] / said["messages"] * 1e6)
            for rate, what in zip(rates, times, strict=True):
                told = ", ".join(f"{name} {values[-1]:,.0f}/s" for name, values in rate.items())
                say(f"{channel}{what and f', {what}'}, round {number + 1} of {size.rounds}: {told}")
    figures = []
    for rate, spent, what in zip(rates, cpu, times, strict=True):
        evidence = {f"{name}_messages_per_second": values for name, values in rate.items()}
        evidence |= {f"{name}_cpu_us_per_message": values for name, values in spent.items()}
        title = f"{channel}, ledger and gate / bare loop{what and f', {what}'}"
        figures.append(Figure(title, ratio(rate["duly"], rate["bare"]), "x", 0.3, 0.5, evidence))
    return figures


def _round(place: Place, name: str, channel: str, port: int, messages: int) -> list[dict[str, Any]]:
    """Let one arm send its messages; returns what it says of each time."""
    given = settings(place, channel, port)
    arguments: dict[str, object] = {"channel": channel, "messages": messages, "warmup": WARMUP}
    arguments["times"] = len(TIMES[channel])
    arguments |= {"settings": given} if name == "duly" else {"port": port, "in_flight": in_flight(given, channel)}
    with Arm(f"benchmarks.http_{name}", arguments, place.log(f"{channel}-{name}")) as arm:
        arm.hear()
        arm.go()
        return [arm.hear() for _ in TIMES[channel]]

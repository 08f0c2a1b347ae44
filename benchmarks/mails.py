"""Mails through ledger and gate, against a bare loop over as many reused connections to the same sink."""

from collections.abc import Callable
from typing import Any

from benchmarks.arms import Arm
from benchmarks.figures import Figure, Size, ratio
from benchmarks.place import Place
from messenger.settings import Settings

WARMUP = 300


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Run both arms by turns."""
    rates: dict[str, list[float]] = {"duly": [], "bare": []}
    cpu: dict[str, list[float]] = {"duly": [], "bare": []}
    with Arm("benchmarks.mail_sink", {}, place.log("sink"), seconds_max=1_800) as sink:
        port = int(sink.hear()["port"])
        for number in range(size.rounds):
            for name in ("duly", "bare") if number % 2 == 0 else ("bare", "duly"):
                said = _round(place, name, port, size.mails)
                rates[name].append(said["mails"] / said["seconds"])
                cpu[name].append(said["cpu_seconds"] / said["mails"] * 1e6)
            told = ", ".join(f"{name} {values[-1]:,.0f}/s" for name, values in rates.items())
            say(f"mails, round {number + 1} of {size.rounds}: {told}")
    evidence = {f"{name}_mails_per_second": values for name, values in rates.items()}
    evidence |= {f"{name}_cpu_us_per_mail": values for name, values in cpu.items()}
    return [Figure("mails, ledger and gate / bare loop", ratio(rates["duly"], rates["bare"]), "x", 0.5, 0.8, evidence)]


def connections() -> int:
    """Count the connections messenger opens as shipped."""
    shipped = Settings.model_fields
    return int(shipped["senders"].default * shipped["sender_batch_max"].default)


def _round(place: Place, name: str, port: int, mails: int) -> dict[str, Any]:
    """Let one arm send its mails."""
    arguments: dict[str, object]
    if name == "duly":
        settings = {**place.settings(), "smtp_url": f"smtp://127.0.0.1:{port}"}
        arguments = {"settings": settings, "warmup": WARMUP, "mails": mails}
    else:
        arguments = {"port": port, "connections": connections(), "mails": mails}
    with Arm(f"benchmarks.mail_{name}", arguments, place.log(f"mail-{name}")) as arm:
        arm.hear()
        arm.go()
        return arm.hear()

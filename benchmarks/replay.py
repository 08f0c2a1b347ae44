"""The whole replay, stack and start included in nothing but its own seconds: events and mails for each of them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.arms import PROJECT, Arm, ArmFailed
from benchmarks.figures import Figure, Size
from benchmarks.place import empty_folder
from tests.oracle.folder import generate

SECONDS_MAX = 3_600
SEED = 7
REAL = "DULY_OULAD_DIR"
STDERR_SHOWN_CHARS = 2_000


def measure(size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Replay a generated folder, and the real one where the environment names it."""
    with empty_folder() as folder:
        figures = _of("generated", generate(folder / "data", learners=size.learners, seed=SEED), folder / "replay", say)
    if REAL in os.environ:
        with empty_folder() as folder:
            figures += _of("real", Path(os.environ[REAL]).resolve(), folder / "replay", say)
    return figures


def _of(name: str, data: Path, work: Path, say: Callable[[str], None]) -> list[Figure]:
    work.mkdir()
    work.chmod(0o755)
    with Arm("benchmarks.mail_sink", {}, work / "sink.log", seconds_max=SECONDS_MAX) as sink:
        outcome = _replay(data, work, int(sink.hear()["port"]))
    sent, seconds = int(outcome["sent"]), float(outcome["seconds"])
    evidence = {"seconds": [seconds], "mails": [float(sent)], "assignments": [float(outcome["assignments"])]}
    figures = [
        Figure(f"replay ({name}), events", float(outcome["events_per_second"]), "/s", evidence=evidence),
        Figure(f"replay ({name}), mails", sent / seconds, "/s"),
    ]
    say(f"replay ({name}): {seconds:.1f} s, {figures[0].value:.0f} events/s, {figures[1].value:.0f} mails/s")
    return figures


def _replay(data: Path, work: Path, port: int) -> dict[str, Any]:
    """Run the command as anybody would, and read the one line that it prints."""
    duly = str(Path(sys.executable).with_name("duly"))
    smtp = f"smtp://127.0.0.1:{port}"
    command = [duly, "replay", "oulad", str(data), "--smtp", smtp, "--state", str(work / "state"), "--json"]
    elsewhere = ("DULY_KAFKA_BOOTSTRAP", "DULY_DATABASE_URL", "DULY_SMTP_URL")
    environment = {name: value for name, value in os.environ.items() if name not in elsewhere}
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    if done.returncode:
        raise ArmFailed(f"the replay ended with code {done.returncode}:\n{done.stderr[-STDERR_SHOWN_CHARS:]}")
    return dict(json.loads(done.stdout))

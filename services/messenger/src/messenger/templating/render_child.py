"""The program that renders: `python -m messenger.templating.render_child`, the second wall of SECURITY.md 4 (S-29).

It reads a job, renders, answers, and ends when its input does: so it never outlives its parent. Whoever breaks out of
the sandbox here has no settings, no connection, 256 MB, and a second of processor time for each job.
"""

import contextlib
import json
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

from jinja2 import TemplateError

from messenger.templating.sandbox import Compiled, Oversize, Sources

MEMORY_BYTES_MAX = 256 * 1024 * 1024
CPU_S_MAX = 1.0
LENGTH = struct.Struct(">I")
JOB_BYTES_MAX = 4 * 1024 * 1024
READY = {"ready": True}
OUTPUT, MEMORY, TEMPLATE = "output", "memory", "template"


def limit() -> None:
    """Take from this process what it needs for nothing; where a system has no such limit, the others still hold."""
    lower(resource.RLIMIT_AS, MEMORY_BYTES_MAX)  # macOS takes the call and does not enforce it
    lower(resource.RLIMIT_FSIZE, 0)  # no files
    lower(resource.RLIMIT_CORE, 0)  # no dump that would hold names
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent: it ends us when it is done


def lower(kind: int, most: int, hard: int | None = None) -> None:
    """Set a limit where the system knows it and what is above us allows it."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (most, most if hard is None else hard))


def main() -> None:
    """Say that we are there, then answer jobs until there are no more."""
    limit()
    known: dict[str, Compiled] = {}
    write(sys.stdout.buffer, READY)
    while (job := read(sys.stdin.buffer)) is not None:
        answer = done(job, known)
        write(sys.stdout.buffer, answer)
        if answer.get("wrong") == MEMORY:
            os._exit(1)  # what is left of this process is not to be trusted


def done(job: Mapping[str, Any], known: dict[str, Compiled]) -> dict[str, Any]:
    """Render one job within a second of processor time; the signal at its end is not caught: it ends the process."""
    whole_s = int(time.process_time() + CPU_S_MAX) + 1
    lower(resource.RLIMIT_CPU, whole_s, resource.getrlimit(resource.RLIMIT_CPU)[1])  # whole seconds: the rope behind it
    signal.setitimer(signal.ITIMER_PROF, CPU_S_MAX)
    try:
        if "sources" in job:
            known[job["key"]] = Compiled.of(Sources(*job["sources"]))
        said = known[job["key"]].render(job["words"])
    except MemoryError:
        return {"wrong": MEMORY}
    except Oversize:
        return {"wrong": OUTPUT}
    except (TemplateError, TypeError):
        return {"wrong": TEMPLATE}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"said": [said.subject, said.text, said.html]}


def read(stream: BinaryIO) -> Any:
    """Read one job; None when there are no more, or what comes is no job of ours."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length) if length <= JOB_BYTES_MAX else b""
    return json.loads(body) if len(body) == length else None


def write(stream: BinaryIO, answer: Mapping[str, Any]) -> None:
    """Write one answer."""
    body = json.dumps(answer).encode()
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    main()

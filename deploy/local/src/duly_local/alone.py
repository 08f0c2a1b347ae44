"""One server of the stack as a program of its own, for whoever has to kill and restart it alone.

`python -m duly_local.alone postgres --state DIR --port N` says in one line of JSON which process to kill, once the
server is ready, and ends when that process does, or orderly on SIGTERM. The same state folder continues the same data.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from threading import Event

from duly_local import orphans, waiting
from duly_local.errors import LocalError
from duly_local.kafka import Kafka
from duly_local.lock import FolderLock
from duly_local.places import State
from duly_local.postgres import Postgres
from duly_local.stack import Server

SECONDS_MAX = 86_400.0


def serve(server: Server, state: State, stopping: Event, seconds_max: float) -> None:
    """Run one server until it dies, until `stopping` is set, or until its time is up."""
    state.create()
    lock = FolderLock(state.lock)
    lock.take()
    try:
        orphans.end(state)
        server.start(stopping)
        child = server.child
        if child is None:
            return
        sys.stdout.write(json.dumps({"name": server.name, "pid": child.pid}) + "\n")
        sys.stdout.flush()
        waiting.until(lambda: not child.running(), within_s=seconds_max, cancelled=stopping)
        child.send(server.stop_signal)
        child.wait(server.stop_within_s)
    finally:
        if server.child is not None:
            server.child.kill()
        orphans.end(state)
        lock.release()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Read the command line and serve; 1 and a plain line where the server cannot be started."""
    parser = argparse.ArgumentParser(description="Run one server in the foreground; prints its process id as JSON.")
    parser.add_argument("server", choices=("postgres", "kafka"))
    parser.add_argument("--state", type=Path, required=True, help="the folder it keeps everything in; its own")
    parser.add_argument("--port", type=int, required=True, help="where clients connect")
    parser.add_argument("--controller", type=int, default=0, help="Kafka: the port of its controller")
    parser.add_argument("--advertised", type=int, help="Kafka: the port it tells clients, if a proxy stands before it")
    parser.add_argument("--seconds-max", type=float, default=SECONDS_MAX, help="end after this time in any case")
    given = parser.parse_args()
    state, stopping = State.at(given.state), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server: Server = Postgres(state, given.port)
    if given.server == "kafka":
        server = Kafka(state, client=given.port, controller=given.controller, say=_say, advertised=given.advertised)
    try:
        serve(server, state, stopping, given.seconds_max)
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

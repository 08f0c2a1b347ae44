"""Baseline: the same job in Quix Streams: state in RocksDB with a changelog topic, as its manual has it; none of ours.

It runs in an environment of its own (quix.py). Commits come every 2,000 records, as often as Duly's batches at most;
its default, every 5 s, would be none in the measured time but the last.
"""

import asyncio
import json
import sys
import time
from typing import Any

from quixstreams import Application, State

from benchmarks import child

TOPIC, OUTPUT_TOPIC = "bench.quix", "bench.quix-out"
COMPLETED = b"duly.training.completed.v1"


def apply(data: dict[str, Any], _key: Any, _timestamp: int, headers: Any, state: State) -> dict[str, Any] | None:
    """Drop a repeated id, fold the state of the assignment; a completion leaves an output."""
    words = dict(headers)
    seen, about = f"seen/{words['ce_id'].decode()}", data["assignment_id"]
    if state.exists(seen):
        return None
    state.set(seen, 1)
    completed = words["ce_type"] == COMPLETED
    known = state.get(about) or {"progress": 0.0, "completed_at": None}
    state.set(
        about,
        {
            "person_id": data["person_id"],
            "training_id": data["training_id"],
            "progress": max(known["progress"], data.get("progress_percent", 100.0)),
            "occurred_at": data["occurred_at"],
            "completed_at": known["completed_at"] or (data["occurred_at"] if completed else None),
        },
    )
    if not completed:
        return None
    told = {"tenant_id": data["tenant_id"], "person_id": data["person_id"], "about": about}
    return told | {"occurred_at": data["occurred_at"], "reason": "training_completed"}


def main(arguments: dict[str, Any]) -> None:
    """Handle records that lie ready; take the time from the end of the warm-up to the last record's commit."""
    warmup, last = arguments["warmup"], arguments["warmup"] + arguments["events"]
    handled, times = 0, list[float]()

    def passed(*_: object) -> None:
        nonlocal handled
        handled += 1
        if handled == warmup:
            times.append(time.monotonic())
        if handled == last:
            app.stop()

    app = Application(
        broker_address=arguments["kafka_bootstrap"],
        consumer_group="bench-quix",
        auto_offset_reset="earliest",
        commit_every=arguments["records_max"],
        state_dir=arguments["state_dir"],
        loglevel="ERROR",
        on_message_processed=passed,
    )
    context = app._processing_context  # noqa: SLF001 - nothing public tells of a commit
    commit = context.commit_checkpoint

    def committed(*args: Any, **words: Any) -> None:
        commit(*args, **words)
        if handled == last:
            times.append(time.monotonic())

    context.commit_checkpoint = committed
    facts = app.dataframe(app.topic(TOPIC, key_deserializer="bytes", value_deserializer="json"))
    outputs = facts.apply(apply, stateful=True, metadata=True).filter(lambda told: told is not None)
    outputs.to_topic(app.topic(OUTPUT_TOPIC, key_serializer="bytes", value_serializer="json"))
    asyncio.run(child.go())
    app.run()
    child.say(seconds=times[1] - times[0])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

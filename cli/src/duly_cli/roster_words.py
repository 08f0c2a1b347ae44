"""A roster run in lines for a person: numbers first, then who, then what was refused; never a value of anybody's."""

from typing import Any

SHOWN_MAX = 20
WORDS = {
    "joins": "join",
    "returns": "return",
    "leaves": "leave",
    "changes": "change",
    "past": "had left before",
}
STATES = {
    "applied": "applied",
    "dry_run": "would be applied; nothing was changed",
    "held": "held",
    "refused": "refused whole: nothing was changed",
    "released": "released",
    "discarded": "discarded",
    "lapsed": "lapsed: nobody decided in time",
}


def told_outcome(answer: dict[str, Any], file: str) -> list[str]:
    """Tell what became of a file."""
    run = f"Run {answer['run']}" if answer["run"] else "Dry run"
    state = STATES[answer["state"]]
    if answer["dry_run"] and answer["state"] == "held":
        state = "would be held; nothing was changed"
    lines = [f"{run}: {state}"]
    if answer["state"] == "refused":
        return [*lines, *(fault(one, file) for one in answer["refusals"])]
    lines += body(answer, file)
    if answer["state"] == "held" and answer["run"]:
        lines.append(f"Nothing is in force. Decide: duly roster release {answer['run']}, or discard {answer['run']}")
    return lines


def body(answer: dict[str, Any], file: str) -> list[str]:
    """Tell a run's numbers, its diff and what was wrong or odd."""
    counts = answer["counts"]
    parts = [f"{counts[kind]} {word}" for kind, word in WORDS.items() if counts.get(kind)]
    lines = [
        f"  {answer['rows']} rows: {answer['good_rows']} good, {answer['refused']} refused",
        f"  people: {', '.join([*parts, str(answer['unchanged']) + ' unchanged'])}",
    ]
    lines += [f"  brake {brake['code']}: {brake['text']}" for brake in answer["brakes"]]
    for kind, word in WORDS.items():
        of_kind = [one for one in answer["changes"] if one["kind"] == kind]
        lines += [f"  {word:<8} {person(one)}" for one in of_kind[:SHOWN_MAX]]
        lines += more(counts.get(kind, 0), len(of_kind[:SHOWN_MAX]), word)
    lines += [fault(one, file) for one in answer["refusals"][:SHOWN_MAX]]
    lines += more(len(answer["refusals"]), len(answer["refusals"][:SHOWN_MAX]), "faults")
    lines += [f"  look at {fault(one, file)}" for one in answer["findings"][:SHOWN_MAX]]
    return lines + more(answer["found"], len(answer["findings"][:SHOWN_MAX]), "to look at")


def told_run(row: dict[str, Any]) -> list[str]:
    """Tell all of one run."""
    lines = [f"Run {row['run']}: {STATES[row['state']]}, {row['file_name']}, planned at {row['planned_at']}"]
    if row["state"] == "refused":
        lines += [fault(one, row["file_name"]) for one in row["refusals"]]
    else:
        lines += body(row, row["file_name"])
    for one in row["decisions"]:
        lines.append(f"  {one['decided_at']}  {one['decision']} by {one['who'] or 'nobody named'}: {one['why']}")
    return lines


def told_runs(rows: list[dict[str, Any]]) -> list[str]:
    """Tell the runs, one a line."""
    lines = []
    for row in rows:
        parts = [f"{row['counts'][kind]} {word}" for kind, word in WORDS.items() if row["counts"].get(kind)]
        said = ", ".join(parts) or "nobody"
        lines.append(f"{row['run']:>5}  {row['planned_at']}  {row['state']:<9} {row['file_name']}  {said}")
    held = sum(row["state"] == "held" for row in rows)
    return [*lines, f"{len(rows)} runs, {held} held"]


def told_decision(answer: dict[str, Any]) -> str:
    """Tell what a decision did."""
    return f"Run {answer['run']} is now {answer['state']}; {answer['changed']} people changed"


def person(change: dict[str, Any]) -> str:
    """Name a person by id, and what changed of them."""
    fields = ", ".join(change["fields"])
    return f"{change['person_id']}  {fields}".rstrip()


def fault(one: dict[str, Any], file: str) -> str:
    """Tell a finding as compilers do: file, line, column."""
    place = ":".join(part for part in (file, str(one["line"] or ""), one["column"]) if part)
    return f"{place}: {one['text']} ({one['code']})"


def more(number: int, shown: int, word: str) -> list[str]:
    """Say that there are more than were shown."""
    return [f"  ... and {number - shown} more {word}: --json has them"] if number > shown else []

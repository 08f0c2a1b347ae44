"""The story of one person's assignment in lines for people, from the parts that the services answer with.

`duly explain` prints it and the inbox's page shows it beside the mail; both ask the services themselves.
"""

from typing import Any

EXPECTED = ("reminders", "messenger")
"""Who has a part in the story."""


def told(story: dict[str, Any]) -> list[str]:
    """Turn the services' answers into lines for a person."""
    reminders, messenger = story.get("reminders", {}), story.get("messenger", {})
    lines = [part["unanswered"] for part in story.values() if "unanswered" in part]
    lines += [f"{name} was not asked: nobody knows where it runs" for name in EXPECTED if name not in story]
    lines += told_of_person(story.get("roster", {}))
    if not reminders.get("known"):
        return [*lines, "Nothing is known of this person and assignment, by those who answered."]
    lines.append("Facts received")
    lines += [f"  {name.replace('_', ' '):<16} {value}" for name, value in reminders["facts"].items() if value]
    lines += [f"  {'trace':<16} {reminders['trace']}"] if reminders.get("trace") else []
    policy = reminders["policy"]
    lines.append(f"Planned by policy {policy['version']} in {policy['zone']}")
    lines += [f"  {moment['step']:>3} days ahead    {moment['at']}" for moment in reminders["planned"]]
    lines.append("Decisions")
    for one in reminders["decisions"]:
        outcome = "requested" if one["requested"] else "withheld"
        lines.append(f"  {one['step']:>3} days ahead    {one['decided_at']}  {outcome}: {one['reason']}{trace(one)}")
    lines.append("Messages")
    for message in messenger.get("messages", []):
        outcome = f"{message['channel']} {message['state']}: {message['reason']}{trace(message)}"
        lines.append(f"  {message['step']:>3} days ahead    {outcome}")
        lines += [
            f"      {step['at']}  {step['state']}: {step['reason']} {step['code']}".rstrip() + trace(step)
            for step in message["history"]
        ]
    return [*lines, "Next", f"  {next_step(reminders, messenger)}"]


def trace(part: dict[str, Any]) -> str:
    """Name the trace that a step began or goes on in, where one is known."""
    return f"  trace {part['trace']}" if part.get("trace") else ""


def told_of_person(roster: dict[str, Any]) -> list[str]:
    """Say who the person is here, where roster knows them."""
    if not roster.get("known"):
        return []
    record = roster["record"]
    since = f" since {record['since']}" if record["since"] else ""
    return [f"Person {record['status']}{since}, as run {record['run']} of the roster left it"]


def next_step(reminders: dict[str, Any], messenger: dict[str, Any]) -> str:
    """Say what will happen next, if anything will."""
    waiting = [message["next_due_at"] for message in messenger.get("messages", []) if message["next_due_at"]]
    if waiting:
        return f"messenger looks at a message again at {min(waiting)}"
    if any(message["state"] == "parked" for message in messenger.get("messages", [])):
        return "a parked message waits for a person: duly parked list"
    if reminders["next_look_at"]:
        return f"reminders decides again at {reminders['next_look_at']}"
    if not reminders.get("decisions", True):
        return "nothing: no step lies ahead of what was told"
    return "nothing: every step has been decided"

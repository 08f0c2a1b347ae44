"""The named points at which C1b kills: who dies there, which time of coming there, and what leads there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How one point is struck; `by` names what leads a process to it, `load` is what is told meanwhile."""

    point: str
    service: str
    by: str = "load"
    numbers: tuple[int, ...] = (1, 3)


MOVES = "move-decided"
LAST = {"park-decided", MOVES}
"""What stays in doubt is parked a minute later, and what is unanswered moves on then, so these come when the other
deaths have left enough of it."""
PLANS = (
    Plan("batch-decoded", "reminders"),
    Plan("inbox-before", "reminders"),
    Plan("inbox-after", "reminders"),
    Plan("lane-before-commit", "reminders"),
    Plan("lane-after-commit", "reminders"),
    Plan("ack-before", "reminders"),
    Plan("ack-after", "reminders"),
    Plan("due-claimed", "reminders"),
    Plan("due-before-commit", "reminders"),
    Plan("due-after-commit", "reminders"),
    Plan("send-claimed", "messenger"),
    Plan("gate-held", "messenger"),
    Plan("body-written", "messenger"),
    Plan("answer-read", "messenger"),
    Plan("lapse-before-commit", "messenger", "lapse", (1, 2)),
    Plan("lapse-after-commit", "messenger", "lapse", (1, 2)),
    Plan("settle-before-commit", "messenger"),
    Plan("settle-after-commit", "messenger"),
    Plan("replay-before-commit", "messenger", "replay", (1, 2)),
    Plan("replay-after-commit", "messenger", "replay", (1, 2)),
    Plan("bounce-before-commit", "messenger", "bounce", (1, 2)),
    Plan("bounce-after-commit", "messenger", "bounce", (1, 2)),
    Plan("park-decided", "messenger", numbers=(1, 2)),
    Plan("import-planned", "roster", "import", (1, 2)),
    Plan("import-written", "roster", "import", (1, 2)),
    Plan("import-before-commit", "roster", "import", (1, 2)),
    Plan("import-after-commit", "roster", "import", (1, 2)),
    Plan("relay-read", "roster", "import", (1, 2)),
    Plan("relay-sending", "roster", "import", (1, 2)),
    Plan("relay-published", "roster", "import", (1, 2)),
    Plan("relay-marked", "roster", "import", (1, 2)),
    Plan("order-before-commit", "roster", "release", (1, 2)),
    Plan("order-after-commit", "roster", "release", (1, 2)),
    Plan("schema-migrated", "migrate", "migrate", (1, 2)),
    Plan("http-standing", "messenger", numbers=(1, 2)),
    Plan("http-permitted", "messenger", numbers=(1, 2)),
    Plan("http-written", "messenger", numbers=(1, 2)),
    Plan("http-answered", "messenger", numbers=(1, 2)),
    Plan("claim-before-commit", "messenger", numbers=(1, 2)),
    Plan("block-kept", "messenger", numbers=(1, 2)),
    Plan("hold-before-commit", "messenger", "hold", (1, 2)),
    Plan("hold-after-commit", "messenger", "hold", (1, 2)),
    Plan("release-before-commit", "messenger", "let go", (1, 2)),
    Plan("release-after-commit", "messenger", "let go", (1, 2)),
    Plan("held-let-go", "messenger", "let go", (1, 2)),
    Plan("ask-claimed", "messenger", numbers=(1, 2)),
    Plan("ask-answered", "messenger", numbers=(1, 2)),
    Plan("ask-after-commit", "messenger", numbers=(1, 2)),
    Plan(MOVES, "messenger", numbers=(1, 2)),
    Plan("callback-before-commit", "intake", numbers=(1, 2)),
    Plan("callback-after-commit", "intake", numbers=(1, 2)),
)
"""In the order in which each service is struck. A first lapse follows a kill that left mails on their way; for one more
in the same life somebody else has to die."""


def chain(service: str) -> list[tuple[Plan, int]]:
    """List a service's deaths in their order, each with the time of coming to the point at which it strikes."""
    plans = [plan for plan in PLANS if plan.service == service]
    each = [(plan, plan.numbers[turn]) for turn in (0, 1) for plan in plans if plan.point not in LAST]
    return each + [(plan, number) for plan in plans if plan.point in LAST for number in plan.numbers]

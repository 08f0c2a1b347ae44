"""What happens to one person's assignment to one training: the stream Duly lives on."""

from typing import Annotated, ClassVar

from msgspec import Meta

from duly_contracts.event import OpaqueId, PersonEvent, ShortText, Utc
from duly_contracts.topics import TRAINING


class TrainingEvent(PersonEvent, frozen=True, kw_only=True):
    """A fact about one assignment; topic duly.training, key tenant/person, no personal data."""

    topic: ClassVar[str] = TRAINING.name

    assignment_id: OpaqueId
    training_id: OpaqueId

    @property
    def subject(self) -> str:
        """The assignment."""
        return self.assignment_id


class TrainingAssignedV1(TrainingEvent, frozen=True, kw_only=True):
    """A person must finish a training by a moment.

    Emitted by completion or an LMS, when the assignment begins.
    """

    type: ClassVar[str] = "duly.training.assigned.v1"
    moments: ClassVar[tuple[str, ...]] = ("occurred_at", "due_at")

    due_at: Utc
    training_title: ShortText = ""


class TrainingProgressedV1(TrainingEvent, frozen=True, kw_only=True):
    """A person got further in a training, without completing it.

    Emitted by completion or an LMS, at each step worth telling.
    """

    type: ClassVar[str] = "duly.training.progressed.v1"

    progress_percent: Annotated[float, Meta(ge=0, le=100)]


class TrainingCompletedV1(TrainingEvent, frozen=True, kw_only=True):
    """A training is officially complete; nothing about it is asked of the person any more.

    Emitted by completion or an LMS, once per assignment.
    """

    type: ClassVar[str] = "duly.training.completed.v1"

    score: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None  # in the training's own scale


class TrainingDueChangedV1(TrainingEvent, frozen=True, kw_only=True):
    """The moment by which a training must be finished has moved, earlier or later.

    Emitted by completion or an LMS, for one assignment at a time.
    """

    type: ClassVar[str] = "duly.training.due-changed.v1"
    moments: ClassVar[tuple[str, ...]] = ("occurred_at", "due_at")

    due_at: Utc
    reason: ShortText = ""


class TrainingWithdrawnV1(TrainingEvent, frozen=True, kw_only=True):
    """A person need not finish a training any more: unenrolled, excused or assigned by mistake.

    Emitted by completion or an LMS, once per assignment.
    """

    type: ClassVar[str] = "duly.training.withdrawn.v1"

    reason: ShortText = ""

"""When a run is held for a person: too many would leave, or the file does not look like a roster (RELIABILITY 8)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may do without a person's word."""

    departures_max: int = 25
    departures_percent: float = 5
    duplicates_percent: float = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """The measures of a planned run."""

    complete: bool
    rows: int
    """Rows of the file, refused ones included."""
    good_rows: int
    last_rows: int | None
    """Good rows of the last complete file that was taken; None: there was none."""
    employed: int
    """People here before the run, those on leave included."""
    active: int
    """People here and at work before the run."""
    leaving: int
    departed_rows: int
    doubles: int
    """Rows that look like somebody who is there under another id."""
    changes: int


@dataclass(frozen=True, slots=True)
class Brake:
    """Why a run is held."""

    code: str
    text: str


def verdict(shape: Shape, limits: Limits) -> tuple[Brake, ...]:
    """Return every reason to hold the run, none when it may go.

    A run that changes nobody is let go, whatever its shape, but for an empty file: that one is always somebody's slip.
    """
    if not shape.good_rows:
        return (Brake("empty", "the file has no row that could be taken"),)
    if not shape.changes:
        return ()
    return (*_departures(shape, limits), *_size(shape), *_contents(shape, limits))


def _departures(shape: Shape, limits: Limits) -> tuple[Brake, ...]:
    """I6: more than 25, or more than 5 % of the active people, whichever comes first."""
    share = shape.active * limits.departures_percent / 100
    if shape.leaving <= min(limits.departures_max, share):
        return ()
    text = (
        f"{shape.leaving} people would leave, of {shape.active} who are active; "
        f"more than {limits.departures_max}, or than {limits.departures_percent:g} %, need a person's word"
    )
    return (Brake("departures", text),)


def _size(shape: Shape) -> tuple[Brake, ...]:
    """Compare a complete file with the last one; a part of a roster only with everybody there is."""
    before = shape.employed if shape.last_rows is None or not shape.complete else shape.last_rows
    if shape.complete and 2 * shape.good_rows < before:
        return (Brake("halved", f"{shape.good_rows} good rows are under half of the {before} there were"),)
    if before and shape.good_rows > 2 * before:
        return (Brake("doubled", f"{shape.good_rows} good rows are over twice the {before} there were"),)
    return ()


def _contents(shape: Shape, limits: Limits) -> tuple[Brake, ...]:
    found = []
    if shape.departed_rows == shape.good_rows:
        found.append(Brake("all_departed", "every row of the file is of somebody who has left"))
    if shape.doubles > shape.rows * limits.duplicates_percent / 100:
        text = f"{shape.doubles} of {shape.rows} rows look like somebody who is there already under another id"
        found.append(Brake("duplicates", text))
    return tuple(found)

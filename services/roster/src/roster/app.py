"""Roster, wired. Read this first: the tables below are the whole service."""

from datetime import timedelta
from functools import partial

from faststream.asgi import AsgiFastStream

from duly_chassis.clock import Clock, SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_chassis.service import Act, Entry, Service, Upload, When
from duly_contracts.people import PersonRecordedV1
from roster import answers, handlers, orders, reading, timers
from roster.brake import Limits
from roster.csv_file import Dialect
from roster.handlers import Rules
from roster.runs import PURGE_CHANGES
from roster.settings import Settings
from roster.store import Store


def build(settings: Settings, _clock: Clock) -> Service[Store]:
    """Wire the service; production and tests differ by these arguments and nothing else."""
    dialect = Dialect(columns_max=settings.columns_max, rows_max=settings.rows_max)
    import_file = partial(handlers.import_file, rules=rules(settings))
    return Service(
        name="roster",
        work=Store,
        listens=(),
        timers=(When("lapse", Store.claim, timers.lapse),),
        emits=(PersonRecordedV1,),
        answers={
            "/v1/explain": answers.explain,
            "/v1/summary": answers.summary,
            "/v1/roster/runs": answers.runs,
            "/v1/roster/run": answers.run,
        },
        acts=(Act("/v1/roster/release", handlers.release), Act("/v1/roster/discard", handlers.discard)),
        uploads=(
            Upload("/v1/roster/import", partial(orders.read, dialect=dialect), import_file, settings.file_bytes_max),
        ),
        purges={"changes": PURGE_CHANGES},
        gauges=reading.GAUGES,
        waits=("runs",),
    )


def rules(settings: Settings) -> Rules:
    """Read what an operator set for runs."""
    limits = Limits(settings.brake_departures_max, settings.brake_departures_percent, settings.brake_duplicates_percent)
    return Rules(limits, timedelta(days=settings.held_days_max))


ENTRY = Entry("roster", Settings, build, "roster.migrations")


def create_app() -> AsgiFastStream:
    """For `faststream run --factory roster.app:create_app`; reads settings, opens no connection."""
    settings, clock = Settings(), SystemClock()
    configure(settings.log_level)
    return Host(build(settings, clock), settings, clock).app

"""Reminders, wired. Read this first: the tables below are the whole service."""

from functools import partial

from faststream.asgi import AsgiFastStream

from duly_chassis.clock import Clock, SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_chassis.service import Entry, Listen, Service, When
from duly_contracts import topics
from duly_contracts.decisions import MessageRequestedV1, MessageWithheldV1
from duly_contracts.outreach import OutreachRequestedV2
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import (
    TrainingAssignedV1,
    TrainingCompletedV1,
    TrainingDueChangedV1,
    TrainingWithdrawnV1,
)
from reminders import answers, handlers, policy, reading, timers
from reminders.policies import Policies
from reminders.settings import Settings
from reminders.store import Store

DEADLINE_FACTS = (TrainingAssignedV1, TrainingDueChangedV1, TrainingCompletedV1, TrainingWithdrawnV1)


def build(settings: Settings, clock: Clock) -> Service[Store]:
    """Wire the service; production and tests differ by these arguments and nothing else."""
    policies = Policies.of(policy.load(settings.policy_file))
    return Service(
        name="reminders",
        work=Store,
        listens=(
            Listen(topics.PEOPLE, (PersonRecordedV1,), partial(handlers.people, policies=policies)),
            Listen(topics.TRAINING, DEADLINE_FACTS, partial(handlers.training, policies=policies)),
        ),
        timers=(When("remind", Store.claim, partial(timers.remind, policies=policies)),),
        emits=(OutreachRequestedV2, MessageRequestedV1, MessageWithheldV1),
        answers={"/v1/explain": partial(answers.explain, policies=policies), "/v1/summary": answers.summary},
        prepare=partial(policies.prepare, clock=clock),
        waits=("deadlines",),
        gauges=reading.GAUGES,
    )


ENTRY = Entry("reminders", Settings, build, "reminders.migrations")


def create_app() -> AsgiFastStream:
    """For `faststream run --factory reminders.app:create_app`; reads settings, opens no connection."""
    settings, clock = Settings(), SystemClock()
    configure(settings.log_level)
    return Host(build(settings, clock), settings, clock).app

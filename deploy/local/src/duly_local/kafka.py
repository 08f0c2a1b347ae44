"""Apache Kafka as one child: a single KRaft node, formatted once, started, known to be ready, stopped."""

import base64
import os
import shutil
import signal
import uuid
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from duly_local import child, jars, java, metadata, waiting
from duly_local.child import Child, Command
from duly_local.errors import LocalError
from duly_local.files import write_whole
from duly_local.jars import Say
from duly_local.places import State
from duly_local.ports import HOST

FORMAT_WITHIN_S = 60.0
READY_WITHIN_S = 120.0

LOGGING = """\
status = error
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c: %m%n
"""

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller}
listeners=PLAINTEXT://{host}:{client},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{advertised},CONTROLLER://{host}:{controller}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
# Relative to the broker's working directory: a comma or an umlaut in the state folder's name does no harm.
log.dirs={data}
auto.create.topics.enable=false
num.partitions=6
message.max.bytes=1048576
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
# After a kill the controller waits for the dead broker's session: 12 s by default, 4 s with these.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=300
"""


class Kafka:
    """One broker on one data folder."""

    name = "kafka"
    stop_signal = signal.SIGTERM
    stop_within_s = 30.0

    def __init__(
        self,
        state: State,
        *,
        client: int,
        controller: int,
        say: Say,
        record: Path | None = None,
        advertised: int | None = None,
    ) -> None:
        self._folder = state.kafka
        self._logs = state.logs
        self._data = state.kafka / "data"
        self._client = client
        self._controller = controller
        self._advertised = advertised or client  # another port where a proxy stands before the broker
        self._say = say
        self._record = record
        self._jars: Sequence[Path] = ()
        self.child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """What clients connect to."""
        return f"{HOST}:{self._client}"

    def start(self, cancelled: Event) -> None:
        """Start it, fetched and formatted first if need be; return when it answers as itself."""
        self._jars = jars.install(self._say, jars.lines(self._say))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(self._scratch, ignore_errors=True)  # a killed broker leaves its native libraries here
        self._scratch.mkdir()
        write_whole(self._logging, LOGGING)
        if not self._data.exists():
            self._format(cancelled)
        settings = self._settings("server", self._data.name)
        self.child = child.start(self._java(self.name, ["kafka.Kafka", str(settings)], record=self._record))
        if not waiting.until(self._ready, within_s=READY_WITHIN_S, cancelled=cancelled):
            raise LocalError(f"Kafka was not ready within {READY_WITHIN_S:.0f} s; see {self.child.command.log}.")

    @property
    def _scratch(self) -> Path:
        return self._folder / "scratch"

    @property
    def _logging(self) -> Path:
        return self._folder / "log4j2.properties"

    def _format(self, cancelled: Event) -> None:
        """Make the data folder beside its place and rename it when whole: a kill leaves none or a good one."""
        part = self._folder / "data.part"
        shutil.rmtree(part, ignore_errors=True)
        settings = self._settings("format", part.name)
        arguments = ["kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", _new_id()]
        command = self._java("kafka-format", [*arguments, "--config", str(settings)])
        child.run(command, within_s=FORMAT_WITHIN_S, cancelled=cancelled)
        part.rename(self._data)

    def _settings(self, name: str, data: str) -> Path:
        path = self._folder / f"{name}.properties"
        text = SETTINGS.format(
            host=HOST, client=self._client, advertised=self._advertised, controller=self._controller, data=data
        )
        write_whole(path, text)
        return path

    def _java(self, name: str, arguments: Sequence[str], record: Path | None = None) -> Command:
        return Command(
            name=name,
            argv=java.command(self._jars, arguments, scratch=self._scratch, logging=self._logging, record=record),
            log=self._logs / f"{name}.log",
            folder=self._folder,
            environment={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        )

    def _ready(self) -> bool:
        """Ask for the cluster's id: an open port may be a stranger's, or belong to a broker still fenced."""
        if self.child is None:
            return False
        if not self.child.running():
            raise self.child.failure()
        cluster = metadata.ask(self._client)
        return cluster is not None and self._advertised in cluster.ports and cluster.id == self._cluster_id()

    def _cluster_id(self) -> str:
        lines = self._data.joinpath("meta.properties").read_text(encoding="utf-8").splitlines()
        return next(line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id="))


def _new_id() -> str:
    """Return a new cluster id as Kafka's own tool would make it: 16 bytes, URL-safe, no dash in front."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        continue
    return text

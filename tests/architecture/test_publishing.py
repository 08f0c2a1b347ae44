"""Events leave through the outbox and its relay; nobody else speaks to a producer (STYLE.md point 5)."""

import ast
from collections.abc import Iterator

from tests.architecture.source import Fault, Module, called, modules, refuse, sample, walk

PRODUCERS = {
    "duly_chassis.relay.Relay.__init__": "the relay keeps its producer",
    "duly_chassis.relay.Relay._connected": "the relay makes its producer",
    "duly_chassis.relay.Relay._abandon": "the relay gives its producer up",
    "duly_chassis.relay.Relay._publish": "the relay sends what the outbox holds",
    "duly_cli.rehearsal.driver.Driver": "the player stands where an LMS would: its facts have no outbox",
    "duly_cli.rehearsal.driver.Driver._publish": "the player stands where an LMS would: its facts have no outbox",
    "duly_cli.rehearsal.session._producer": "makes the player's producer",
    "duly_cli.telling._publish": "`duly facts` stands where an LMS would: its facts have no outbox",
}


def producing(module: Module) -> Iterator[Fault]:
    """Find producers, and sends over one."""
    for node, inside in walk(module.tree):
        name = called(node)
        receiver, _, method = name.rpartition(".")
        sends = method in {"send", "send_and_wait", "send_batch"} and "producer" in receiver.lower()
        if sends or (isinstance(node, ast.Name) and node.id == "AIOKafkaProducer"):
            yield module.fault(node, "only the relay publishes: tx.emit(...) puts an event into the outbox", inside)


def publishing(module: Module) -> Iterator[Fault]:
    """Find what FastStream would publish by itself, outside every transaction."""
    for node, inside in walk(module.tree):
        if called(node).rpartition(".")[2] in {"publish", "publish_batch", "publisher"}:
            yield module.fault(node, "a broker publishes outside the transaction: tx.emit(...) instead", inside)


def test_only_the_relay_and_who_stands_for_an_lms_have_a_producer() -> None:
    refuse((fault for module in modules() for fault in producing(module)), PRODUCERS)


def test_nothing_publishes_past_the_outbox() -> None:
    """What is published beside the outbox is lost, or told though its transaction failed (openedx-events 0015)."""
    refuse(fault for module in modules() for fault in publishing(module))


def test_publishing_is_noticed() -> None:
    assert list(publishing(sample("async def f():\n await broker.publish(x)")))
    assert list(publishing(sample("@broker.publisher('t')\nasync def f(): ...")))
    assert list(producing(sample("async def f():\n await self.producer.send('t', b'')")))
    assert list(producing(sample("p: AIOKafkaProducer")))
    assert not list(producing(sample("async def app(send):\n await send({})\n child.send(9)")))

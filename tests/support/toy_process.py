"""The toy as a process of its own, so that it can die: `python -m tests.support.toy_process`, settings by DULY_TOY_."""

import asyncio
import os
import signal
import sys

from duly_chassis import serving
from duly_chassis.clock import DrivenClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_contracts.decode import Decoder
from tests.support import toy
from tests.support.toy import KILL, NOW

DECODER_DIES = "decoder-dies"
"""Given as argument, the toy dies over a marked record before anybody knows what it is."""


def die_when_decoding() -> None:
    """Have the decoder end this process, as a fault in a parser would, over the record that bears the mark."""
    decode = Decoder.decode

    def dies(self: Decoder, topic: str, key: object, headers: object, value: bytes | None) -> object:
        if value is not None and KILL.encode() in value:
            os._exit(11)
        return decode(self, topic, key, headers, value)  # type: ignore[arg-type]

    Decoder.decode = dies  # type: ignore[method-assign,assignment]


async def run() -> None:
    """Run until a signal comes."""
    host = Host(toy.service(toy.Switches.free()), toy.ToySettings(), DrivenClock(NOW))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with serving.running(host):
        await stopped.wait()


if __name__ == "__main__":
    configure("warning")
    if DECODER_DIES in sys.argv:
        die_when_decoding()
    asyncio.run(run())

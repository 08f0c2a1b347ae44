"""A shipped service in a process of its own that dies over marked records: `python -m tests.support.dying reminders`.

The product has no such switch. Here the decoder is made to end the process, as a fault in a parser would, over any
record whose value holds the mark of MARK_VARIABLE; without that variable it is the service as its image starts it.
"""

import os

from duly_chassis import run
from duly_contracts.decode import Decoder

MARK_VARIABLE = "CAMPAIGN_DIES_OVER"
EXIT_CODE = 11


def die_over(mark: bytes) -> None:
    """End this process over every record that bears the mark, before anybody knows what the record is."""
    decode = Decoder.decode

    def dies(self: Decoder, topic: str, key: object, headers: object, value: bytes | None) -> object:
        if value is not None and mark in value:
            os._exit(EXIT_CODE)
        return decode(self, topic, key, headers, value)  # type: ignore[arg-type]

    Decoder.decode = dies  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    if os.environ.get(MARK_VARIABLE):
        die_over(os.environ[MARK_VARIABLE].encode())
    run.main()

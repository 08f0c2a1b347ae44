"""The connections to the relay: so many at most, used again while they are good, the warmest first."""

import asyncio

from messenger.smtp.connect import connect
from messenger.smtp.connection import Connection
from messenger.smtp.relay import SmtpSettings


class SmtpPool:
    """Lends connections; whoever takes one gives it back, in whatever state it is."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._tls = None if settings.tls == "none" else settings.tls_context()  # a wrong file fails at start
        self._free = asyncio.Semaphore(settings.connections)
        self._idle: list[Connection] = []
        self._closed = False

    async def take(self) -> Connection:
        """Lend an idle connection or open one; raises Unreachable."""
        await self._free.acquire()
        try:
            while self._idle:
                connection = self._idle.pop()
                if connection.usable:
                    return connection
                connection.abort()
            return await connect(self._settings, self._tls)
        except BaseException:
            self._free.release()
            raise

    def give_back(self, connection: Connection) -> None:
        """Keep it for the next letter, or hang up when it is not good for one."""
        if connection.usable and not self._closed:
            self._idle.append(connection)
        else:
            connection.abort()
        self._free.release()

    async def close(self) -> None:
        """Take leave of the relay; a connection that is still lent is closed when it comes back."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.quit() for connection in idle))

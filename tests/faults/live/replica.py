"""One replica of a service, started as its image starts it (or from a nursery), and what it answers over HTTP."""

import asyncio
import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.faults.live.nursery import Child, Nursery
from tests.faults.live.place import HOST
from tests.faults.live.programs import POLL_S, Program

ASK_WITHIN_S = 20
OK = 200


class Unanswered(Exception):
    """Nobody answered, or not with yes."""


class Replica(Program):
    """One of several processes of a service."""

    def __init__(
        self,
        service: str,
        number: int,
        port: int,
        logs: Path,
        settings: Mapping[str, str],
        module: str = "duly_chassis.run",
        nursery: Nursery | None = None,
    ) -> None:
        own = f"DULY_{service.upper()}_"
        name = f"{service}-{number}"
        more = {f"{own}HTTP_PORT": str(port), f"{own}INSTANCE_ID": f"live-{name}"}
        super().__init__(name, [sys.executable, "-m", module, service], logs, {**settings, **more})
        self.service = service
        self.port = port
        self._module = module
        self._nursery = nursery

    def _begun(self) -> "subprocess.Popen[bytes] | Child":
        if self._nursery is None:
            return super()._begun()
        return self._nursery.start(self._module, [self.service], self.settings, self.log("out"), self.log("err"))

    async def ask(self, path: str, **query: str) -> str:
        """Return the text of an answer; raises Unanswered."""
        return await asyncio.to_thread(self._ask, "GET", f"{path}?{urlencode(query)}", None)

    async def order(self, path: str, **order: str) -> str:
        """Give an order as a named person would; raises Unanswered."""
        return await asyncio.to_thread(self._ask, "POST", path, json.dumps(order))

    async def upload(self, path: str, content: bytes, **query: str) -> Any:
        """Send a file and return the answer as the object it is; raises Unanswered."""
        return json.loads(await asyncio.to_thread(self._ask, "POST", f"{path}?{urlencode(query)}", content))

    async def json(self, path: str, **query: str) -> Any:
        """Return an answer as the object it is; raises Unanswered."""
        return json.loads(await self.ask(path, **query))

    async def ready(self) -> bool:
        """Ask whether it is ready."""
        try:
            await self.ask("/health/ready")
        except Unanswered:
            return False
        return True

    async def until_ready(self, within_s: float) -> None:
        """Wait until it is ready; raises TimeoutError with what it says of itself."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            try:
                await self.ask("/health/ready")
            except Unanswered as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise TimeoutError(f"{self.name} is not ready: {error}") from None
                await asyncio.sleep(POLL_S)
            else:
                return

    def _ask(self, method: str, path: str, body: str | bytes | None) -> str:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ASK_WITHIN_S)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(type(error).__name__) from None
        finally:
            connection.close()
        if answer.status != OK:
            raise Unanswered(f"{answer.status} {text}")
        return text

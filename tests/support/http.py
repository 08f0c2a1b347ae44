"""Ask a running service over HTTP: status and body, whatever they are."""

from collections.abc import Mapping
from typing import Any

import aiohttp


async def get(address: str, path: str, query: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """GET a path."""
    async with aiohttp.ClientSession() as session, session.get(address + path, params=query) as response:
        return response.status, await response.json()


async def post(address: str, path: str, order: Mapping[str, Any]) -> tuple[int, Any]:
    """POST an order."""
    async with aiohttp.ClientSession() as session, session.post(address + path, json=order) as response:
        return response.status, await response.json()


async def text(address: str, path: str) -> str:
    """GET a path that answers with text."""
    async with aiohttp.ClientSession() as session, session.get(address + path) as response:
        return await response.text()

"""python-socketio 5 with asyncio (socketio.AsyncClient) against a live gateway.

Only opens the connection; what is checked is in shared.py. Never reconnects: a connection that ends is a failure.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import aiohttp
import shared
import socketio


class Arrivals:
    def __init__(self) -> None:
        self._event = asyncio.Event()

    def signal(self) -> None:
        self._event.set()

    async def changed(self, timeout: float) -> None:
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except TimeoutError:
            return
        self._event.clear()


class Asyncio:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.arrivals = Arrivals()
        self.sio = socketio.AsyncClient(reconnection=False, request_timeout=shared.DEADLINE_S)
        self.session = session

    async def connect(self, url: str, transports: list[str] | None) -> None:
        await self.sio.connect(url, transports=transports, wait_timeout=shared.DEADLINE_S)

    async def emit(self, event: str, payload: tuple[Any, ...], callback: Callable[..., None] | None) -> None:
        await self.sio.emit(event, payload, callback=callback)

    async def http(self, method: str, url: str) -> tuple[int, str, str]:
        async with self.session.request(method, url) as response:
            return response.status, response.headers.get("content-type", ""), await response.text()

    async def close(self) -> None:
        await self.sio.disconnect()


async def main(arguments: Any) -> int:
    timeout = aiohttp.ClientTimeout(total=shared.DEADLINE_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        return await shared.run("asyncio", Asyncio(session), arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(shared.read_arguments(__doc__ or ""))))

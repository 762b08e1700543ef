"""python-socketio 5 with threads (socketio.Client) against a live gateway.

Only opens the connection; what is checked is in shared.py. Never reconnects: a connection that ends is a failure.
"""

import queue
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import engineio
import requests
import shared
import socketio


class InOrder(engineio.Client):
    """An Engine.IO client that handles messages in the order in which they arrived.

    The library starts a thread for each message, and who runs first is a matter of luck: it would be no witness of the
    order in which the gateway sends.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._messages: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.SimpleQueue()
        threading.Thread(target=self._handle_messages, daemon=True).start()

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if target == self.handlers.get("message"):
            self._messages.put((target, args))
            return None
        return super().start_background_task(target, *args, **kwargs)

    def _handle_messages(self) -> None:
        while True:
            handle, args = self._messages.get()
            handle(*args)


class SocketIo(socketio.Client):
    def _engineio_client_class(self) -> type[engineio.Client]:
        return InOrder


class Arrivals:
    def __init__(self) -> None:
        self._event = threading.Event()

    def signal(self) -> None:
        self._event.set()

    async def changed(self, timeout: float) -> None:
        self._event.wait(timeout)
        self._event.clear()


class Threads:
    """Blocks wherever the scenario says await."""

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        self.sio = SocketIo(reconnection=False, request_timeout=shared.DEADLINE_S)
        self.session = requests.Session()

    async def connect(self, url: str, transports: list[str] | None) -> None:
        self.sio.connect(url, transports=transports, wait_timeout=shared.DEADLINE_S)

    async def emit(self, event: str, payload: tuple[Any, ...], callback: Callable[..., None] | None) -> None:
        self.sio.emit(event, payload, callback=callback)

    async def http(self, method: str, url: str) -> tuple[int, str, str]:
        response = self.session.request(method, url, timeout=shared.DEADLINE_S)
        return response.status_code, response.headers.get("content-type", ""), response.text

    async def close(self) -> None:
        self.sio.disconnect()
        self.session.close()


def blocking(work: Coroutine[Any, Any, int]) -> int:
    """Runs a coroutine that never really waits."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the scenario waited for something else than this client")


if __name__ == "__main__":
    sys.exit(blocking(shared.run("sync", Threads(), shared.read_arguments(__doc__ or ""))))

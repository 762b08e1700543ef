"""python-socketio over a gateway that goes away and comes back.

Says "joined seq" each time it is in the room, and ends with 0 once it was there three times. Does what any client would:
joins whenever it is connected. The waiting between is the library's own.
"""

import asyncio
import sys
import threading

import socketio

URL, SYSTEM, KIND = sys.argv[1:4]
DELAYS = {"reconnection_delay": 0.1, "reconnection_delay_max": 0.3}
TIMES = 3


def joined(answer: dict) -> None:
    print("joined", answer["system"]["state"]["seq"], flush=True)


def threads() -> None:
    sio = socketio.Client(**DELAYS)
    there = threading.Semaphore(0)

    @sio.event
    def connect() -> None:
        def answered(answer: dict) -> None:
            joined(answer)
            there.release()

        sio.emit("join", SYSTEM, callback=answered)

    sio.connect(URL)
    for _ in range(TIMES):
        there.acquire()
    sio.disconnect()


async def coroutines() -> None:
    sio = socketio.AsyncClient(**DELAYS)
    there = asyncio.Semaphore(0)

    @sio.event
    async def connect() -> None:
        def answered(answer: dict) -> None:
            joined(answer)
            there.release()

        await sio.emit("join", SYSTEM, callback=answered)

    await sio.connect(URL)
    for _ in range(TIMES):
        await there.acquire()
    await sio.disconnect()


if KIND == "threads":
    threads()
else:
    asyncio.run(coroutines())

"""The peer in Python: python-socketio on aiohttp, with the loop of uvloop. `join` with an ack, and at the turn of each
second a `clock` for every room that has members, in the words of acequia.

It never does what acequia does beside that: nothing is stored and nobody is shown a state.

    python server.py
"""

import asyncio
import sys
import time

import socketio
import uvloop
from aiohttp import web

sio = socketio.AsyncServer(async_mode="aiohttp")
systems = set()


@sio.event
async def join(sid, system):
    systems.add(system)
    await sio.enter_room(sid, system)
    return {"ok": True}


async def tick():
    last = int(time.time())
    while True:
        await asyncio.sleep(1 - time.time() % 1)
        second = int(time.time())
        if second == last:
            continue  # a timer that fires early is no second turn
        last = second
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        for system in tuple(systems):
            # A room that everybody has left is told nothing.
            await sio.emit("clock", {"system": system, "now": now, "seq": 0}, room=system)


async def main():
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    print(f"peer on http://{host}:{port} ", file=sys.stderr, flush=True)
    await tick()


uvloop.run(main())

#!/usr/bin/env python3
"""A reference actuator: follows one system of acequia, moves one valve, and keeps the lease.

    actuator.py http://127.0.0.1:8001 north --open 'pinctrl set 17 op dh' --close 'pinctrl set 17 op dl'

The valve is open only while three things hold: the newest state says so, its deadline has not come, and a clock of the
gateway was heard within the lease, of one that reaches its store. In every other case it is closed.

Each line of the output begins with the time, in seconds, on the clock that is used for all of this:

    open state, closed state    the gateway said so
    closed start                nothing has been heard yet
    closed deadline             the run is over, whether the gateway has said it or not
    closed lease                no gateway that reaches its store was heard for the lease
    closed max-open             the limit of our own, --max-open; until the gateway closes, too
    closed stop                 this program ends
    connected, lost …           the gateway; a lost one, or another, is looked for until it is found
    refused …                   there is no such system at the gateway
    failed …                    a command has failed and is tried again: look at the valve

`open` and `closed` are said when the command has succeeded. Commands must be harmless when the valve is there already,
and --close also after an --open that was cut off in the middle.

Needs Python 3.11 and `pip install 'python-socketio[asyncio_client]'`. Two threads: one talks to the gateway and may
wait for it as long as it likes; the main one decides, moves the valve, and waits for nobody.
"""

import argparse
import asyncio
import math
import os
import queue
import random
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import socketio

OPEN, CLOSED = "open", "closed"

# The lease until the gateway has told its own.
LEASE_S = 30.0
# How often the clock is looked at.
TICK_S = 0.05
# A command that takes longer hangs: it is killed and has failed.
COMMAND_S = 10.0
# Before a command or a connection that has failed is tried again.
RETRY_S = 1.0
# A gateway that does not reach its store is left for another at most so seldom: they may all be without it.
STAY_S = 60.0
# The gateway will not like it better the next time.
FINAL = ("invalid_system_id", "bad_request")

# Setting the wall clock does not touch it. Linux has one that also counts while the machine is suspended.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    return time.clock_gettime(CLOCK)


def pause(seconds: float) -> None:
    select.select([], [], [], seconds)


def say(*words: object) -> None:
    """Prints a line; drops it when the reader is gone or asleep, because the valve cannot wait for readers."""
    line = f"{now():.3f} {' '.join(map(str, words))}\n"
    with suppress(OSError):
        if select.select([], [sys.stdout], [], 0)[1]:
            os.write(sys.stdout.fileno(), line.encode())


class Orders:
    """What the gateway has said, and how long that holds. Decides where the valve has to be; does nothing."""

    def __init__(self, lease: float, max_open: float) -> None:
        self.lease = lease
        self.max_open = max_open
        self.mode = "wait"
        self.deadline = math.inf
        self.renewed = -math.inf
        # For how long the valve has been open since the mode was `wait`.
        self.spent = 0.0

    def state(self, at: float, mode: str, remaining_ms: int | None) -> None:
        self.mode = mode
        self.deadline = math.inf if remaining_ms is None else at + remaining_ms / 1000
        if mode == "wait":
            self.spent = 0.0

    def verdict(self, at: float) -> tuple[str, str]:
        if self.renewed == -math.inf:
            return CLOSED, "start"
        if at >= self.renewed + self.lease:
            return CLOSED, "lease"
        if self.mode == "wait":
            return CLOSED, "state"
        if at >= self.deadline:
            return CLOSED, "deadline"
        if self.spent >= self.max_open:
            return CLOSED, "max-open"
        return OPEN, "state"


class Valve:
    """Runs the commands, and never waits for one: a valve that hangs must not hold up the lease."""

    def __init__(self, open_command: str | None, close_command: str | None) -> None:
        self.commands = {OPEN: open_command, CLOSED: close_command}
        # Where it is. Nobody knows until a command has succeeded.
        self.position: str | None = None
        # Where it has to be and why, and from when on the next try is due.
        self.wanted = (CLOSED, "start")
        self.due = -math.inf
        # The command that runs, what for, and when it counts as hanging.
        self.process: subprocess.Popen[bytes] | None = None
        self.moving = self.wanted
        self.patience = math.inf

    def move(self, at: float, position: str, why: str) -> None:
        """To be called at every tick: ends what was going on and begins what is wanted."""
        if position != self.wanted[0]:
            self.wanted, self.due = (position, why), at
        if self.process is not None:
            self.end(at)
        if self.process is None and self.position != position and at >= self.due:
            self.begin(at)

    def begin(self, at: float) -> None:
        self.moving = self.wanted
        command = self.commands[self.moving[0]]
        if command is None:
            self.arrived()
            return
        self.position = None
        self.patience = at + COMMAND_S
        try:
            # In a group of its own, which can be killed as a whole. Standard output is for our lines only.
            self.process = subprocess.Popen(
                command, shell=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
            )
        except OSError as problem:
            self.failed(at, problem)

    def end(self, at: float) -> None:
        """Ends the command if it has finished, if it hangs, and if it opens what has to be closed now."""
        code = self.process.poll()
        if code == 0:
            self.arrived()
        elif code is not None:
            self.failed(at, f"exit code {code}")
        elif at >= self.patience:
            self.kill()
            self.failed(at, f"nothing for {COMMAND_S:g} s")
        elif self.moving[0] == OPEN and self.wanted[0] == CLOSED:
            self.kill()
        else:
            return
        self.process = None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def arrived(self) -> None:
        self.position = self.moving[0]
        say(*self.moving)

    def failed(self, at: float, problem: object) -> None:
        say("failed to open:" if self.moving[0] == OPEN else "failed to CLOSE, water may run:", problem)
        if self.moving[0] == self.wanted[0]:
            self.due = at + RETRY_S

    def close_and_wait(self) -> None:
        """The last resort, when this program ends in a way it should not."""
        if self.position != CLOSED and self.commands[CLOSED] is not None:
            subprocess.run(self.commands[CLOSED], shell=True, stdout=sys.stderr, timeout=COMMAND_S, check=True)


class Refused(Exception):
    """The gateway does not let us into the room."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Gateway(threading.Thread):
    """Follows the system from connection to connection, and puts what counts into `news`."""

    def __init__(self, url: str, system: str, lease: float | None) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.system = system
        self.own_lease = lease
        self.lease = lease or LEASE_S
        # How long the next gateway may go without its store before it is left: the first one as if it were silent.
        self.stay = self.silence()
        self.news: queue.SimpleQueue[tuple] = queue.SimpleQueue()
        self.last_words = ""

    def run(self) -> None:
        """Ends only when the gateway will never let us in."""
        while True:
            try:
                # A loop for each connection: no task, no packet and no seq of it is left to the next.
                asyncio.run(self.connection())
            except Refused as refusal:
                self.tell_once(f"refused {refusal}")
                if refusal.code in FINAL:
                    return
            except Exception as problem:  # whatever it is, the connection is lost and the next may be better
                self.tell_once(f"lost {str(problem) or type(problem).__name__}")
            pause(RETRY_S * random.uniform(0.7, 1.3))

    def tell_once(self, words: str) -> None:
        if words != self.last_words:
            self.news.put(("say", words))
        self.last_words = words

    async def connection(self) -> None:
        """One connection, from beginning to end; it ends with an exception that says why."""
        # `request_timeout` is what a good-bye may take: who is gone does not answer it.
        client = socketio.AsyncClient(reconnection=False, handle_sigint=False, request_timeout=1)
        packets: asyncio.Queue[tuple[str, dict]] = asyncio.Queue()
        client.on("*", lambda event, payload: packets.put_nowait((event, payload)))
        client.on("disconnect", lambda _: packets.put_nowait(("disconnect", {})))
        try:
            async with asyncio.timeout(self.silence()):
                await client.connect(self.url, transports=["websocket"], wait_timeout=60)
            await self.follow(client, packets)
        finally:
            with suppress(Exception):
                async with asyncio.timeout(2):
                    await client.disconnect()

    async def follow(self, client: socketio.AsyncClient, packets: "asyncio.Queue[tuple[str, dict]]") -> None:
        async def join() -> None:
            await client.emit("join", self.system, callback=lambda answer: packets.put_nowait(("answer", answer)))

        seq = -1  # a new connection knows nothing
        heard = known = now()
        reaches_store = False  # nor whether what it tells is the newest
        held: tuple | None = None  # a run that opens nothing before that is known
        await join()
        while True:
            event, payload = "", {}
            with suppress(TimeoutError):
                async with asyncio.timeout(self.silence()):
                    event, payload = await packets.get()
            at = now()
            if at - heard >= self.silence():
                # Also when something has come: what a machine reads first after a suspend is old.
                raise ConnectionError(f"no clock for {at - heard:.1f} s")
            if event == "clock":
                reaches_store = "stale_ms" not in payload
            if event == "state" and payload["seq"] > seq:
                seq = payload["seq"]
                state = ("state", at, payload["mode"], payload["remaining_ms"])
                held = None if reaches_store or payload["mode"] == "wait" else state
                if held is None:
                    self.news.put(state)
            elif event == "clock" and payload["seq"] == seq:
                heard = at
                if reaches_store:
                    known, self.stay = at, self.silence()
                    if held is not None:
                        self.news.put(held)
                        held = None
                    self.news.put(("clock", at))
            elif event == "clock" and payload["seq"] > seq:
                # A change was missed, perhaps a stop: this clock is no reason to go on.
                await join()
            elif event == "answer":
                self.joined(payload)
            elif event == "disconnect":
                raise ConnectionError("the gateway has hung up")
            if at - known >= self.stay:
                # Another one may reach its store. If none does, it is no use to change for ever.
                self.stay = min(self.stay * 2, STAY_S)
                raise ConnectionError("a gateway that does not reach its store")

    def joined(self, answer: dict) -> None:
        if not answer["ok"]:
            raise Refused(answer["error"]["code"], answer["error"]["message"])
        self.lease = self.own_lease or answer["system"].get("lease_seconds", LEASE_S)
        self.news.put(("lease", self.lease))
        self.tell_once("connected")

    def silence(self) -> float:
        """How long nothing may be heard before the connection is given up: there is time for another in the lease."""
        return min(5.0, self.lease / 2)


def hear(news: tuple, orders: Orders) -> None:
    match news:
        case "state", at, mode, remaining_ms:
            orders.state(at, mode, remaining_ms)
        case "clock", at:
            orders.renewed = at
        case "lease", seconds:
            orders.lease = seconds
        case "say", words:
            say(words)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("url", metavar="URL", help="of the gateway, as in http://127.0.0.1:8001")
    parser.add_argument("system", metavar="SYSTEM", help="id of the system to follow")
    parser.add_argument("--open", metavar="COMMAND", help="shell command that opens the valve; only told when missing")
    parser.add_argument("--close", metavar="COMMAND", help="shell command that closes the valve")
    parser.add_argument("--lease", metavar="SECONDS", type=float, help="default: what the gateway says")
    parser.add_argument(
        "--max-open", metavar="SECONDS", type=float, default=math.inf, help="longest time open; default: no limit"
    )
    options = parser.parse_args()
    if (options.open is None) != (options.close is None):
        parser.error("--open and --close belong together")
    if options.lease is not None and not 5 <= options.lease <= 3600:
        parser.error("--lease must be from 5 to 3600")
    if not options.max_open > 0:
        parser.error("--max-open must be more than 0")
    return options


def main() -> int:
    options = read_arguments()
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: signals.append(number))
    orders = Orders(options.lease or LEASE_S, options.max_open)
    valve = Valve(options.open, options.close)
    gateway = Gateway(options.url, options.system, options.lease)
    last = now()
    try:
        valve.move(last, CLOSED, "start")  # before anybody is asked
        gateway.start()
        while True:
            at = now()
            if valve.position != CLOSED:
                orders.spent += at - last
            last = at
            ends = bool(signals) or not gateway.is_alive()
            while not gateway.news.empty():
                hear(gateway.news.get(), orders)
            valve.move(at, *((CLOSED, "stop") if ends else orders.verdict(at)))
            if ends and valve.position == CLOSED:
                return 0 if signals else 1
            pause(TICK_S)
    finally:
        valve.close_and_wait()


if __name__ == "__main__":
    sys.exit(main())

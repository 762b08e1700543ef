"""What the Python clients share: the shapes of the contract, a witness of what arrives, and the scenario that both go
through against a live gateway.

The scenario is written once, with `await`: the asyncio client really waits there, the client with threads blocks.

Never sleeps for a fixed time: every wait is for an event and has a deadline. Never reconnects, retries or repairs: the
first thing that breaks the contract ends the run. Never commands a system that it was not given, but joins another to
measure time by: the yardstick, or else the next one of the list. Where several clients run side by side, give them a
yardstick that is nobody's system: who joins a room with members may hear its clock before the snapshot.
"""

import argparse
import json
import re
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

DEADLINE_S = 10
# Ticks that a client watches to see the rhythm of the clock.
TICKS = 4
# How far the arrival of those ticks may be from that rhythm: what a busy machine adds, but not half a tick.
RHYTHM_S = 0.45
# A tick comes at the turn of the second; the promptest of several is at most this late.
PROMPT_S = 0.25

# ---------------------------------------------------------------------------------------------- saying what is wrong


class Broken(Exception):
    """The contract is broken, or nothing came in time."""


def show(value: Any) -> str:
    return json.dumps(value, default=str)


def expect(holds: bool, what: str, *value: Any) -> None:
    if not holds:
        raise Broken(", but it is ".join([what, *map(show, value)]))


def expect_equal(seen: Any, wanted: Any, what: str) -> None:
    # In Python True is 1.
    expect(seen == wanted and show(seen) == show(wanted), f"{what} must be {show(wanted)}", seen)


# ------------------------------------------------------------------------------------------------------------ shapes

Rule = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str)


def filled(value: Any) -> bool:
    return text(value) and value != ""


def count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def boolean(value: Any) -> bool:
    return isinstance(value, bool)


def anything(value: Any) -> bool:
    return value is not None


def one_of(*allowed: str) -> Rule:
    return lambda value: value in allowed


def or_null(rule: Rule) -> Rule:
    return lambda value: value is None or rule(value)


def matching(pattern: str) -> Rule:
    return lambda value: text(value) and re.fullmatch(pattern, value) is not None


system_id = matching(r"[a-z0-9][a-z0-9_-]{0,63}")
second = matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
instant = matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")


def millis(later: str, earlier: str) -> int:
    """From one wall time without zone to another."""
    return round((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() * 1000)


def near(a: float, b: float, tolerance: float) -> bool:
    return abs(a - b) <= tolerance


def expect_shape(value: Any, fields: dict[str, Rule], what: str) -> None:
    """Every field of the shape, of its type. A field more is no break: the contract may grow."""
    expect(isinstance(value, dict), f"{what} must be an object", value)
    for field, rule in fields.items():
        expect(field in value, f'{what} must have "{field}"', value)
        expect(rule(value[field]), f'"{field}" of {what} is not what the contract says', value)


def expect_state(state: Any, what: str = "State") -> None:
    fields = {
        "system": system_id,
        "seq": count,
        "mode": one_of("wait", "timer", "manual"),
        "start": or_null(instant),
        "end": or_null(instant),
        "elapsed_ms": or_null(count),
        "remaining_ms": or_null(count),
        "by": or_null(text),
    }
    expect_shape(state, fields, what)
    if state["mode"] == "wait":
        expect_equal(picked(state), WAITING, f"what {what} in wait says of a run")
        return
    start, end = state["start"], state["end"]
    elapsed, remaining = state["elapsed_ms"], state["remaining_ms"]
    expect(start is not None and elapsed is not None, f"{what} of a run must have start and elapsed_ms", state)
    expect((end is None) == (remaining is None), f"end and remaining_ms of {what} must go together", state)
    expect(state["mode"] != "timer" or end is not None, f"{what} in timer must have end and remaining_ms", state)
    if end is not None:
        agree = near(millis(end, start), elapsed + remaining, 1)
        expect(agree, f"start, end, elapsed_ms and remaining_ms of {what} must agree", state)


def expect_clock(clock: Any, what: str = "Clock") -> None:
    expect_shape(clock, {"system": system_id, "now": second, "seq": count}, what)


def expect_system(system: Any, what: str = "System") -> None:
    numbers = {"timer_seconds": count, "lease_seconds": count}
    fields = {"id": system_id, "name": filled, **numbers, "state": anything, "clock": anything}
    expect_shape(system, fields, what)
    expect_state(system["state"], f"the state of {what}")
    expect_clock(system["clock"], f"the clock of {what}")
    named = [system["state"]["system"], system["clock"]["system"]]
    expect_equal(named, [system["id"], system["id"]], f"the systems in {what}")
    expect_equal(system["clock"]["seq"], system["state"]["seq"], f"the seq of the clock in {what}")


def expect_action(action: Any, what: str = "Action") -> None:
    fields = {
        "system": system_id,
        "id": count,
        "mode": one_of("timer", "manual"),
        "start": instant,
        "end": or_null(instant),
        "duration_ms": or_null(count),
        "planned_ms": or_null(count),
        "outcome": one_of("completed", "stopped", "replaced", "limited", "interrupted"),
        "by": or_null(text),
    }
    expect_shape(action, fields, what)


def expect_outcome(outcome: Any) -> None:
    expect_shape(outcome, {"changed": boolean, "state": anything}, "Outcome")
    expect_state(outcome["state"], "the state of Outcome")
    expect_equal("reason" in outcome, not outcome["changed"], "whether Outcome has a reason")


def expect_error(error: Any, code: str, what: str) -> None:
    expect_shape(error, {"code": filled, "message": filled}, f"the error of {what}")
    expect_equal(error["code"], code, f"the code of {what} ({show(error['message'])})")


def picked(state: dict[str, Any]) -> dict[str, Any]:
    return {field: state[field] for field in ("mode", "start", "end", "elapsed_ms", "remaining_ms", "by")}


WAITING = {"mode": "wait", "start": None, "end": None, "elapsed_ms": None, "remaining_ms": None, "by": None}

# ----------------------------------------------------------------------------------------------------------- library


class Arrivals(Protocol):
    """How a client waits: `signal` wakes who is in `changed`, and a signal is never lost."""

    def signal(self) -> None: ...

    async def changed(self, timeout: float) -> None: ...


class Library(Protocol):
    """What differs between the client with threads and the client with asyncio."""

    arrivals: Arrivals
    # The socketio client, to register handlers with.
    sio: Any

    async def connect(self, url: str, transports: list[str] | None) -> None: ...

    async def emit(self, event: str, payload: tuple[Any, ...], callback: Callable[..., None] | None) -> None: ...

    async def http(self, method: str, url: str) -> tuple[int, str, str]:
        """Status, content type and body."""
        ...

    async def close(self) -> None: ...


class Http:
    def __init__(self, library: Library, base: str) -> None:
        self.library = library
        self.base = base.rstrip("/")

    async def json(self, method: str, path: str) -> Any:
        what = f"{method} {path}"
        try:
            status, kind, body = await self.library.http(method, self.base + path)
        except Exception as error:
            raise Broken(f"waited for the answer to {what}, seen: {error!r}") from error
        expect_equal(status, 200, f"the status of {what} ({body})")
        expect(kind.split(";")[0] == "application/json", f"{what} must be application/json", kind)
        return json.loads(body)

    async def systems(self) -> list[dict[str, Any]]:
        systems = await self.json("GET", "/systems")
        expect(isinstance(systems, list), "GET /systems must be a list", systems)
        for system in systems:
            expect_system(system)
        ids = [system["id"] for system in systems]
        expect_equal(ids, sorted(ids), "the order of GET /systems")
        return systems

    async def command(self, system: str, verb: str, **query: Any) -> dict[str, Any]:
        asked = f"?{urlencode(query)}" if query else ""
        outcome = await self.json("POST", f"/systems/{system}/{verb}{asked}")
        expect_outcome(outcome)
        expect_equal(outcome["state"]["system"], system, "the system of Outcome")
        return outcome

    async def change(self, system: str, verb: str, mode: str, seq: int, **query: Any) -> dict[str, Any]:
        """A command that changes something, to this mode and this seq."""
        outcome = await self.command(system, verb, **query)
        state = outcome["state"]
        expect_equal([outcome["changed"], state["mode"], state["seq"]], [True, mode, seq], f"what {verb} leads to")
        return state

    async def unchanged(self, system: str, verb: str, reason: str, mode: str, seq: int, **query: Any) -> None:
        """A command that is answered with a reason why nothing changed."""
        outcome = await self.command(system, verb, **query)
        state = outcome["state"]
        seen = [outcome["changed"], outcome.get("reason"), state["mode"], state["seq"]]
        expect_equal(seen, [False, reason, mode, seq], f"the answer to {verb} in {mode}")

    async def newest_action(self, system: str) -> dict[str, Any]:
        rows = await self.json("GET", f"/systems/{system}/history?limit=1")
        expect_equal(len(rows), 1, "the number of rows with limit=1")
        expect_action(rows[0])
        return rows[0]


# ----------------------------------------------------------------------------------------------------------- witness


class Witness:
    """Everything that arrived, in its order. What breaks the contract ends every wait."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._seen: list[str] = []
        self._broken: Exception | None = None

    def note(self, kind: str, value: Any) -> None:
        self._seen.append(f"{time.monotonic():.3f} {kind} {show(value)}")
        self._arrivals.signal()

    def judge(self, look: Callable[[], None]) -> None:
        """Looks at something that arrived with rules that raise."""
        try:
            look()
        except Exception as error:  # a library would log it and go on
            self._broken = self._broken or error
        self._arrivals.signal()

    def expect_whole(self) -> None:
        if self._broken is not None:
            raise self._broken

    async def until(self, what: str, probe: Callable[[], Any]) -> Any:
        """The first value of `probe` that is not None."""
        start = len(self._seen)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            self.expect_whole()
            value = probe()
            if value is not None:
                return value
            left = deadline - time.monotonic()
            if left <= 0:
                since = "".join(f"\n        {line}" for line in self._seen[start:]) or " nothing"
                before = "".join(f"\n        {line}" for line in self._seen[max(0, start - 5) : start]) or " nothing"
                raise Broken(f"waited {DEADLINE_S} s for {what}; seen since:{since}\n      before that:{before}")
            await self._arrivals.changed(left)


# ------------------------------------------------------------------------------------------------------------- rooms


class Room:
    """What one member hears of a system. `alone`: nobody else commands it, so that every step is known."""

    def __init__(self, *, alone: bool) -> None:
        self.states: list[dict[str, Any]] = []
        self.clocks: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        # When each tick that brought another second arrived: on a steady clock and on the wall.
        self.turns: list[tuple[float, float]] = []
        self._alone = alone
        self._snapshots = 1
        # A snapshot may repeat the second that it was taken in.
        self._repeats = 1

    def joined_again(self) -> None:
        self._snapshots += 1
        self._repeats += 1

    @property
    def seq(self) -> int:
        return self.states[-1]["seq"]

    def state(self, state: Any) -> None:
        expect_state(state)
        if not self.states:
            self._snapshots -= 1
        elif self._alone and state["seq"] != self.seq + 1:
            again = state["seq"] == self.seq and self._snapshots > 0
            expect(again, f"the seq after {self.seq} must be {self.seq + 1}", state)
            expect_equal(state["mode"], self.states[-1]["mode"], f"the mode of seq {self.seq}")
            self._snapshots -= 1
        self.states.append(state)

    def clock(self, clock: Any) -> None:
        expect_clock(clock)
        if self._alone:
            expect(bool(self.states), "no clock may arrive before the first state", clock)
            right = clock["seq"] == self.seq
            expect(right, f"the seq of a clock after state {self.seq} must be {self.seq}", clock)
        if self.clocks:
            last = self.clocks[-1]["now"]
            step = millis(clock["now"], last)
            self._repeats -= step == 0
            goes_on = step == 1000 or (step == 0 and self._repeats >= 0)
            expect(goes_on, f"the second after {last} must be the next one", clock)
            if step == 1000:
                self.turns.append((time.monotonic(), time.time()))
        self.clocks.append(clock)

    def action(self, action: Any) -> None:
        expect_action(action)
        if self.actions:
            last = self.actions[-1]["id"]
            expect(action["id"] > last, f"the id of an action after {last} must be greater", action)
        self.actions.append(action)

    def at(self, seq: int) -> dict[str, Any] | None:
        """For a probe: the state with this seq, once it is here."""
        return next((state for state in self.states if state["seq"] == seq), None)


# ------------------------------------------------------------------------------------------------------------ client


class Client:
    """A Socket.IO client of either kind, under watch."""

    def __init__(self, library: Library, witness: Witness) -> None:
        self.rooms: dict[str, Room] = {}
        # What arrived, event or ack, in its order: several can arrive before who waits can look.
        self.order: list[str] = []
        self.library = library
        self.witness = witness
        self.sio = library.sio
        self.sio.on("*", self._arrived)
        self.sio.on("disconnect", self._disconnected)

    def _arrived(self, event: str, *payload: Any) -> None:
        self.witness.note(event, payload)
        self.witness.judge(lambda: self._hear(event, payload))

    def _hear(self, event: str, payload: tuple[Any, ...]) -> None:
        self.order.append(event)
        expect(event in ("state", "clock", "action"), "every event must be one of the contract", event)
        expect_equal(len(payload), 1, f"the number of payloads of {event}")
        system = payload[0].get("system") if isinstance(payload[0], dict) else None
        room = self.rooms.get(system or "")
        if room is None:
            raise Broken(f"every {event} must name a system that was joined, but it is {show(payload)}")
        {"state": room.state, "clock": room.clock, "action": room.action}[event](payload[0])

    def _disconnected(self, reason: Any = None) -> None:
        self.witness.note("(disconnect)", reason)
        self.witness.judge(lambda: expect(False, f"the gateway must not disconnect a client ({reason})"))

    async def call(self, event: str, *payload: Any) -> Any:
        """Emits and waits for the ack."""
        what = f"the ack of {event}({', '.join(map(show, payload))})"
        answers: list[tuple[Any, ...]] = []

        def answered(*values: Any) -> None:
            if event == "leave" and values and values[0].get("ok") is True:
                self.rooms.pop(payload[0], None)
            self.order.append("ack")
            answers.append(values)
            self.witness.note("(ack)", values)

        await self.library.emit(event, payload, answered)
        values = await self.witness.until(what, lambda: answers[0] if answers else None)
        expect_equal(len(values), 1, f"the number of values in {what}")
        return values[0]

    async def refused(self, code: str, event: str, *payload: Any) -> None:
        ack = await self.call(event, *payload)
        what = f"the refusal of {event}({', '.join(map(show, payload))})"
        expect_shape(ack, {"ok": boolean, "error": anything}, what)
        expect_equal(ack["ok"], False, f'"ok" of {what}')
        expect_error(ack["error"], code, what)

    def enter(self, system: str, *, alone: bool) -> Room:
        """Enters a room of which no state is known yet; `alone` as in Room."""
        room = self.rooms[system] = Room(alone=alone)
        return room

    async def join(self, system: str) -> dict[str, Any]:
        ack = await self.call("join", system)
        expect_shape(ack, {"ok": boolean}, "the ack of join")
        expect_equal(ack["ok"], True, f'"ok" of the ack of join ({show(ack)})')
        expect_system(ack.get("system"), "the System in the ack")
        expect_equal(ack["system"]["id"], system, "the id in the ack")
        return ack["system"]

    async def turns(self, system: str, room: Room, number: int) -> None:
        """Waits for so many turns of the clock of a room from now on."""
        target = len(room.turns) + number
        await self.witness.until(f"{number} more ticks of {system}", lambda: len(room.turns) >= target or None)


# ---------------------------------------------------------------------------------------------------------- scenario


class Scenario:
    """What a client of the contract goes through, on a system that nobody else commands or joins."""

    def __init__(self, name: str, library: Library, arguments: argparse.Namespace) -> None:
        self.name = name
        self.passed = 0
        self.transport: str = arguments.transport
        self.system: str = arguments.system
        self.other: str = arguments.yardstick
        self.seq = 0
        self.sid = ""
        self.library = library
        self.http = Http(library, arguments.url)
        self.witness = Witness(library.arrivals)
        self.client = Client(library, self.witness)
        self.room = self.client.enter(self.system, alone=True)

    async def check(self, what: str, work: Awaitable[None]) -> None:
        """Prints one line per check; the first that fails ends the run."""
        try:
            await work
        except Broken as error:
            raise Broken(f"{what}: {error}") from error
        self.passed += 1
        print(f"ok    {self.name}: {what}", flush=True)

    async def run(self) -> None:
        check, refused = self.check, self.client.refused
        await check("GET /systems lists this system and another one", self.lists())
        # An earlier run that failed half way may have left it running.
        await self.http.command(self.system, "stop")
        await check("connects", self.connects())
        await check("join is answered with the System, and once each with state and clock", self.joins())
        upgrades = "has upgraded from polling to websocket"
        await check(upgrades if self.transport == "default" else f"is on {self.transport}", self.is_on_transport())
        await check("clock comes once a second, at its turn, and goes on by one second", self.clock())
        await check("timer 1 s: changed, state timer, state wait, action completed", self.timer())
        await check("timer again: timer_running while it runs, replaced by manual", self.replaced())
        await check("in manual: manual_running, manual_has_priority, and neither is a change", self.unchanged())
        await check("stop: state wait, action stopped, then not_running", self.stop())
        bad: list[tuple[str, str, list[Any]]] = [
            ("an unknown id", "unknown_system", ["no-such-system"]),
            ("an invalid id", "invalid_system_id", ["No Such System!"]),
            ("an empty id", "invalid_system_id", [""]),
            ("a number", "bad_request", [7]),
            ("an object", "bad_request", [{"id": self.system}]),
            ("an array", "bad_request", [[self.system]]),
            ("null", "bad_request", [None]),
            ("nothing", "bad_request", []),
        ]
        for what, code, payload in bad:
            await check(f"join with {what} is refused with {code}", refused(code, "join", *payload))
        for what, code, payload in bad[1:]:
            await check(f"leave with {what} is refused with {code}", refused(code, "leave", *payload))
        await check("an unknown event is refused with bad_request", refused("bad_request", "open_valve", self.system))
        await check("a command as an event is refused with bad_request", refused("bad_request", "manual", self.system))
        await check("none of that ended the connection or the membership", self.still_there())
        await check("join again is answered with the snapshot again", self.joins_again())
        await check("leave is answered with ok, and then nothing comes of that system", self.leaves())
        await check("join without asking for an ack brings the snapshot", self.joins_without_ack())
        await check("nothing was sent that breaks the contract", self.whole())

    async def lists(self) -> None:
        ids = [system["id"] for system in await self.http.systems()]
        expect(self.system in ids, f'there must be a system "{self.system}"', ids)
        expect(len(ids) > 1, "there must be a second system", ids)
        if self.other == "":
            self.other = ids[(ids.index(self.system) + 1) % len(ids)]
        right = self.other != self.system and self.other in ids
        expect(right, f'there must be another system "{self.other}"', ids)

    async def connects(self) -> None:
        transports = None if self.transport == "default" else [self.transport]
        try:
            await self.library.connect(self.http.base, transports)
        except Exception as error:
            raise Broken(f"waited for the connection, seen: {error!r}") from error
        expect(self.sio.connected, "the client must be connected")
        self.sid = self.sio.get_sid()

    @property
    def sio(self) -> Any:
        return self.library.sio

    async def joins(self) -> None:
        room = self.room
        joined = await self.client.join(self.system)
        await self.witness.until("state and clock of the snapshot", lambda: bool(room.states and room.clocks) or None)
        expect_equal(sorted(self.client.order[:3]), ["ack", "clock", "state"], "what arrives first, in any order,")
        expect_equal(picked(joined["state"]), WAITING, "the state in the ack")
        snapshot = [room.states[0]["seq"], picked(room.states[0])]
        expect_equal(snapshot, [joined["state"]["seq"], WAITING], "the state of the snapshot")
        expect_equal(room.clocks[0]["seq"], joined["clock"]["seq"], "the seq of the clock of the snapshot")
        apart = millis(room.clocks[0]["now"], joined["clock"]["now"])
        expect(abs(apart) <= 1000, "the clocks of the snapshot must agree", joined)
        self.seq = room.seq

    async def is_on_transport(self) -> None:
        wanted = "websocket" if self.transport == "default" else self.transport
        expect_equal(self.sio.transport(), wanted, "the transport")

    async def clock(self) -> None:
        start = len(self.room.turns)
        await self.client.turns(self.system, self.room, TICKS)
        turns = self.room.turns[start:]
        took = turns[-1][0] - turns[0][0]
        expect(near(took, TICKS - 1, RHYTHM_S), f"{TICKS} ticks must take {TICKS - 1} s", took)
        late = min(wall % 1 for _, wall in turns)
        expect(late <= PROMPT_S, "a tick must come at the turn of the second, not so many s after it", late)
        expect_equal(len(self.room.states), 1, "the number of states without a change")

    async def state_at(self, seq: int) -> dict[str, Any]:
        return await self.witness.until(f"state {seq}", lambda: self.room.at(seq))

    async def action(self, number: int, mode: str, outcome: str, planned_ms: int | None) -> dict[str, Any]:
        """The action of the run that ended, as event and as row of the history."""
        wanted = {"mode": mode, "outcome": outcome, "planned_ms": planned_ms, "by": self.name}
        actions = self.room.actions
        told = await self.witness.until(
            f"the action {show(wanted)}", lambda: actions[number] if len(actions) > number else None
        )
        expect_equal({field: told[field] for field in wanted}, wanted, "the action")
        length = millis(told["end"], told["start"])
        expect(near(length, told["duration_ms"], 1), "end − start of an action must be its duration", told)
        expect_equal(await self.http.newest_action(self.system), told, "the newest row of the history")
        return told

    async def timer(self) -> None:
        asked, seq = time.monotonic(), self.seq
        answer = await self.http.change(self.system, "timer", "timer", seq + 1, seconds=1, by=self.name)
        expect_equal(answer["by"], self.name, "by in Outcome")
        timer = await self.state_at(seq + 1)
        expect_equal([timer["mode"], timer["by"]], ["timer", self.name], "mode and by of the state")
        whole = near(timer["elapsed_ms"] + timer["remaining_ms"], 1000, 1)
        expect(whole, "elapsed_ms + remaining_ms must be the length", timer)
        same_start = abs(millis(timer["start"], answer["start"])) <= 1000
        expect(same_start, f"the start must be that of the answer, {answer['start']}", timer)
        wait = await self.state_at(seq + 2)
        took = time.monotonic() - asked
        expect_equal(picked(wait), WAITING, "the state after the timer")
        # Milliseconds are cut off where they are written, so a run may seem one shorter.
        expect(took >= 0.999, "a timer of 1 s must not end earlier, seen after so many s", took)
        done = await self.action(0, "timer", "completed", 1000)
        expect_equal(done["duration_ms"], 1000, "duration_ms of a timer that ran to its end")
        self.seq += 2

    async def replaced(self) -> None:
        seq, by = self.seq, self.name
        await self.http.change(self.system, "timer", "timer", seq + 1, seconds=600, by=by)
        await self.http.unchanged(self.system, "timer", "timer_running", "timer", seq + 1, seconds=1, by=by)
        await self.http.change(self.system, "manual", "manual", seq + 2, by=by)
        manual = await self.state_at(seq + 2)
        seen = [manual["mode"], manual["by"], manual["end"], manual["remaining_ms"]]
        what = "mode, by, end and remaining_ms of the state (the system must have no manual_limit)"
        expect_equal(seen, ["manual", by, None, None], what)
        await self.action(1, "timer", "replaced", 600_000)
        self.seq += 2

    async def unchanged(self) -> None:
        seq, by = self.seq, self.name
        await self.http.unchanged(self.system, "manual", "manual_running", "manual", seq, by=by)
        await self.http.unchanged(self.system, "timer", "manual_has_priority", "manual", seq, seconds=1, by=by)
        await self.client.turns(self.system, self.room, 2)
        seen = [self.room.seq, len(self.room.actions)]
        expect_equal(seen, [seq, 2], "seq and number of actions after unchanged answers")

    async def stop(self) -> None:
        seq, by = self.seq, self.name
        await self.http.change(self.system, "stop", "wait", seq + 1, by=by)
        expect_equal(picked(await self.state_at(seq + 1)), WAITING, "the state after stop")
        ran = (await self.action(2, "manual", "stopped", None))["duration_ms"]
        # It ran for two turns of the clock, which are a second apart.
        right = (1 - RHYTHM_S) * 1000 <= ran < DEADLINE_S * 1000
        expect(right, "duration_ms must be the length of the run", ran)
        await self.http.unchanged(self.system, "stop", "not_running", "wait", seq + 1, by=by)
        await self.client.turns(self.system, self.room, 1)
        self.seq += 1
        seen = [self.room.seq, len(self.room.states)]
        expect_equal(seen, [self.seq, 6], "seq and number of states after all of it")

    async def still_there(self) -> None:
        await self.client.turns(self.system, self.room, 1)
        expect_equal([self.sio.connected, self.sio.get_sid()], [True, self.sid], "connected and the id of the socket")

    async def joins_again(self) -> None:
        room = self.room
        states, clocks = len(room.states), len(room.clocks)
        room.joined_again()
        joined = await self.client.join(self.system)
        seen = [joined["state"]["seq"], picked(joined["state"])]
        expect_equal(seen, [self.seq, WAITING], "the state in the ack")
        await self.witness.until(
            "state and clock of the snapshot",
            lambda: (len(room.states) > states and len(room.clocks) > clocks) or None,
        )
        await self.client.turns(self.system, room, 1)
        expect_equal(len(room.states), states + 1, "the number of states in the snapshot and a second after it")

    async def leaves(self) -> None:
        yardstick = self.client.enter(self.other, alone=False)
        await self.client.join(self.other)
        expect_equal(await self.client.call("leave", self.system), {"ok": True}, "the ack of leave")
        heard = len(self.room.states)
        await self.http.change(self.system, "manual", "manual", self.seq + 1, by=self.name)
        await self.http.change(self.system, "stop", "wait", self.seq + 2, by=self.name)
        await self.client.turns(self.other, yardstick, 2)
        expect_equal(len(self.room.states), heard, "the number of states of the room that was left")
        self.seq += 2

    async def joins_without_ack(self) -> None:
        again = self.client.enter(self.system, alone=True)
        await self.library.emit("join", (self.system,), None)
        await self.client.turns(self.system, again, 1)
        seen = [[state["seq"], state["mode"]] for state in again.states]
        expect_equal(seen, [[self.seq, "wait"]], "the states of the snapshot")

    async def whole(self) -> None:
        self.witness.expect_whole()
        expect_equal([self.sio.connected, self.sio.get_sid()], [True, self.sid], "connected and the id of the socket")
        await self.is_on_transport()


# ------------------------------------------------------------------------------------------------------ command line


def read_arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", required=True, help="base URL of the gateway")
    parser.add_argument("--system", required=True, help="one without manual_limit that nobody else commands or joins")
    parser.add_argument("--yardstick", default="", help="another one, to measure time by; default: the next")
    parser.add_argument("--transport", choices=["polling", "websocket", "default"], default="default")
    return parser.parse_args()


async def run(program: str, library: Library, arguments: argparse.Namespace) -> int:
    """Goes through the scenario; 0 if all checks passed, else 1."""
    name = f"{program}-{arguments.transport}"
    scenario = Scenario(name, library, arguments)
    try:
        await scenario.run()
    except Broken as error:
        print(f"FAIL  {name}: {error}", flush=True)
        return 1
    except Exception:
        print(f"FAIL  {name}: {traceback.format_exc()}", flush=True)
        return 1
    finally:
        sys.stdout.flush()
        await library.close()
    print(f"PASS  {name}: {scenario.passed} checks", flush=True)
    return 0

// What the JavaScript clients share: the shapes of the contract, a witness of what arrives, HTTP, and the scenario that
// every Socket.IO client goes through against a live gateway.
//
// Never sleeps for a fixed time: every wait is for an event and has a deadline. Never reconnects, retries or repairs:
// the first thing that breaks the contract ends the run. Never commands a system that it was not given, but joins another
// to measure time by: the yardstick, or else the next one of the list. Where several clients run side by side, give them
// a yardstick that is nobody's system: its changes are not expected.

import { isDeepStrictEqual, parseArgs } from 'node:util';

const DEADLINE_MS = 10_000;
/** Ticks that a client watches to see the rhythm of the clock. */
const TICKS = 4;
/** How far the arrival of those ticks may be from that rhythm: what a busy machine adds, but not half a tick. */
const RHYTHM_MS = 450;
/** A tick comes at the turn of the second; the promptest of several is at most this late. */
const PROMPT_MS = 250;

// ------------------------------------------------------------------------------------------------- saying what is wrong

export class Broken extends Error {}

const show = (value) => JSON.stringify(value) ?? String(value);

export function expect(holds, what, value) {
  if (!holds) throw new Broken(value === undefined ? what : `${what}, but it is ${show(value)}`);
}

export function expectEqual(seen, wanted, what) {
  expect(isDeepStrictEqual(seen, wanted), `${what} must be ${show(wanted)}`, seen);
}

/** Prints one line per check; the first that fails ends the run. */
export class Report {
  #passed = 0;

  constructor(name) {
    this.name = name;
  }

  async check(what, work) {
    try {
      const result = await work();
      this.#passed += 1;
      console.log(`ok    ${this.name}: ${what}`);
      return result;
    } catch (error) {
      if (error instanceof Broken) error.message = `${what}: ${error.message}`;
      throw error;
    }
  }

  end() {
    console.log(`PASS  ${this.name}: ${this.#passed} checks`);
  }
}

// ------------------------------------------------------------------------------------------------------------- shapes

const text = (value) => typeof value === 'string';
const filled = (value) => text(value) && value.length > 0;
const count = (value) => Number.isSafeInteger(value) && value >= 0;
const boolean = (value) => typeof value === 'boolean';
const oneOf = (...allowed) => (value) => allowed.includes(value);
const orNull = (rule) => (value) => value === null || rule(value);
const id = (value) => text(value) && /^[a-z0-9][a-z0-9_-]{0,63}$/.test(value);
const matching = (pattern) => (value) =>
  text(value) && pattern.test(value) && !Number.isNaN(Date.parse(`${value}Z`));
export const second = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
export const instant = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);

/** Milliseconds of a wall time without zone, to subtract one from another. */
export const millis = (time) => Date.parse(`${time}Z`);
const near = (a, b, tolerance) => Math.abs(a - b) <= tolerance;

/** Every field of the shape, of its type. A field more is no break: the contract may grow. */
export function expectShape(value, fields, what) {
  expect(value !== null && typeof value === 'object' && !Array.isArray(value), `${what} must be an object`, value);
  for (const [field, rule] of Object.entries(fields)) {
    expect(Object.hasOwn(value, field), `${what} must have "${field}"`, value);
    expect(rule(value[field]), `"${field}" of ${what} is not what the contract says`, value);
  }
}

export function expectState(state, what = 'State') {
  expectShape(state, {
    system: id,
    seq: count,
    mode: oneOf('wait', 'timer', 'manual'),
    start: orNull(instant),
    end: orNull(instant),
    elapsed_ms: orNull(count),
    remaining_ms: orNull(count),
    by: orNull(text),
  }, what);
  const { mode, start, end, elapsed_ms: elapsed, remaining_ms: remaining } = state;
  if (mode === 'wait') {
    const { by } = state;
    expectEqual({ start, end, elapsed, remaining, by }, { start: null, end: null, elapsed: null, remaining: null, by: null },
      `what ${what} in wait says of a run`);
    return;
  }
  expect(start !== null && elapsed !== null, `${what} of a run must have start and elapsed_ms`, state);
  expect((end === null) === (remaining === null), `end and remaining_ms of ${what} must go together`, state);
  expect(mode !== 'timer' || end !== null, `${what} in timer must have end and remaining_ms`, state);
  if (end !== null) {
    const length = millis(end) - millis(start);
    expect(near(length, elapsed + remaining, 1), `start, end, elapsed_ms and remaining_ms of ${what} must agree`, state);
  }
}

export function expectClock(clock, what = 'Clock') {
  expectShape(clock, { system: id, now: second, seq: count }, what);
}

export function expectSystem(system, what = 'System') {
  expectShape(system, { id, name: filled, timer_seconds: count, lease_seconds: count, state: Boolean, clock: Boolean }, what);
  expectState(system.state, `the state of ${what}`);
  expectClock(system.clock, `the clock of ${what}`);
  expectEqual([system.state.system, system.clock.system], [system.id, system.id], `the systems in ${what}`);
  expectEqual(system.clock.seq, system.state.seq, `the seq of the clock in ${what}`);
}

export function expectAction(action, what = 'Action') {
  expectShape(action, {
    system: id,
    id: count,
    mode: oneOf('timer', 'manual'),
    start: instant,
    end: orNull(instant),
    duration_ms: orNull(count),
    planned_ms: orNull(count),
    outcome: oneOf('completed', 'stopped', 'replaced', 'limited', 'interrupted'),
    by: orNull(text),
  }, what);
}

function expectOutcome(outcome) {
  expectShape(outcome, { changed: boolean, state: Boolean }, 'Outcome');
  expectState(outcome.state, 'the state of Outcome');
  expectEqual(Object.hasOwn(outcome, 'reason'), !outcome.changed, 'whether Outcome has a reason');
}

export function expectError(error, code, what) {
  expectShape(error, { code: filled, message: filled }, `the error of ${what}`);
  expectEqual(error.code, code, `the code of ${what} (${show(error.message)})`);
}

// --------------------------------------------------------------------------------------------------------------- HTTP

export class Http {
  constructor(base) {
    this.base = base.replace(/\/+$/, '');
  }

  async request(method, path) {
    const what = `${method} ${path}`;
    let response;
    let body;
    try {
      response = await fetch(this.base + path, { method, signal: AbortSignal.timeout(DEADLINE_MS) });
      body = await response.text();
    } catch (error) {
      throw new Broken(`waited for the answer to ${what}, seen: ${error.cause ?? error}`);
    }
    return { what, status: response.status, type: response.headers.get('content-type') ?? '', body };
  }

  async json(method, path, status = 200) {
    const answer = await this.request(method, path);
    expectEqual(answer.status, status, `the status of ${answer.what} (${answer.body})`);
    expect(/^application\/json\b/.test(answer.type), `${answer.what} must be application/json`, answer.type);
    return JSON.parse(answer.body);
  }

  async systems() {
    const systems = await this.json('GET', '/systems');
    expect(Array.isArray(systems), 'GET /systems must be a list', systems);
    systems.forEach((system) => expectSystem(system));
    const ids = systems.map((system) => system.id);
    expectEqual(ids, ids.toSorted(), 'the order of GET /systems');
    return systems;
  }

  async command(system, verb, query = {}) {
    const asked = new URLSearchParams(query).toString();
    const outcome = await this.json('POST', `/systems/${system}/${verb}${asked && `?${asked}`}`);
    expectOutcome(outcome);
    expectEqual(outcome.state.system, system, 'the system of Outcome');
    return outcome;
  }

  /** A command that changes something, to this mode and this seq. */
  async change(system, verb, query, mode, seq) {
    const { changed, reason, state } = await this.command(system, verb, query);
    expectEqual({ changed, reason, mode: state.mode, seq: state.seq }, { changed: true, reason: undefined, mode, seq },
      `what ${verb} leads to`);
    return state;
  }

  /** A command that is answered with a reason why nothing changed. */
  async unchanged(system, verb, query, wanted, mode, seq) {
    const { changed, reason, state } = await this.command(system, verb, query);
    expectEqual({ changed, reason, mode: state.mode, seq: state.seq }, { changed: false, reason: wanted, mode, seq },
      `the answer to ${verb} in ${mode}`);
  }

  async newestAction(system) {
    const rows = await this.json('GET', `/systems/${system}/history?limit=1`);
    expectEqual(rows.length, 1, 'the number of rows with limit=1');
    expectAction(rows[0]);
    return rows[0];
  }
}

// ------------------------------------------------------------------------------------------------------------ witness

/** Everything that arrived, in its order, and who waits for more of it. What breaks the contract ends every wait. */
export class Witness {
  #seen = [];
  #broken = null;
  #waiting = new Set();

  note(kind, value) {
    this.#seen.push(`${(performance.now() / 1000).toFixed(3)} ${kind} ${show(value)}`);
    this.#look();
  }

  /** Looks at something that arrived with rules that throw. */
  judge(work) {
    try {
      work();
    } catch (error) {
      this.#broken ??= error;
    }
    this.#look();
  }

  expectWhole() {
    if (this.#broken !== null) throw this.#broken;
  }

  #look() {
    for (const look of [...this.#waiting]) look();
  }

  /** The first value of `probe` that is not undefined. */
  until(what, probe) {
    const from = this.#seen.length;
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle(value);
      };
      const look = () => {
        if (this.#broken !== null) return end(reject, this.#broken);
        try {
          const value = probe();
          if (value !== undefined) end(resolve, value);
        } catch (error) {
          end(reject, error);
        }
      };
      const timer = setTimeout(() => {
        const lines = this.#seen.slice(from).map((line) => `\n        ${line}`);
        const before = this.#seen.slice(Math.max(0, from - 5), from).map((line) => `\n        ${line}`);
        end(reject, new Broken(`waited ${DEADLINE_MS} ms for ${what}; seen since:${lines.join('') || ' nothing'}`
          + `\n      before that:${before.join('') || ' nothing'}`));
      }, DEADLINE_MS);
      this.#waiting.add(look);
      look();
    });
  }
}

// -------------------------------------------------------------------------------------------------------------- rooms

/** Wall times that must go on by one second each; a snapshot may repeat the second it was taken in. */
export class Seconds {
  #last = null;
  #repeats;

  constructor(snapshots) {
    this.#repeats = snapshots;
  }

  allowRepeat() {
    this.#repeats += 1;
  }

  /** Whether this is another second than the last. */
  next(now) {
    const step = this.#last === null ? null : millis(now) - millis(this.#last);
    if (step === 0) this.#repeats -= 1;
    expect(step === null || step === 1000 || (step === 0 && this.#repeats >= 0),
      `the second after ${this.#last} must be the next one`, now);
    this.#last = now;
    return step !== 0;
  }
}

/** What one member hears of a system. `alone`: nobody else commands this system, so that every step is known. */
class Room {
  states = [];
  clocks = [];
  actions = [];
  /** When each tick that brought another second arrived. */
  turns = [];
  #alone;
  #snapshots = 1;
  #seconds = new Seconds(1);

  constructor(alone) {
    this.#alone = alone;
  }

  joinedAgain() {
    this.#snapshots += 1;
    this.#seconds.allowRepeat();
  }

  get seq() {
    return this.states.at(-1)?.seq;
  }

  hear(event, payload) {
    this[event](payload);
  }

  state(state) {
    expectState(state);
    const last = this.states.at(-1);
    if (last === undefined) {
      this.#snapshots -= 1;
    } else if (this.#alone && state.seq !== last.seq + 1) {
      expect(state.seq === last.seq && this.#snapshots > 0, `the seq after ${last.seq} must be ${last.seq + 1}`, state);
      expectEqual(state.mode, last.mode, `the mode of seq ${state.seq}`);
      this.#snapshots -= 1;
    }
    this.states.push(state);
  }

  clock(clock) {
    expectClock(clock);
    if (this.#alone) {
      expect(this.seq !== undefined, 'no clock may arrive before the first state', clock);
      expect(clock.seq === this.seq, `the seq of a clock after state ${this.seq} must be ${this.seq}`, clock);
    }
    const first = this.clocks.length === 0;
    if (this.#seconds.next(clock.now) && !first) this.turns.push({ steady: performance.now(), wall: Date.now() });
    this.clocks.push(clock);
  }

  action(action) {
    expectAction(action);
    const last = this.actions.at(-1);
    expect(last === undefined || action.id > last.id, `the id of an action after ${last?.id} must be greater`, action);
    this.actions.push(action);
  }

  /** For a probe: the state with this seq, once it is here. */
  at(seq) {
    return this.states.find((state) => state.seq === seq);
  }
}

// -------------------------------------------------------------------------------------------------------------- client

/** A Socket.IO client of either generation, under watch. */
class Client {
  rooms = new Map();
  /** What arrived, event or ack, in its order: several can arrive at once, before anybody who waits can look. */
  order = [];

  constructor(witness, connection) {
    this.witness = witness;
    this.socket = connection.socket;
    this.connection = connection;
    connection.onEvent((event, args) => {
      witness.note(event, args);
      witness.judge(() => this.#hear(event, args));
    });
    this.socket.on('connect', () => witness.note('(connect)', this.socket.id));
    this.socket.on('disconnect', (reason) => {
      witness.note('(disconnect)', reason);
      witness.judge(() => expect(false, `the gateway must not disconnect a client (${reason})`));
    });
    this.socket.on('connect_error', (error) => {
      witness.judge(() => expect(false, `the client must be able to connect (${error.message})`));
    });
  }

  #hear(event, args) {
    this.order.push(event);
    expect(['state', 'clock', 'action'].includes(event), 'every event must be one of the contract', event);
    expectEqual(args.length, 1, `the number of payloads of ${event}`);
    const room = this.rooms.get(args[0]?.system);
    expect(room !== undefined, `every ${event} must name a system that was joined`, args);
    room.hear(event, args[0]);
  }

  /** Emits and waits for the ack. */
  async call(event, ...payload) {
    const what = `the ack of ${event}(${payload.map(show).join(', ')})`;
    let answer;
    this.socket.emit(event, ...payload, (...args) => {
      answer = args;
      this.order.push('ack');
      if (event === 'leave' && args[0]?.ok === true) this.rooms.delete(payload[0]);
      this.witness.note('(ack)', args);
    });
    const args = await this.witness.until(what, () => answer);
    expectEqual(args.length, 1, `the number of values in ${what}`);
    return args[0];
  }

  async refused(code, event, ...payload) {
    const ack = await this.call(event, ...payload);
    const what = `the refusal of ${event}(${payload.map(show).join(', ')})`;
    expectShape(ack, { ok: boolean, error: Boolean }, what);
    expectEqual(ack.ok, false, `"ok" of ${what}`);
    expectError(ack.error, code, what);
  }

  /** Enters a room of which no state is known yet; `alone` as in Room. */
  enter(system, { alone }) {
    const room = new Room(alone);
    this.rooms.set(system, room);
    return room;
  }

  async join(system) {
    const ack = await this.call('join', system);
    expectEqual(ack?.ok, true, `"ok" of the ack of join (${show(ack)})`);
    expectSystem(ack.system, 'the System in the ack');
    expectEqual(ack.system.id, system, 'the id in the ack');
    return ack.system;
  }

  /** Waits for so many turns of the clock of a room from now on. */
  async turns(system, room, number) {
    const target = room.turns.length + number;
    await this.witness.until(`${number} more ticks of ${system}`, () => (room.turns.length >= target ? true : undefined));
  }
}

// ------------------------------------------------------------------------------------------------------------ scenario

const picked = ({ mode, start, end, elapsed_ms, remaining_ms, by }) => ({ mode, start, end, elapsed_ms, remaining_ms, by });
const WAITING = { mode: 'wait', start: null, end: null, elapsed_ms: null, remaining_ms: null, by: null };

/** What a client of the contract goes through, on a system without manual_limit that nobody else commands or joins. */
async function scenario(report, witness, http, { connect, system, yardstick, transport }) {
  const by = report.name;
  const other = await report.check('GET /systems lists this system and another one', async () => {
    const ids = (await http.systems()).map((each) => each.id);
    const place = ids.indexOf(system);
    expect(place >= 0, `there must be a system "${system}"`, ids);
    expect(ids.length > 1, 'there must be a second system', ids);
    if (yardstick === undefined) return ids[(place + 1) % ids.length];
    expect(yardstick !== system && ids.includes(yardstick), `there must be another system "${yardstick}"`, ids);
    return yardstick;
  });
  // An earlier run that failed half way may have left it running.
  await http.command(system, 'stop');

  const client = new Client(witness, connect(http.base));
  await report.check('connects', () =>
    witness.until('the connection', () => (client.socket.connected ? true : undefined)));
  const sid = client.socket.id;

  const room = client.enter(system, { alone: true });
  await report.check('join is answered with the System, and once each with state and clock', async () => {
    const joined = await client.join(system);
    const [state, clock] = await witness.until('state and clock of the snapshot', () =>
      (room.states.length > 0 && room.clocks.length > 0 ? [room.states[0], room.clocks[0]] : undefined));
    expectEqual(client.order.slice(0, 3).sort(), ['ack', 'clock', 'state'], 'what arrives first, in any order,');
    expectEqual(picked(joined.state), WAITING, 'the state in the ack');
    expectEqual([state.seq, picked(state)], [joined.state.seq, WAITING], 'the state of the snapshot');
    expectEqual(clock.seq, joined.clock.seq, 'the seq of the clock of the snapshot');
    expect(near(millis(clock.now), millis(joined.clock.now), 1000), 'the clocks of the snapshot must agree', joined);
  });

  await report.check(transport === 'default' ? 'starts with polling and upgrades to websocket' : `is on ${transport}`, async () => {
    const wanted = transport === 'default' ? 'websocket' : transport;
    await witness.until(`the transport ${wanted}`, () => (client.connection.transport() === wanted ? true : undefined));
    expectEqual(client.connection.first(), transport === 'default' ? 'polling' : transport, 'the first transport');
  });

  await report.check('clock comes once a second, at its turn, and goes on by one second', async () => {
    const from = room.turns.length;
    await client.turns(system, room, TICKS);
    const turns = room.turns.slice(from);
    const took = turns.at(-1).steady - turns[0].steady;
    expect(near(took, (TICKS - 1) * 1000, RHYTHM_MS), `${TICKS} ticks must take ${TICKS - 1} s`, took);
    const late = Math.min(...turns.map((turn) => turn.wall % 1000));
    expect(late <= PROMPT_MS, 'a tick must come at the turn of the second, not so many ms after it', late);
    expectEqual(room.states.length, 1, 'the number of states without a change');
  });

  let seq = room.seq;
  /** The action of the run that ended, as event and as row of the history. */
  const action = async (number, wanted) => {
    const told = await witness.until(`the action ${show(wanted)}`, () => room.actions[number]);
    const { mode, outcome, planned_ms } = told;
    expectEqual({ mode, outcome, planned_ms, by: told.by }, { ...wanted, by }, 'the action');
    expect(near(millis(told.end) - millis(told.start), told.duration_ms, 1), 'end − start of an action must be its duration', told);
    expectEqual(await http.newestAction(system), told, 'the newest row of the history');
    return told;
  };

  await report.check('timer 1 s: changed, state timer, state wait, action completed', async () => {
    const asked = performance.now();
    const answer = await http.change(system, 'timer', { seconds: 1, by }, 'timer', seq + 1);
    expectEqual(answer.by, by, 'by in Outcome');
    const timer = await witness.until(`state ${seq + 1}`, () => room.at(seq + 1));
    expectEqual([timer.mode, timer.by], ['timer', by], 'mode and by of the state');
    expect(near(timer.elapsed_ms + timer.remaining_ms, 1000, 1), 'elapsed_ms + remaining_ms must be the length', timer);
    expect(near(millis(timer.start), millis(answer.start), 1000), `the start must be that of the answer, ${answer.start}`, timer);
    const wait = await witness.until(`state ${seq + 2}`, () => room.at(seq + 2));
    const took = performance.now() - asked;
    expectEqual(picked(wait), WAITING, 'the state after the timer');
    // Milliseconds are cut off where they are written, so a run may seem one shorter.
    expect(took >= 999, 'a timer of 1 s must not end earlier, seen after so many ms', took);
    const done = await action(0, { mode: 'timer', outcome: 'completed', planned_ms: 1000 });
    expectEqual(done.duration_ms, 1000, 'duration_ms of a timer that ran to its end');
    seq += 2;
  });

  await report.check('timer again: timer_running while it runs, replaced by manual', async () => {
    await http.change(system, 'timer', { seconds: 600, by }, 'timer', seq + 1);
    await http.unchanged(system, 'timer', { seconds: 1, by }, 'timer_running', 'timer', seq + 1);
    await http.change(system, 'manual', { by }, 'manual', seq + 2);
    const manual = await witness.until(`state ${seq + 2}`, () => room.at(seq + 2));
    expectEqual([manual.mode, manual.by, manual.end, manual.remaining_ms], ['manual', by, null, null],
      'mode, by, end and remaining_ms of the state (the system must have no manual_limit)');
    await action(1, { mode: 'timer', outcome: 'replaced', planned_ms: 600_000 });
    seq += 2;
  });

  await report.check('in manual: manual_running, manual_has_priority, and neither is a change', async () => {
    await http.unchanged(system, 'manual', { by }, 'manual_running', 'manual', seq);
    await http.unchanged(system, 'timer', { seconds: 1, by }, 'manual_has_priority', 'manual', seq);
    await client.turns(system, room, 2);
    expectEqual([room.seq, room.actions.length], [seq, 2], 'seq and number of actions after unchanged answers');
  });

  await report.check('stop: state wait, action stopped, then not_running', async () => {
    await http.change(system, 'stop', { by }, 'wait', seq + 1);
    const wait = await witness.until(`state ${seq + 1}`, () => room.at(seq + 1));
    expectEqual(picked(wait), WAITING, 'the state after stop');
    // It ran for two turns of the clock, which are at least a second apart.
    const { duration_ms: ran } = await action(2, { mode: 'manual', outcome: 'stopped', planned_ms: null });
    expect(ran >= 1000 - RHYTHM_MS && ran < DEADLINE_MS, 'duration_ms must be the length of the run', ran);
    await http.unchanged(system, 'stop', { by }, 'not_running', 'wait', seq + 1);
    await client.turns(system, room, 1);
    seq += 1;
    expectEqual([room.seq, room.states.length], [seq, 6], 'seq and number of states after all of it');
  });

  const bad = [
    ['an unknown id', 'unknown_system', ['no-such-system']],
    ['an invalid id', 'invalid_system_id', ['No Such System!']],
    ['an empty id', 'invalid_system_id', ['']],
    ['a number', 'bad_request', [7]],
    ['an object', 'bad_request', [{ id: system }]],
    ['an array', 'bad_request', [[system]]],
    ['null', 'bad_request', [null]],
    ['nothing', 'bad_request', []],
  ];
  for (const [what, code, payload] of bad) {
    await report.check(`join with ${what} is refused with ${code}`, () => client.refused(code, 'join', ...payload));
  }
  for (const [what, code, payload] of bad.slice(1)) {
    await report.check(`leave with ${what} is refused with ${code}`, () => client.refused(code, 'leave', ...payload));
  }
  await report.check('an unknown event is refused with bad_request', () => client.refused('bad_request', 'open_valve', system));
  await report.check('a command as an event is refused with bad_request', () => client.refused('bad_request', 'manual', system));
  await report.check('none of that ended the connection or the membership', async () => {
    await client.turns(system, room, 1);
    expectEqual([client.socket.connected, client.socket.id], [true, sid], 'connected and the id of the socket');
  });

  await report.check('join again is answered with the snapshot again', async () => {
    const [states, clocks] = [room.states.length, room.clocks.length];
    room.joinedAgain();
    const joined = await client.join(system);
    expectEqual([joined.state.seq, picked(joined.state)], [seq, WAITING], 'the state in the ack');
    await witness.until('state and clock of the snapshot', () =>
      (room.states.length > states && room.clocks.length > clocks ? true : undefined));
    await client.turns(system, room, 1);
    expectEqual(room.states.length, states + 1, 'the number of states in the snapshot and a second after it');
  });

  await report.check('leave is answered with ok, and then nothing comes of that system', async () => {
    const measure = client.enter(other, { alone: false });
    await client.join(other);
    expectEqual(await client.call('leave', system), { ok: true }, 'the ack of leave');
    const heard = room.states.length;
    await http.change(system, 'manual', { by }, 'manual', seq + 1);
    await http.change(system, 'stop', { by }, 'wait', seq + 2);
    await client.turns(other, measure, 2);
    expectEqual(room.states.length, heard, 'the number of states of the room that was left');
    seq += 2;
  });

  await report.check('join without asking for an ack brings the snapshot', async () => {
    const again = client.enter(system, { alone: true });
    client.socket.emit('join', system);
    await client.turns(system, again, 1);
    expectEqual(again.states.map((state) => [state.seq, state.mode]), [[seq, 'wait']], 'the states of the snapshot');
  });

  await report.check('nothing was sent that breaks the contract', () => {
    witness.expectWhole();
    expectEqual([client.socket.connected, client.socket.id], [true, sid], 'connected and the id of the socket');
    if (transport !== 'default') expectEqual(client.connection.transport(), transport, 'the transport at the end');
  });
}

// ------------------------------------------------------------------------------------------------------- command line

/** Runs the work of a program and ends the process: 0 if all checks passed, 1 if one failed, 2 if it was called wrong. */
export async function run(name, work) {
  const report = new Report(name);
  let code = 0;
  try {
    await work(report);
    report.end();
  } catch (error) {
    console.log(`FAIL  ${name}: ${error instanceof Broken ? error.message : error.stack}`);
    code = 1;
  }
  process.exit(code);
}

/** The arguments of a program; without `url` and `system`, or with others, it ends with 2. */
export function readArguments(usage, options) {
  try {
    const { values } = parseArgs({ options: { url: { type: 'string' }, system: { type: 'string' }, ...options } });
    if (values.url !== undefined && values.system !== undefined) return values;
    console.error(`usage: ${usage}`);
  } catch (error) {
    console.error(`${error.message}\nusage: ${usage}`);
  }
  return process.exit(2);
}

/**
 * A whole Socket.IO program. `connect(url, transports)` opens a connection (transports undefined: the default of the
 * library) and returns `{ socket, onEvent(hear), transport(), first() }`.
 */
export async function socketIoProgram(program, connect) {
  const usage = `node ${program} --url URL --system ID [--yardstick ID] [--transport polling|websocket|default]`;
  const { url, system, yardstick, transport } = readArguments(usage, {
    yardstick: { type: 'string' },
    transport: { type: 'string', default: 'default' },
  });
  if (!['polling', 'websocket', 'default'].includes(transport)) {
    console.error(`usage: ${usage}`);
    process.exit(2);
  }
  const transports = transport === 'default' ? undefined : [transport];
  await run(`${program.split('.')[0]}-${transport}`, (report) =>
    scenario(report, new Witness(), new Http(url), { connect: (base) => connect(base, transports), system, yardstick, transport }));
}

// A plain websocket on the raw feed of a live gateway: /systems/{id}/ws always, /ws and / with Upgrade for their shape.
//
// With --legacy the system must be the gateway's default one and nobody else's: then the original's own routes
// (/timer, /manual, /stop, /history) do the commands, and /ws and / must show what they lead to.
//
// Never reconnects, and without --legacy never commands another system than the one it was given.

import WebSocket from 'ws';
import {
  Broken, Http, Seconds, Witness, expect, expectEqual, expectError, expectShape, instant, millis, readArguments, run, second,
} from './shared.mjs';

const WAITING = { mode: 'wait_mode', since: null, to: null };
const shown = ({ mode, since, to }) => ({ mode, since, to });

function expectFrame(frame) {
  const orNull = (value) => value === null || instant(value);
  const mode = (value) => ['wait_mode', 'timer_mode', 'manual_mode'].includes(value);
  expectShape(frame, { mode, timestamp: second, since: orNull, to: orNull }, 'a frame');
  if (frame.mode === 'wait_mode') expectEqual(shown(frame), WAITING, 'a frame in wait_mode');
  else expect(frame.since !== null, 'a frame of a run must have since', frame);
  if (frame.mode === 'timer_mode') expect(frame.to !== null, 'a frame in timer_mode must have to', frame);
}

/** One raw feed under watch. */
class Feed {
  frames = [];
  /** When each frame arrived. */
  arrivals = [];
  closed = null;
  #closing = false;
  // The first frame comes at once and may show the second that the next one shows.
  #seconds = new Seconds(1);

  constructor(witness, base, path) {
    this.witness = witness;
    this.path = path;
    this.socket = new WebSocket(base.replace(/^http/, 'ws') + path);
    this.socket.on('message', (data, binary) => {
      witness.note(`${path} (frame)`, data.toString());
      witness.judge(() => this.#hear(data, binary));
    });
    this.socket.on('close', (code) => {
      this.closed = code;
      witness.note(`${path} (close)`, code);
      witness.judge(() => expect(this.#closing, `${path} must stay open`, code));
    });
    this.socket.on('error', (error) => witness.judge(() => expect(false, `${path} must be a websocket (${error.message})`)));
  }

  #hear(data, binary) {
    expect(!binary, 'a frame must be text');
    const frame = JSON.parse(data.toString());
    expectFrame(frame);
    this.#seconds.next(frame.timestamp);
    this.frames.push(frame);
    this.arrivals.push(performance.now());
  }

  async more(number) {
    const target = this.frames.length + number;
    await this.witness.until(`${number} more frames of ${this.path}`, () => (this.frames.length >= target ? true : undefined));
  }

  /** The next frame that is so; `from`: the number of frames that are too old. */
  frame(what, from, wanted) {
    return this.witness.until(`a frame of ${this.path} with ${what}`, () => this.frames.slice(from).find(wanted));
  }

  async close() {
    this.#closing = true;
    this.socket.send('close');
    const code = await this.witness.until(`the end of ${this.path} after "close"`, () => this.closed ?? undefined);
    // 1005: the gateway's close frame names no reason. 1006 would be a connection that was cut.
    expect(code === 1000 || code === 1005, `"close" must end ${this.path} properly`, code);
  }
}

/** What a websocket gets that is refused. */
function refusal(witness, base, path) {
  let answer;
  const socket = new WebSocket(base.replace(/^http/, 'ws') + path);
  socket.on('open', () => witness.judge(() => expect(false, `${path} must be refused`)));
  socket.on('error', (error) => witness.note(`${path} (error)`, error.message));
  socket.on('unexpected-response', (request, response) => {
    const chunks = [];
    response.on('data', (chunk) => chunks.push(chunk));
    response.on('end', () => {
      answer = { status: response.statusCode, body: Buffer.concat(chunks).toString() };
      witness.note(`${path} (refused)`, answer);
    });
  });
  return witness.until(`the refusal of ${path}`, () => answer);
}

/** The commands of the multi-system protocol, for one system. */
function modern(http, system, by) {
  const command = async (verb, query) => {
    const { changed } = await http.command(system, verb, { ...query, by });
    expectEqual(changed, true, `"changed" of ${verb}`);
  };
  return {
    timer: () => command('timer', { seconds: 2 }),
    manual: () => command('manual'),
    stop: () => command('stop'),
  };
}

/** The commands of the original, for its one system. */
function original(http) {
  const command = async (path, wanted) => {
    const { status, type, body } = await http.request('GET', path);
    expectEqual([status, body], [200, wanted], `the answer to GET ${path}`);
    expect(/^text\/plain\b/.test(type), `the answer to GET ${path} must be text/plain`, type);
  };
  return {
    timer: () => command('/timer?seconds=2', 'timer mode starter'),
    manual: () => command('/manual', 'clock mode starter'),
    stop: () => command('/stop', 'stop'),
  };
}

async function checkFeed(report, feeds, commands) {
  const lengths = () => feeds.map((feed) => feed.frames.length);
  const all = (what, from, wanted) => Promise.all(feeds.map((feed, index) => feed.frame(what, from[index], wanted)));

  await report.check('the feed shows wait_mode at first', async () => {
    for (const frame of await all('the first state', feeds.map(() => 0), () => true)) {
      expectEqual(shown(frame), WAITING, 'the first frame');
    }
  });

  await report.check('a timer of 2 s shows as timer_mode with since and to, then as wait_mode', async () => {
    const from = lengths();
    await commands.timer();
    // Two seconds, because a frame that comes a little after the turn could miss a run of one.
    for (const { since, to } of await all('timer_mode', from, ({ mode }) => mode === 'timer_mode')) {
      expectEqual(millis(to) - millis(since), 2000, 'to − since');
    }
    const running = lengths();
    await all('wait_mode', running, ({ mode }) => mode === 'wait_mode');
  });

  await report.check('manual shows as manual_mode with since and without to', async () => {
    const from = lengths();
    await commands.manual();
    for (const frame of await all('manual_mode', from, ({ mode }) => mode === 'manual_mode')) {
      expectEqual(frame.to, null, '"to" in manual_mode (the system must have no manual_limit)');
    }
  });

  await report.check('stop shows as wait_mode', async () => {
    const from = lengths();
    await commands.stop();
    await all('wait_mode', from, ({ mode }) => mode === 'wait_mode');
  });
}

const { url, system, legacy } = readArguments('node raw.mjs --url URL --system ID [--legacy]', {
  legacy: { type: 'boolean', default: false },
});

await run(legacy ? 'raw-legacy' : 'raw', async (report) => {
  const witness = new Witness();
  const http = new Http(url);
  // An earlier run that failed half way may have left it running.
  await http.command(system, 'stop');

  const own = new Feed(witness, http.base, `/systems/${system}/ws`);
  const defaults = ['/ws', '/'].map((path) => new Feed(witness, http.base, path));
  const feeds = [own, ...defaults];
  await report.check('/systems/{id}/ws, /ws and / with Upgrade open, and send at once', () =>
    Promise.all(feeds.map((feed) => feed.frame('anything', 0, () => true))));

  await report.check('there is one frame a second, each a second after the one before', async () => {
    await Promise.all(feeds.map((feed) => feed.more(5)));
    for (const { path, arrivals } of feeds) {
      // The first came at once and is not part of the rhythm.
      const took = arrivals[4] - arrivals[1];
      expect(Math.abs(took - 3000) <= 450, `four frames of ${path} must take 3 s`, took);
    }
  });

  await checkFeed(report, legacy ? feeds : [own], legacy ? original(http) : modern(http, system, report.name));

  if (legacy) {
    await report.check('GET /history has the two runs in the original shape, newest first', async () => {
      const [manual, timer] = await http.json('GET', '/history');
      const orNull = (value) => value === null || instant(value);
      for (const row of [manual, timer]) {
        expectShape(row, { mode: Boolean, timestamp: instant, since: instant, to: orNull }, 'a row');
      }
      expectEqual([manual.mode, manual.to], ['manual_mode', null], 'mode and to of the manual run');
      expectEqual([timer.mode, timer.to], ['timer_mode', timer.timestamp], 'mode and to of the timer');
      expectEqual(millis(timer.to) - millis(timer.since), 2000, 'to − since of the timer');
    });
  }

  await report.check('text that is not "close", and binary, is ignored', async () => {
    for (const message of ['', 'stop', 'CLOSE', 'close ', '{"mode":"manual_mode"}', Buffer.from('close')]) {
      own.socket.send(message);
    }
    const from = own.frames.length;
    await own.more(2);
    for (const frame of own.frames.slice(from)) expectEqual(shown(frame), WAITING, 'a frame after ignored text');
  });

  await report.check('"close" closes, every one of them', () => Promise.all(feeds.map((feed) => feed.close())));

  for (const [path, status, code] of [
    ['/systems/no-such-system/ws', 404, 'unknown_system'],
    ['/systems/No%20Such/ws', 400, 'invalid_system_id'],
  ]) {
    await report.check(`a websocket to ${path} is refused with ${status} ${code}`, async () => {
      const answer = await refusal(witness, http.base, path);
      expectEqual(answer.status, status, 'the status');
      try {
        expectError(JSON.parse(answer.body).error, code, path);
      } catch (error) {
        throw error instanceof Broken ? error : new Broken(`the body must be JSON, but it is ${answer.body}`);
      }
    });
  }
  await report.check('without Upgrade, /ws and /systems/{id}/ws are refused with 400 bad_request', async () => {
    for (const path of ['/ws', `/systems/${system}/ws`]) {
      const { error } = await http.json('GET', path, 400);
      expectError(error, 'bad_request', path);
    }
  });

  await report.check('nothing was sent that breaks the contract', () => witness.expectWhole());
});

// The peer of `make bench-scale`: what an experienced developer would write with Node's socket.io 4 and
// @socket.io/redis-adapter to have the same rooms on several machines. Same routes, same events, same payloads.
//
// It never does what acequia does beside that: nothing is stored, a command is answered when it was handed to the
// adapter, and whoever misses an event is never told.
//
//   node server.js REDIS_URL KEY NODE NODES [--no-clock]

import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const [url, key, node, nodes, ...flags] = process.argv.slice(2);
const COMMAND = /^\/systems\/([a-z0-9_-]+)\/(manual|timer|stop)$/;
const TIMER_MS = 10_000;

const publisher = createClient({ url });
const subscriber = publisher.duplicate();
for (const client of [publisher, subscriber]) {
  client.on('error', (cause) => {
    console.error(`redis: ${cause}`);
    process.exit(1);
  });
}
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer(command);
const io = new Server(http, { adapter: createAdapter(publisher, subscriber, { key }) });
io.on('connection', (socket) => {
  socket.on('join', (id, ack) => {
    socket.join(id);
    ack({ ok: true });
  });
});

// A number that no other node gives. There is nobody to ask for the next one of a system: that would be a store.
let given = 0;
const next = () => ++given * Number(nodes) + Number(node);

const wall = (at) => new Date(at).toISOString().slice(0, -1);

function command(request, response) {
  const [, system, verb] = COMMAND.exec(request.url) ?? [];
  if (request.method !== 'POST' || !system) {
    response.writeHead(404, { 'content-length': 0 }).end();
    return;
  }
  const now = Date.now();
  const [runs, ends] = [verb !== 'stop', verb === 'timer'];
  const state = {
    system,
    seq: next(),
    mode: runs ? verb : 'wait',
    start: runs ? wall(now) : null,
    end: ends ? wall(now + TIMER_MS) : null,
    elapsed_ms: runs ? 0 : null,
    remaining_ms: ends ? TIMER_MS : null,
    by: null,
  };
  io.to(system).emit('state', state);
  const body = JSON.stringify({ changed: true, state });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

// Each node ticks for the sockets that it has, as acequia does.
function tick() {
  const now = Date.now();
  for (const [room, members] of io.of('/').adapter.rooms) {
    // A socket is alone in the room of its own id, and that is no system.
    if (members.size === 1 && members.has(room)) continue;
    io.local.to(room).emit('clock', { system: room, now: wall(now - (now % 1000)), seq: 0 });
  }
  setTimeout(tick, 1000 - (Date.now() % 1000));
}
if (!flags.includes('--no-clock')) setTimeout(tick, 1000 - (Date.now() % 1000));

http.listen(0, '127.0.0.1', () => {
  console.error(`peer on http://127.0.0.1:${http.address().port} `);
});

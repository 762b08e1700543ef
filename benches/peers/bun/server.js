// The peer on Bun: socket.io 4 on `@socket.io/bun-engine`, which hands websockets to the uWebSockets inside Bun.
//
//   bun server.js

import { Server as Engine } from '@socket.io/bun-engine';
import { Server } from 'socket.io';
import { serve } from '../rooms.js';

const io = new Server();
const engine = new Engine({ path: '/socket.io/' });
io.bind(engine);
serve(io);

const { hostname, port } = Bun.serve({ hostname: '127.0.0.1', port: 0, ...engine.handler() });
console.error(`peer on http://${hostname}:${port} `);

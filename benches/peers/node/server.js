// The peer on Node: socket.io 4 on `ws`, tuned as its documentation recommends
// (https://socket.io/docs/v4/performance-tuning/ and /memory-usage/): `bufferutil` beside `ws`, and the request that opened
// a connection is let go. `perMessageDeflate` is off unless it is asked for.
//
//   node server.js

import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { serve } from '../rooms.js';

const http = createServer();
const io = new Server(http);
io.engine.on('connection', (socket) => {
  socket.request = null;
});
serve(io);

http.listen(0, '127.0.0.1', () => {
  console.error(`peer on http://127.0.0.1:${http.address().port} `);
});

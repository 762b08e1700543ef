// socket.io-client 4 (protocol v5) against a live gateway.
//
// Only opens the connection; what is checked is in shared.mjs. Never reconnects: a connection that ends is a failure.

import { io } from 'socket.io-client';
import { socketIoProgram } from './shared.mjs';

await socketIoProgram('v4.mjs', (url, transports) => {
  const socket = io(url, { forceNew: true, reconnection: false, ...(transports && { transports }) });
  let first;
  socket.io.once('open', () => {
    first = socket.io.engine.transport.name;
  });
  return {
    socket,
    onEvent: (hear) => socket.onAny((event, ...args) => hear(event, args)),
    transport: () => socket.io.engine.transport.name,
    first: () => first,
  };
});

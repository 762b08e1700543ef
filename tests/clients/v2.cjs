// socket.io-client 2.5 (protocol v4) against a live gateway.
//
// Only opens the connection; what is checked is in shared.mjs. Never reconnects: a connection that ends is a failure.

'use strict';

const io = require('socket.io-client-2');

function connect(url, transports) {
  const socket = io(url, { forceNew: true, reconnection: false, ...(transports && { transports }) });
  let first;
  socket.io.once('open', () => {
    first = socket.io.engine.transport.name;
  });
  return {
    socket,
    // This generation has no way to listen to every event.
    onEvent: (hear) => {
      const { onevent } = socket;
      socket.onevent = (packet) => {
        const [event, ...args] = packet.data;
        hear(event, args);
        onevent.call(socket, packet);
      };
    },
    transport: () => socket.io.engine.transport.name,
    first: () => first,
  };
}

import('./shared.mjs').then(({ socketIoProgram }) => socketIoProgram('v2.cjs', connect));

// socket.io-client over a gateway that goes away and comes back: says "joined seq" each time it is in the room, and ends
// with 0 once it was there three times.
//
// Does what any client would: joins whenever it is connected. The waiting between is the library's own.

import { io } from 'socket.io-client';
import { createRequire } from 'node:module';

const [url, system, version] = process.argv.slice(2);
const connect = version === '2' ? createRequire(import.meta.url)('socket.io-client-2') : io;
const socket = connect(url, { reconnectionDelay: 100, reconnectionDelayMax: 300 });
let times = 0;
socket.on('connect', () => {
  socket.emit('join', system, (answer) => {
    console.log(`joined ${answer.system.state.seq}`);
    times += 1;
    if (times === 3) process.exit(0);
  });
});

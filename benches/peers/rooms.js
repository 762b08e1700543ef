// The rooms of the peers in JavaScript: `join` with an ack, and at the turn of each second a `clock` for every room that has
// members, in the words of acequia. Node and Bun bring their own engine below it.
//
// It never does what acequia does beside that: nothing is stored and nobody is shown a state.

const wall = (second) => new Date(second * 1000).toISOString().slice(0, 19);
const second = () => Math.floor(Date.now() / 1000);

export function serve(io) {
  const systems = new Set();
  io.on('connection', (socket) => {
    socket.on('join', (system, ack) => {
      systems.add(system);
      socket.join(system);
      ack({ ok: true });
    });
  });
  const { adapter } = io.of('/');
  adapter.on('delete-room', (room) => systems.delete(room));

  let last = second();
  const tick = () => {
    const current = second();
    // A timer that fires early is no second turn.
    if (current !== last) {
      last = current;
      const now = wall(current);
      for (const system of systems) io.to(system).emit('clock', { system, now, seq: 0 });
    }
    wait();
  };
  const wait = () => setTimeout(tick, 1000 - (Date.now() % 1000));
  wait();
}

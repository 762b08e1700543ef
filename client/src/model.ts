// Everything this page knows, and how every event changes it: one pure function.
// Never touches the network, the document or a clock: moments arrive as `at`, what is to be done leaves as effects.
import { isSilent, isStopping, reduceAsks, type AskEvent } from "./asks";
import type { Effect, Event, Instant, RoomEvent } from "./events";
import { EMPTY_LIST, listed, runningListed, withMode, type List } from "./list";
import type { Place } from "./place";
import { nextPage, ROWS, withAction, withPage } from "./records";
import * as room from "./room";
import type { Room, RoomStep } from "./room";

/** When nothing has come over a connection for so long, it is given up, whatever it says of itself. */
const DEAD_MS = 10_000;

export interface Model {
  readonly place: Place;
  readonly link: "connecting" | "up" | "down";
  /** When anything came last, or was last given up. */
  readonly heardAt: Instant;
  /** False once the gateway has said that its wall clock is not set; while it is not known, nothing is wrong. */
  readonly clockPlausible: boolean;
  readonly rooms: ReadonlyMap<string, Room>;
  /** Only the overview has one. */
  readonly list: List;
  /** The systems of the latest "stop all". */
  readonly stopAll: readonly string[];
}

export interface Step {
  readonly model: Model;
  readonly effects: readonly Effect[];
}

export function begin(place: Place, at: Instant): Model {
  const rooms = new Map(place.page === "system" ? [[place.id, room.begin(place.id, at)]] : []);
  return { place, link: "connecting", heardAt: at, clockPlausible: true, rooms, list: EMPTY_LIST, stopAll: [] };
}

export function reduce(model: Model, event: Event): Step {
  switch (event.kind) {
    case "connected":
      return connected(model, event.at);
    case "disconnected":
      return only({ ...model, link: "down", rooms: mapped(model.rooms, room.offConnection) });
    case "ticked":
      return ticked(model, event.at);
    case "woken":
      return model.link === "up" ? joinAll(model, event.at) : { model, effects: [{ kind: "reconnect" }] };
    case "slept":
      return only({
        ...model,
        heardAt: model.heardAt - event.ms,
        rooms: mapped(model.rooms, (each) => room.onSlept(each, event.ms)),
      });
    case "health_due":
      return { model, effects: model.link === "up" ? [{ kind: "ask_health" }] : [] };
    case "health":
      return only({ ...model, clockPlausible: event.clockPlausible });
    case "listed":
      return only({ ...model, list: listed(event.systems) });
    case "running_listed":
      return only({ ...model, list: runningListed(model.list, event.systems) });
    case "list_failed":
      return { model: { ...model, list: { ...model.list, failed: true } }, effects: [{ kind: "load_list_later" }] };
    case "list_due":
      return { model, effects: [{ kind: "load_list" }] };
    case "wanted":
      return wanted(model, event.ids, event.at);
    case "stop_all":
      return stopAll(model, event.key, event.at);
    default:
      return roomEvent(model, event);
  }
}

function roomEvent(model: Model, event: RoomEvent): Step {
  const id = systemOf(event);
  const known = model.rooms.get(id);
  if (known === undefined) return only(model);

  const { room: changed, effects } = reduceRoom(known, event);
  const rooms = changed === known ? model.rooms : new Map(model.rooms).set(id, changed);
  const next = { ...model, rooms };
  switch (event.kind) {
    case "state":
    case "clock":
    case "join_refused":
      return { model: { ...next, heardAt: event.at }, effects };
    case "joined":
      return { model: { ...next, heardAt: event.at }, effects: [...effects, ...newHistory(next, id)] };
    case "history":
    case "older_wanted":
      return { model: next, effects: [...effects, ...moreHistory(next, id)] };
    case "answered":
      return { model: answeredInList(next, id), effects };
    default:
      return { model: next, effects };
  }
}

function systemOf(event: RoomEvent): string {
  switch (event.kind) {
    case "joined":
      return event.system.id;
    case "state":
      return event.state.system;
    case "clock":
      return event.clock.system;
    case "action":
      return event.action.system;
    default:
      return event.id;
  }
}

function reduceRoom(known: Room, event: RoomEvent): RoomStep {
  switch (event.kind) {
    case "join_due":
      return room.join(known, event.at);
    case "joined":
      return still(room.onSnapshot(known, event.system, event.at));
    case "join_refused":
      return room.onJoinRefused(known, event.error);
    case "join_unanswered":
      return room.joinLater(known);
    case "state":
      return still(room.onState(known, event.state, event.at));
    case "clock":
      return room.onClock(known, event.clock, event.at);
    case "action":
      return still({ ...known, records: withAction(known.records, event.action) });
    case "history":
      return still({ ...known, records: withPage(known.records, event.before, event.actions) });
    case "history_failed":
      return still({ ...known, records: { ...known.records, error: event.message } });
    case "older_wanted":
      return still({ ...known, records: { ...known.records, shown: known.records.shown + ROWS } });
    case "asked":
    case "answered":
    case "refused":
    case "unanswered":
    case "send_due":
    case "bad_length":
      return askEvent(known, event);
  }
}

function askEvent(known: Room, event: AskEvent): RoomStep {
  const { asks, effects } = reduceAsks(known.asks, event);
  const settled = { ...known, asks };
  const heard = event.kind === "answered" ? room.onState(settled, event.answer.state, event.at) : settled;
  return { room: heard, effects };
}

function connected(model: Model, at: Instant): Step {
  const { rooms, effects } = stepped(model.rooms, (each) => room.onConnection(each, at));
  const list: Effect[] = model.place.page === "list" ? [{ kind: "load_list" }] : [];
  return {
    model: { ...model, link: "up", heardAt: at, rooms },
    effects: [...effects, ...list, { kind: "ask_health" }],
  };
}

/** Only the page of a system shows its history. */
function newHistory(model: Model, id: string): Effect[] {
  return model.place.page === "system" ? [{ kind: "load_history", id, before: null }] : [];
}

function moreHistory(model: Model, id: string): Effect[] {
  const known = model.rooms.get(id);
  const before = known === undefined ? null : nextPage(known.records, known.now);
  return before === null ? [] : [{ kind: "load_history", id, before }];
}

function ticked(model: Model, at: Instant): Step {
  if (model.link !== "up") return only(model);
  // Where nobody looks at anything, silence says nothing.
  const isLooking = [...model.rooms.values()].some(isLookedAt);
  if (isLooking && at - model.heardAt > DEAD_MS) return { model: { ...model, heardAt: at }, effects: [{ kind: "reconnect" }] };
  const { rooms, effects } = stepped(model.rooms, (each) => room.onTick(each, at));
  return effects.length === 0 ? only(model) : { model: { ...model, rooms }, effects };
}

function joinAll(model: Model, at: Instant): Step {
  const { rooms, effects } = stepped(model.rooms, (each) => room.join(each, at));
  return { model: { ...model, rooms }, effects };
}

/** Looks at these rooms and no others. What a room outside still has to say about a command is kept. */
function wanted(model: Model, ids: readonly string[], at: Instant): Step {
  const looked = new Set(ids);
  const effects: Effect[] = [];
  const rooms = new Map<string, Room>();
  for (const [id, known] of model.rooms) {
    if (looked.has(id)) continue;
    if (known.membership !== "out") effects.push({ kind: "leave", id });
    if (!isSilent(known.asks)) rooms.set(id, { ...known, membership: "out" });
  }
  for (const id of looked) {
    const known = model.rooms.get(id) ?? fromList(model, id, at);
    const isNew = known.membership === "out";
    const asked: Room = isNew ? { ...known, membership: "wanted", clockAt: at, joinedAt: at } : known;
    const step = isNew && model.link === "up" ? room.join(asked, at) : still(asked);
    rooms.set(id, step.room);
    effects.push(...step.effects);
  }
  return { model: { ...model, rooms }, effects };
}

/** What the list says, until the room itself is heard. */
function fromList(model: Model, id: string, at: Instant): Room {
  const known = model.list.systems?.get(id);
  const blank: Room = { ...room.begin(id, at), membership: "out" };
  return known === undefined ? blank : { ...blank, profile: room.profileOf(known) };
}

/** Stops whatever is looked at, whatever is believed of it, and whatever else is said to run. */
function stopAll(model: Model, key: string, at: Instant): Step {
  const rooms = new Map(model.rooms);
  const effects: Effect[] = [];
  const looked = [...rooms.values()].filter(isLookedAt).map((each) => each.id);
  const ids = [...new Set([...looked, ...model.list.running])];
  for (const id of ids) {
    const known = rooms.get(id) ?? fromList(model, id, at);
    if (isStopping(known.asks)) continue;
    const event: AskEvent = { kind: "asked", id, key: `${key}-${id}`, command: "stop", seconds: null, at };
    const step = askEvent(known, event);
    rooms.set(id, step.room);
    effects.push(...step.effects);
  }
  return { model: { ...model, rooms, stopAll: ids }, effects };
}

function isLookedAt(known: Room): boolean {
  return known.membership !== "out" && known.membership !== "missing";
}

/** Nobody tells of a room that nobody looks at: the answer does. */
function answeredInList(model: Model, id: string): Model {
  const known = model.rooms.get(id);
  if (known?.membership !== "out" || known.state === null) return model;
  return { ...model, list: withMode(model.list, id, known.state.mode) };
}

function mapped(rooms: ReadonlyMap<string, Room>, change: (known: Room) => Room): ReadonlyMap<string, Room> {
  return new Map([...rooms].map(([id, known]) => [id, change(known)]));
}

function stepped(
  rooms: ReadonlyMap<string, Room>,
  change: (known: Room) => RoomStep,
): { rooms: ReadonlyMap<string, Room>; effects: Effect[] } {
  const steps = [...rooms].map(([id, known]) => [id, change(known)] as const);
  return {
    rooms: new Map(steps.map(([id, step]) => [id, step.room])),
    effects: steps.flatMap(([, step]) => step.effects),
  };
}

function still(changed: Room): RoomStep {
  return { room: changed, effects: [] };
}

function only(model: Model): Step {
  return { model, effects: [] };
}

/** Whatever is heard at all is heard over the one connection: the room heard last speaks for it. */
export function heardLast(model: Model): Room | null {
  const looked = [...model.rooms.values()].filter(isLookedAt);
  return looked.reduce<Room | null>((last, each) => (last === null || each.clockAt > last.clockAt ? each : last), null);
}

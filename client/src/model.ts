// Everything this page knows, and how every event changes it: one pure function.
// Never touches the network, the document or a clock: moments arrive as `at`, what is to be done leaves as effects.
import { isSilent, isStopping, reduceAsks, type AskEvent } from "./asks";
import type { Effect, Event, Instant, RoomEvent } from "./events";
import { CARDS, EMPTY_LIST, listed, runningListed, withMode, type List } from "./list";
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
  /** The latest "stop all", until one of its systems runs again. */
  readonly stopAll: StopAll | null;
}

export interface StopAll {
  readonly key: string;
  readonly ids: readonly string[];
  /** With more systems than are looked at, the gateway has to say first which others run. */
  readonly isLooking: boolean;
}

export interface Step {
  readonly model: Model;
  readonly effects: readonly Effect[];
}

export function begin(place: Place, at: Instant): Model {
  const rooms = new Map(place.page === "system" ? [[place.id, room.begin(place.id, at)]] : []);
  return { place, link: "connecting", heardAt: at, clockPlausible: true, rooms, list: EMPTY_LIST, stopAll: null };
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
      return runningKnown({ ...model, list: runningListed(model.list, event.systems) }, event.at);
    case "running_failed":
      return { model, effects: model.stopAll?.isLooking === true ? [{ kind: "load_running_later" }] : [] };
    case "running_due":
      return { model, effects: [{ kind: "load_running" }] };
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
  // A stop that the page before this one could not see confirmed is of a room that nobody looks at here.
  const known = model.rooms.get(id) ?? (event.kind === "asked" ? fromList(model, id, event.at) : undefined);
  if (known === undefined) return only(model);

  const { room: changed, effects } = reduceRoom(known, event);
  const rooms = changed === known ? model.rooms : new Map(model.rooms).set(id, changed);
  const next = { ...model, rooms, stopAll: runsAgain(model, changed) ? null : model.stopAll };
  switch (event.kind) {
    case "state":
    case "clock":
    case "join_refused":
      return { model: { ...next, heardAt: event.at }, effects };
    case "joined":
      return { model: { ...next, heardAt: event.at }, effects: [...effects, ...newHistory(next, known)] };
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
  if (event.kind !== "answered") return { room: settled, effects };
  const heard = room.onAnswer(settled, event.answer.state, event.at);
  // The answer to a command that was sent again may be an old one: its times are taken anew.
  const isOld = heard.seq > known.seq && (known.asks.pending?.attempt ?? 1) > 1;
  const step = isOld ? room.join(heard, event.at) : still(heard);
  return { room: step.room, effects: [...effects, ...step.effects] };
}

function connected(model: Model, at: Instant): Step {
  const { rooms, effects } = stepped(model.rooms, (each) => room.onConnection(each, at));
  const list: Effect[] = model.place.page === "list" ? [{ kind: "load_list" }] : [];
  return {
    model: { ...model, link: "up", heardAt: at, rooms },
    effects: [...effects, ...list, { kind: "ask_health" }],
  };
}

/** Only the page of a system shows its history, and hears of each run that it does not miss. */
function newHistory(model: Model, { id, hasMissed }: Room): Effect[] {
  return model.place.page === "system" && hasMissed ? [{ kind: "load_history", id, before: null }] : [];
}

/** What was stopped with all others runs once more: then it is no longer true that all are stopped. */
function runsAgain({ stopAll }: Model, { id, state, asks }: Room): boolean {
  const isRunning = state !== null && state.mode !== "wait";
  const isSettled = asks.pending === null && asks.notice?.kind !== "refused";
  return isRunning && isSettled && (stopAll?.ids.includes(id) ?? false);
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
  const looked = [...model.rooms.values()].filter(isLookedAt).map((each) => each.id);
  const step = stopEach(model, { key, ids: [], isLooking: false }, [...looked, ...model.list.running], at);
  if ((model.list.systems?.size ?? 0) <= CARDS) return step;
  const looking = step.model.stopAll === null ? null : { ...step.model.stopAll, isLooking: true };
  return { model: { ...step.model, stopAll: looking }, effects: [...step.effects, { kind: "load_running" }] };
}

/** What runs out of sight is known now: a stop of all that waited for it goes on. */
function runningKnown(model: Model, at: Instant): Step {
  if (model.stopAll?.isLooking !== true) return only(model);
  return stopEach(model, { ...model.stopAll, isLooking: false }, [...model.list.running], at);
}

function stopEach(model: Model, all: StopAll, ids: readonly string[], at: Instant): Step {
  const rooms = new Map(model.rooms);
  const effects: Effect[] = [];
  for (const id of ids) {
    const known = rooms.get(id) ?? fromList(model, id, at);
    if (isStopping(known.asks)) continue;
    const key = `${all.key}-${id}`;
    const step = askEvent(known, { kind: "asked", id, key, command: "stop", seconds: null, at });
    rooms.set(id, step.room);
    effects.push(...step.effects);
  }
  return { model: { ...model, rooms, stopAll: { ...all, ids: [...new Set([...all.ids, ...ids])] } }, effects };
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

/** Stops of this page that the gateway has not confirmed yet. */
export function unconfirmedStops(model: Model): readonly { id: string; key: string }[] {
  return [...model.rooms.values()].flatMap(({ id, asks: { pending } }) =>
    pending?.command === "stop" ? [{ id, key: pending.key }] : [],
  );
}

// The runs of the last 24 hours on a line, a lane for each mode.
// Never works out where a run lies (timeline.ts), and never scales: x is in per cent, all else in em, so text keeps its size.
import { duration, shortMoment } from "../format";
import { language, texts } from "../language";
import { word, type Texts } from "../texts";
import { blocksOf, NOW, ticksOf, type Block, type Running } from "../timeline";
import type { Action } from "../wire";

/** Lanes are told apart by where they are: colour says nothing here. */
const LANES = [
  { kind: "timer", label: "0.95em", top: "1.3em" },
  { kind: "manual", label: "3.75em", top: "4.1em" },
] as const;

const HEIGHT = "1.3em";
const NAME = "0.95em";
const FIRST = "1.3em";
const FLOOR = "5.4em";
const HOURS = "6.7em";

/** Closer to an end than this, a label in the middle of its tick would stick out of the page. */
const EDGE = 0.1;

interface Props {
  actions: readonly Action[];
  running: Running | null;
  /** The clock of the gateway, as it is told. */
  now: string;
}

export function Timeline({ actions, running, now }: Props) {
  const words = texts.value;
  const blocks = blocksOf(actions, running, now);
  const runs = blocks.filter((block) => block.part !== "ahead").length;
  return (
    <figure class="timeline-figure">
      <figcaption>
        <h3>{words.timeline.title}</h3>
      </figcaption>
      <svg class="timeline" role="img" aria-label={words.timeline.said(runs)}>
        <Hatching />
        <Ground now={now} />
        {blocks.map((block) => (
          <Stretch key={`${block.part} ${block.action?.id ?? ""}`} block={block} running={running} />
        ))}
        <line class="timeline-now" x1={share(NOW)} x2={share(NOW)} y1={FIRST} y2={FLOOR} />
        <text class="timeline-now-name" x={share(NOW)} y={NAME} text-anchor="end">
          {words.timeline.now}
        </text>
      </svg>
      <Legend blocks={blocks} />
    </figure>
  );
}

/** Named by an attribute where it is used: in a style sheet, some browsers would look for it in the sheet's own file. */
function Hatching() {
  return (
    <pattern id="timeline-hatching" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <line class="timeline-hatch" y2="6" />
    </pattern>
  );
}

function Ground({ now }: { now: string }) {
  return (
    <>
      {LANES.map((lane) => (
        <g key={lane.kind}>
          <text class="timeline-name" y={lane.label}>
            {texts.value.mode[lane.kind]}
          </text>
          <rect class="timeline-lane" y={lane.top} width="100%" height={HEIGHT} />
        </g>
      ))}
      {ticksOf(now).map(({ at, label }) => (
        <g key={at}>
          {LANES.map(({ kind, top }) => (
            <Tick key={kind} at={at} top={top} />
          ))}
          {label !== null && (
            <text class="timeline-hour" x={share(at)} y={HOURS} text-anchor={anchorOf(at)}>
              {label}
            </text>
          )}
        </g>
      ))}
    </>
  );
}

function Tick({ at, top }: { at: number; top: string }) {
  return <rect class="timeline-tick" x={share(at)} y={top} width="1" height={HEIGHT} />;
}

function Stretch({ block, running }: { block: Block; running: Running | null }) {
  const lane = LANES.find(({ kind }) => kind === block.kind) ?? LANES[0];
  return (
    <rect
      class={classOf(block)}
      x={share(block.from)}
      y={lane.top}
      width={share(block.to - block.from)}
      height={HEIGHT}
      fill={block.interrupted ? "url(#timeline-hatching)" : undefined}
    >
      <title>{block.action === null ? runningInWords(running, texts.value) : inWords(block.action, texts.value)}</title>
    </rect>
  );
}

/** Says only what is there to be seen. */
function Legend({ blocks }: { blocks: readonly Block[] }) {
  const hatched = blocks.find((block) => block.interrupted);
  const ahead = blocks.find((block) => block.part === "ahead");
  const { endUnknown, ahead: planned } = texts.value.timeline;
  if (hatched === undefined && ahead === undefined) return null;
  return (
    <p class="timeline-legend">
      {ahead !== undefined && <Sample block={ahead} says={planned} />}
      {hatched !== undefined && <Sample block={hatched} says={endUnknown} />}
    </p>
  );
}

function Sample({ block, says }: { block: Block; says: string }) {
  return (
    <span>
      <svg class="timeline-sample" aria-hidden="true">
        <rect
          class={classOf(block)}
          width="100%"
          height="100%"
          fill={block.interrupted ? "url(#timeline-hatching)" : undefined}
        />
      </svg>{" "}
      {says}
    </span>
  );
}

function classOf(block: Block): string {
  return `timeline-block ${block.interrupted ? "timeline-interrupted" : `timeline-${block.part}`}`;
}

function share(part: number): string {
  return `${(part * 100).toFixed(3)}%`;
}

function anchorOf(at: number): "start" | "middle" | "end" {
  if (at < EDGE) return "start";
  return at > 1 - EDGE ? "end" : "middle";
}

function inWords(action: Action, words: Texts): string {
  const { mode, start, end, planned_ms, duration_ms, by, ended_by } = action;
  const outcome = word(words.outcome, action.outcome);
  return lines([
    `${words.mode[mode]}, ${outcome}`,
    span(start, end, words.unknownEnd),
    `${words.planned} ${length(planned_ms, words.noPlan)} · ${words.real} ${length(duration_ms, words.unknown)}`,
    by === null ? "" : `${words.askedBy.toLowerCase()} ${by}`,
    ended_by === null ? "" : `${words.timeline.endedBy} ${ended_by}`,
  ]);
}

function runningInWords(running: Running | null, words: Texts): string {
  if (running === null) return "";
  const { state, elapsedMs, remainingMs } = running;
  const planned = remainingMs === null ? null : elapsedMs + remainingMs;
  return lines([
    `${words.mode[state.mode]}, ${words.running}`,
    state.start === null ? "" : span(state.start, state.end, words.endsByHand),
    `${words.planned} ${length(planned, words.noPlan)}`,
    state.by === null ? "" : `${words.askedBy.toLowerCase()} ${state.by}`,
  ]);
}

function lines(said: readonly string[]): string {
  return said.filter((line) => line !== "").join("\n");
}

/** The date is said again only where the run went past midnight. */
function span(start: string, end: string | null, withoutEnd: string): string {
  const from = shortMoment(start);
  const to = end === null ? null : shortMoment(end);
  const day = to === null || to.date === from.date ? "" : `${to.date} `;
  return `${from.date} ${from.time} → ${to === null ? withoutEnd : `${day}${to.time}`}`;
}

function length(ms: number | null, without: string): string {
  return ms === null ? without : duration(ms, language.value);
}

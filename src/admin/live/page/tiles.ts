/** The six numbers that one looks for first. */
import type { Snapshot } from "../snapshot.ts";
import { element, setText } from "./dom.ts";
import { age, bytes, count, duration, percent } from "./format.ts";
import type { Point, Value } from "./history.ts";

interface TileSpec {
  readonly label: string;
  readonly value: (point: Point, now: Snapshot) => string;
  readonly more: (point: Point, now: Snapshot) => string;
}

interface Tile {
  readonly spec: TileSpec;
  readonly value: HTMLElement;
  readonly more: HTMLElement;
}

const TILES: readonly TileSpec[] = [
  {
    label: "Requests a second",
    value: ({ values }) => shown(total(values), count),
    more: ({ values }) => `${shown(values.received, bytes)}/s in, ${shown(values.sent, bytes)}/s out`,
  },
  {
    label: "Latency, p99",
    value: ({ values }) => shown(values.p99, duration),
    more: ({ values }) => `p50 ${shown(values.p50, duration)}, p90 ${shown(values.p90, duration)}`,
  },
  {
    label: "Connections",
    value: (_, { connections: { active, idle, webSockets, handshaking } }) =>
      count(active + idle + webSockets + handshaking),
    more: (_, { connections }) => `${count(connections.active)} active, ${count(connections.accepted)} so far`,
  },
  {
    label: "Tasks",
    value: (_, { tasks }) => count(tasks.ages.reduce((sum, one) => sum + one, 0)),
    more: (_, { tasks: { oldest } }) => (oldest.length === 0 ? "none runs" : `oldest ${age(oldest[0].oldestMs)}`),
  },
  {
    label: "CPU",
    value: ({ values }) => shown(values.cpu, percent),
    more: ({ values }) => `event loop ${shown(values.busy, percent)} at work`,
  },
  {
    label: "Memory",
    value: (_, { memory }) => bytes(memory.resident),
    more: (_, { memory }) => `heap ${bytes(memory.heap)} of ${bytes(memory.heapLimit)}`,
  },
];

export class Tiles {
  readonly #tiles: readonly Tile[] = TILES.map((spec) => ({
    spec,
    value: element("dd"),
    more: element("dd", { class: "more" }),
  }));
  readonly list: HTMLElement;

  constructor() {
    const tile = ({ spec, value, more }: Tile): HTMLElement =>
      element("div", { class: "tile" }, element("dt", {}, spec.label), value, more);
    this.list = element("dl", {}, ...this.#tiles.map(tile));
  }

  show(point: Point, now: Snapshot): void {
    for (const { spec, value, more } of this.#tiles) {
      setText(value, spec.value(point, now));
      setText(more, spec.more(point, now));
    }
  }
}

function total({ answered, refused, failed, gone }: Point["values"]): Value {
  if (typeof answered !== "number") return answered;
  return answered + (refused ?? 0) + (failed ?? 0) + (gone ?? 0);
}

function shown(value: Value, show: (value: number) => string): string {
  return value === undefined || value === null ? "–" : show(value);
}

/** Which charts there are, and what is in them. */
import { bytes, count, duration, percent, short } from "./format.ts";

export interface Series {
  /** A value of a point (history.ts). */
  readonly key: string;
  readonly label: string;
  /** A colour of style.css. */
  readonly color: string;
}

export interface ChartSpec {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly series: readonly Series[];
  /** One on top of the other, the first at the bottom: they add up to something. */
  readonly stacked?: boolean;
  readonly large?: boolean;
  /** Each line of the axis is ten times the one below: what is shown reaches from microseconds to seconds. */
  readonly logarithmic?: boolean;
  readonly show: (value: number) => string;
  readonly axis: (value: number) => string;
  /** The axis reaches to at least here; a logarithmic one begins here, or lower. */
  readonly least: number;
}

export const CHARTS: readonly ChartSpec[] = [
  {
    id: "requests",
    title: "Requests",
    note: "a second, by status",
    large: true,
    stacked: true,
    series: [
      { key: "answered", label: "answered", color: "teal" },
      { key: "refused", label: "4xx", color: "amber" },
      { key: "failed", label: "5xx", color: "red" },
      { key: "gone", label: "client gone", color: "grey" },
    ],
    show: count,
    axis: short,
    least: 4,
  },
  {
    id: "latency",
    title: "Latency",
    note: "from head to last byte",
    large: true,
    logarithmic: true,
    series: [
      { key: "p50", label: "p50", color: "teal" },
      { key: "p90", label: "p90", color: "blue" },
      { key: "p99", label: "p99", color: "violet" },
    ],
    show: duration,
    axis: duration,
    least: 0.001,
  },
  {
    id: "connections",
    title: "Connections",
    note: "by state",
    stacked: true,
    series: [
      { key: "active", label: "active", color: "teal" },
      { key: "webSockets", label: "WebSocket", color: "violet" },
      { key: "handshaking", label: "handshaking", color: "amber" },
      { key: "idle", label: "idle", color: "grey" },
    ],
    show: count,
    axis: short,
    least: 4,
  },
  {
    id: "tasks",
    title: "Tasks",
    note: "by age",
    stacked: true,
    series: [
      { key: "age0", label: "below 1 s", color: "teal" },
      { key: "age1", label: "1–10 s", color: "blue" },
      { key: "age2", label: "10–60 s", color: "amber" },
      { key: "age3", label: "longer", color: "red" },
    ],
    show: count,
    axis: short,
    least: 4,
  },
  {
    id: "poller",
    title: "Poller",
    note: "turns and events a second",
    series: [
      { key: "turns", label: "turns", color: "teal" },
      { key: "events", label: "events", color: "blue" },
    ],
    show: count,
    axis: short,
    least: 10,
  },
  {
    id: "delay",
    title: "Event-loop delay",
    note: "how late timers are",
    logarithmic: true,
    series: [
      { key: "delay50", label: "p50", color: "teal" },
      { key: "delay99", label: "p99", color: "violet" },
    ],
    show: duration,
    axis: duration,
    least: 0.001,
  },
  {
    id: "busy",
    title: "Time at work",
    note: "of a core, and of the loops",
    series: [
      { key: "cpu", label: "CPU", color: "teal" },
      { key: "busy", label: "event loop", color: "blue" },
    ],
    show: percent,
    axis: percent,
    least: 0.2,
  },
  {
    id: "memory",
    title: "Memory",
    note: "of the process",
    series: [
      { key: "resident", label: "resident", color: "teal" },
      { key: "heap", label: "heap", color: "blue" },
      { key: "external", label: "buffers", color: "violet" },
    ],
    show: bytes,
    axis: bytes,
    least: 1e7,
  },
];

/** One chart: its legend with the values under the pointer, the drawing by uPlot, and the same as a table. */
import uPlot from "uplot";
import type { ChartSpec } from "./charts.ts";
import { element, setText } from "./dom.ts";
import { time } from "./format.ts";
import type { Point, Value } from "./history.ts";

/** Rows of the table, whatever the window. */
const ROWS = 12;
/** Width of the axis of values. */
const AXIS = 58;
const FONT = "11px system-ui, sans-serif";

export class Chart {
  readonly card: HTMLElement;
  readonly #spec: ChartSpec;
  readonly #plot = element("div", { class: "plot", role: "img" });
  readonly #body = element("tbody");
  readonly #note: HTMLElement;
  readonly #swatches: readonly HTMLElement[];
  readonly #values: readonly HTMLElement[];
  #uplot: uPlot | undefined;
  #data: Value[][] = [];
  #points: readonly Point[] = [];
  #from = 0;
  #to = 1;

  constructor(spec: ChartSpec) {
    this.#spec = spec;
    const { id, title, note, series, large } = spec;
    this.#swatches = series.map(({ color }) => element("i", { class: color }));
    this.#values = series.map(() => element("b"));
    this.#note = element("span", {}, note);
    const legend = series.map(({ label }, i) => element("li", {}, this.#swatches[i], ` ${label} `, this.#values[i]));
    const heads = ["Time", ...series.map(({ label }) => label)];
    const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
    const caption = element("caption", {}, `${title}, ${note}`);
    const table = element("table", {}, caption, element("thead", {}, head), this.#body);
    const region = element(
      "div",
      { class: "scroll", role: "region", tabindex: "0", "aria-label": `${title} as a table` },
      table,
    );
    this.card = element(
      "article",
      { class: large ? "card large" : "card", id: `chart-${id}` },
      element("h2", {}, `${title} `, this.#note),
      element("ul", { class: "legend" }, ...legend),
      this.#plot,
      region,
    );
    new ResizeObserver(() => this.#resize()).observe(this.#plot);
  }

  /** Says more than the specification's note. */
  note(text: string): void {
    setText(this.#note, text);
  }

  /** Shows these points, from one moment to another, in milliseconds since 1970. */
  draw(points: readonly Point[], from: number, to: number): void {
    [this.#points, this.#from, this.#to] = [points, from, to];
    const { series, stacked, title } = this.#spec;
    const own = series.map(({ key }) => points.map(({ values }) => values[key]));
    this.#data = own;
    if (document.body.dataset.view === "tables") return this.#tabulate();
    const x = points.map(({ at }) => at / 1000);
    const data = [x, ...(stacked ? sums(own).reverse() : own)] as uPlot.AlignedData;
    if (this.#uplot === undefined) this.#create(data);
    else this.#uplot.setData(data);
    this.#legend(this.#uplot?.cursor.idx);
    const says = series.map(({ label }, i) => `${label} ${this.#values[i].textContent}`).join(", ");
    this.#plot.setAttribute("aria-label", `${title}, chart. Now: ${says}`);
  }

  /** Colours have changed, or tables have given way to charts. */
  renew(): void {
    this.#uplot?.destroy();
    this.#uplot = undefined;
    this.draw(this.#points, this.#from, this.#to);
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#plot;
    if (width > 0 && height > 0) this.#uplot?.setSize({ width, height });
  }

  /** The values at a point, the last one's without. */
  #legend(at: number | null | undefined): void {
    for (const [i, values] of this.#data.entries()) {
      const value = values[at ?? values.length - 1];
      setText(this.#values[i], value === undefined || value === null ? "–" : this.#spec.show(value));
    }
  }

  #create(data: uPlot.AlignedData): void {
    const { clientWidth, clientHeight } = this.#plot;
    const { stacked, logarithmic, least, axis } = this.#spec;
    const ink = getComputedStyle(this.#plot).color;
    const grid = getComputedStyle(this.#plot).borderTopColor;
    const colors = this.#swatches.map((swatch) => getComputedStyle(swatch).color);
    // The topmost first: where there is nothing between two lines, that of the lower one is seen.
    if (stacked) colors.reverse();
    const lines = {
      stroke: ink,
      font: FONT,
      grid: { stroke: grid, width: 1 },
      ticks: { show: false },
      border: { show: false },
    };
    const options: uPlot.Options = {
      width: Math.max(1, clientWidth),
      height: Math.max(1, clientHeight),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { setScale: false, x: false, y: false },
        points: { size: 7, fill: (_u, i) => colors[i - 1] },
        sync: { key: "live" },
      },
      scales: {
        x: { time: true, range: () => [this.#from / 1000, this.#to / 1000] },
        y: logarithmic
          ? { distr: 3, range: (_u, min, max) => decades(min ?? least, max ?? least, least) }
          : { range: (_u, _min, max) => [0, Math.max(least, (max ?? 0) * 1.1)] },
      },
      axes: [
        {
          ...lines,
          grid: { show: false },
          space: 72,
          size: 22,
          gap: 4,
          values: (_u, splits, _axis, _space, step) => splits.map((at) => this.#timeLabel(at * 1000, step < 60)),
        },
        {
          ...lines,
          space: 34,
          size: AXIS,
          gap: 8,
          ...(logarithmic ? { splits: powers, filter: (_u, splits) => splits } : {}),
          values: (_u, splits) => splits.map((value) => axis(value)),
        },
      ],
      series: [
        {},
        ...colors.map(
          (stroke, i): uPlot.Series => ({
            stroke,
            width: 1.5,
            fill: stacked && i === colors.length - 1 ? faded(stroke) : undefined,
            points: { show: false },
          }),
        ),
      ],
      // Between each line and the one below it.
      bands: stacked ? colors.slice(1).map((_, i) => ({ series: [i + 1, i + 2], fill: faded(colors[i]) })) : undefined,
      hooks: { setCursor: [(plot) => this.#legend(plot.cursor.idx)] },
    };
    this.#uplot = new uPlot(options, data, this.#plot);
  }

  /** Of the time axis; one that would be cut off at an edge, or stand below the other axis, is left out. */
  #timeLabel(at: number, seconds: boolean): string {
    const width = this.#plot.clientWidth - AXIS - 8;
    const x = ((at - this.#from) / (this.#to - this.#from)) * width;
    return x < 14 || x > width - 22 ? "" : time(at, seconds);
  }

  /** As many rows as are read: the last value of each stretch. */
  #tabulate(): void {
    const step = (this.#to - this.#from) / ROWS;
    const rows: string[][] = [];
    for (let i = ROWS; i > 0; i--) {
      const end = this.#from + i * step;
      const at = this.#points.findLastIndex((point) => point.at <= end && point.at > end - step);
      if (at < 0) continue;
      const cells = this.#data.map((values) => {
        const value = values[at];
        return value === undefined || value === null ? "–" : this.#spec.show(value);
      });
      rows.push([time(this.#points[at].at), ...cells]);
    }
    fill(this.#body, rows);
    this.#legend(undefined);
  }
}

/** Writes rows of text into a table's body, the first cell as its row's head, and makes only what is missing. */
export function fill(body: HTMLElement, rows: readonly (readonly string[])[]): void {
  while (body.children.length > rows.length) body.lastElementChild?.remove();
  for (const [i, cells] of rows.entries()) {
    const row = body.children[i] ?? body.appendChild(element("tr"));
    while (row.children.length > cells.length) row.lastElementChild?.remove();
    for (const [j, text] of cells.entries()) {
      const cell = row.children[j] ?? row.appendChild(j === 0 ? element("th", { scope: "row" }) : element("td"));
      setText(cell, text);
    }
  }
}

/** From one power of ten to another, two at least: around `least`, and all that there is. */
function decades(min: number, max: number, least: number): [number, number] {
  const low = Math.floor(Math.log10(Math.min(min, least / 10)));
  const high = Math.ceil(Math.log10(Math.max(max, least * 10)));
  return [10 ** low, 10 ** high];
}

function powers(_u: uPlot, _axis: number, min: number, max: number): number[] {
  const [low, high] = [min, max].map((value) => Math.round(Math.log10(value)));
  return Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
}

/** Each series on top of those before it. */
function sums(series: readonly Value[][]): Value[][] {
  const made: Value[][] = [];
  for (const [i, values] of series.entries()) {
    const below = made[i - 1];
    made.push(values.map((value, j) => (typeof value === "number" ? value + (below?.[j] ?? 0) : value)));
  }
  return made;
}

/** `rgb(1, 2, 3)` with little of it. */
function faded(color: string): string {
  return color.replace(/^rgb\(([^)]+)\)$/, "rgba($1, 0.22)");
}

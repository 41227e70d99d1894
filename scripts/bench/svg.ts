// Plots as SVG, written by hand: bars with their spread for one question, and one
// overview of all of them. Text is in the system's own face; nothing is loaded.

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly digits: number;
}

const WIDTH = 760;
const LEFT = 120;
const RIGHT = 90;
const ROW = 24;
const INK = "#1f2937";
const GREY = "#6b7280";

/** Ours stands out, and so does what is no server but a floor. */
function colour(name: string): string {
  if (/^(slipway|compiled|http)/.test(name)) return "#2563eb";
  return /^c(-|$)/.test(name) ? "#d1d5db" : "#9ca3af";
}

export function barPlot(title: string, unit: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map((bar) => bar.max)) || 1;
  const x = (value: number): number => LEFT + (Math.max(0, value) / most) * (WIDTH - LEFT - RIGHT);
  const parts: string[] = [text(16, 26, title, { size: 15, weight: 600 }), text(16, 46, unit, { fill: GREY })];
  for (const [i, bar] of bars.entries()) {
    const y = 60 + i * ROW;
    const middle = y + ROW / 2;
    parts.push(text(LEFT - 8, middle + 4, bar.name, { anchor: "end" }));
    parts.push(
      `<rect x="${LEFT}" y="${y + 4}" width="${round(x(bar.value) - LEFT)}" height="${ROW - 8}" fill="${colour(bar.name)}"/>`,
    );
    parts.push(stroke(x(bar.min), middle, x(bar.max), middle), stroke(x(bar.min), middle - 3, x(bar.min), middle + 3));
    parts.push(stroke(x(bar.max), middle - 3, x(bar.max), middle + 3));
    parts.push(text(x(bar.max) + 8, middle + 4, bar.value.toFixed(bar.digits), { fill: INK }));
  }
  return svg(60 + bars.length * ROW + 14, title, parts);
}

export interface Row {
  readonly name: string;
  /** Ours ÷ the other's, of what a thing costs: below 1, ours costs less. */
  readonly ratios: Readonly<Record<string, number>>;
}

const marks: Readonly<Record<string, string>> = {
  deno: "#0d9488",
  bun: "#db2777",
  node: "#65a30d",
  go: "#0284c7",
  c: "#6b7280",
  "c-uring": "#111827",
};

/** What lies further out than 1/16 or 16 is drawn there: an idle connection that costs nothing would squeeze the rest. */
const EDGE = 4;

/** All questions at once, on a scale where half and double are equally far from even. */
export function overviewPlot(title: string, rows: readonly Row[]): string {
  const all = rows
    .flatMap(({ ratios }) => Object.values(ratios))
    .filter((ratio) => ratio > 0 && Number.isFinite(ratio));
  const from = Math.max(-EDGE, Math.floor(Math.log2(Math.min(0.5, ...all))));
  const to = Math.min(EDGE, Math.ceil(Math.log2(Math.max(2, ...all))));
  const left = 140;
  const inside = (power: number): number => Math.min(to, Math.max(from, power));
  const x = (ratio: number): number => left + ((inside(Math.log2(ratio)) - from) / (to - from)) * (WIDTH - left - 30);
  const top = 84;
  const bottom = top + rows.length * ROW;
  const parts: string[] = [text(16, 26, title, { size: 15, weight: 600 })];
  for (const [i, [name, fill]] of Object.entries(marks).entries()) {
    parts.push(
      `<circle cx="${left + i * 90}" cy="46" r="5" fill="${fill}"/>`,
      text(left + i * 90 + 10, 50, `÷ ${name}`, {}),
    );
  }
  for (let power = from; power <= to; power++) {
    const ratio = 2 ** power;
    parts.push(stroke(x(ratio), top - 4, x(ratio), bottom, power === 0 ? INK : "#e5e7eb"));
    parts.push(
      text(x(ratio), top - 10, ratio < 1 ? `1/${1 / ratio}` : String(ratio), { anchor: "middle", fill: GREY }),
    );
  }
  for (const [i, row] of rows.entries()) {
    const y = top + i * ROW + ROW / 2;
    parts.push(text(left - 12, y + 4, row.name, { anchor: "end" }));
    for (const [name, ratio] of Object.entries(row.ratios)) {
      if (!(ratio > 0) || !(name in marks)) continue;
      parts.push(`<circle cx="${round(x(ratio))}" cy="${y}" r="5" fill="${marks[name]}" fill-opacity="0.85"/>`);
    }
  }
  if (all.some((ratio) => Math.abs(Math.log2(ratio)) > EDGE)) {
    parts.push(text(16, bottom + 18, "on an edge: beyond it", { fill: GREY }));
  }
  parts.push(text(x(1) - 8, bottom + 18, "← ours costs less", { anchor: "end", fill: GREY }));
  parts.push(text(x(1) + 8, bottom + 18, "ours costs more →", { fill: GREY }));
  return svg(bottom + 32, title, parts);
}

function svg(height: number, title: string, parts: readonly string[]): string {
  const font = 'font-family="system-ui, -apple-system, \'Segoe UI\', sans-serif" font-size="12"';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ${font} role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" rx="6" fill="#ffffff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

interface Style {
  readonly size?: number;
  readonly weight?: number;
  readonly anchor?: "middle" | "end";
  readonly fill?: string;
}

function text(x: number, y: number, content: string, { size, weight, anchor, fill = INK }: Style): string {
  const extra = [
    size && ` font-size="${size}"`,
    weight && ` font-weight="${weight}"`,
    anchor && ` text-anchor="${anchor}"`,
  ];
  return `<text x="${round(x)}" y="${round(y)}" fill="${fill}"${extra.filter(Boolean).join("")}>${escaped(content)}</text>`;
}

function stroke(x1: number, y1: number, x2: number, y2: number, colour = INK): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** Numbers as people read them: three digits, and a unit. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const minutes = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clock = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** `0`, `7.3`, `842`, `12,400`. */
export function count(value: number): string {
  return value > 0 && value < 10 && !Number.isInteger(value) ? trimmed(value, 1) : whole.format(value);
}

/** `0`, `7.3`, `842`, `12.4k`, `1.2M`: for axes. */
export function short(value: number): string {
  if (value >= 1e6) return `${trimmed(value / 1e6, 1)}M`;
  if (value >= 1e4) return `${trimmed(value / 1e3, 1)}k`;
  return count(value);
}

/** Of seconds: `80 µs`, `1.2 ms`, `340 ms`, `2.5 s`. */
export function duration(seconds: number): string {
  if (seconds === 0) return "0 ms";
  if (seconds < 0.001) return `${whole.format(seconds * 1e6)} µs`;
  if (seconds < 0.01) return `${trimmed(seconds * 1e3, 1)} ms`;
  if (seconds < 1) return `${whole.format(seconds * 1e3)} ms`;
  return `${trimmed(seconds, seconds < 10 ? 1 : 0)} s`;
}

/** `812 B`, `4.2 kB`, `61 MB`. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${trimmed(value, unit > 0 && value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** Of a share: `0.4 %`, `37 %`. */
export function percent(share: number): string {
  return `${trimmed(share * 100, share < 0.1 ? 1 : 0)} %`;
}

/** How long something goes on: `850 ms`, `12 s`, `5 min`, `3 h 12 min`, `4 d 3 h`. */
export function age(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  const whole = Math.floor(seconds / 60);
  if (whole < 100) return `${whole} min`;
  const hours = Math.floor(whole / 60);
  return hours < 48 ? `${hours} h ${whole % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `1 task`, `3 tasks`. */
export function plural(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Of milliseconds since 1970: `14:05:09`, or `14:05`. */
export function time(ms: number, seconds = true): string {
  return (seconds ? clock : minutes).format(ms);
}

function trimmed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.0+$/, "");
}

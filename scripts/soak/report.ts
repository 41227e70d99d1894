/** The table at the end: what was asserted, what was measured, whether it held. The exit code follows it. */

export interface Row {
  readonly name: string;
  readonly measured: string;
  readonly bound: string;
  readonly good: boolean;
}

export class Report {
  readonly #rows: Row[] = [];

  /** One line of the table. */
  check(name: string, measured: string | number, bound: string, good: boolean): void {
    this.#rows.push({ name, measured: String(measured), bound, good });
  }

  /** A number that must not exceed another. */
  atMost(name: string, measured: number, bound: number, unit = ""): void {
    this.check(name, `${short(measured)}${unit}`, `≤ ${short(bound)}${unit}`, measured <= bound);
  }

  get failed(): number {
    return this.#rows.filter(({ good }) => !good).length;
  }

  print(): void {
    const width = Math.max(...this.#rows.map(({ name }) => name.length));
    const second = Math.max(...this.#rows.map(({ measured }) => measured.length));
    console.log();
    for (const { name, measured, bound, good } of this.#rows) {
      console.log(`${good ? "ok  " : "FAIL"}  ${name.padEnd(width)}  ${measured.padStart(second)}  ${bound}`);
    }
    const { failed } = this;
    console.log(failed === 0 ? `\nall ${this.#rows.length} hold` : `\n${failed} of ${this.#rows.length} do not hold`);
  }
}

export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

export const mib = (bytes: number): number => bytes / 1024 / 1024;

// The little of node:sqlite that notes.ts uses. Delete this file when you use @types/node instead.
declare module "node:sqlite" {
  type Value = null | number | bigint | string | Uint8Array;
  export class DatabaseSync {
    constructor(path: string);
    exec(sql: string): void;
    prepare(sql: string): StatementSync;
    close(): void;
  }
  export interface StatementSync {
    all(...values: Value[]): unknown[];
    get(...values: Value[]): unknown;
    run(...values: Value[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  }
}

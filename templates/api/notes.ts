// Notes in a table of SQLite, which is part of the runtime: there is nothing to install.
import { DatabaseSync } from "node:sqlite";
import type { Of } from "./schema.ts";

const title = { type: "string", minLength: 1, maxLength: 200 } as const;
const text = { type: "string", maxLength: 10_000 } as const;
const done = { type: "boolean" } as const;

export const note = {
  type: "object",
  properties: { id: { type: "integer" }, title, text, done, created: { type: "string", format: "date-time" } },
  required: ["id", "title", "text", "done", "created"],
  additionalProperties: false,
} as const;

export const newNote = {
  type: "object",
  properties: { title, text, done },
  required: ["title"],
  additionalProperties: false,
} as const;

export const changes = {
  type: "object",
  properties: { title, text, done },
  required: [],
  additionalProperties: false,
} as const;

export type Note = Of<typeof note>;

/** Each brings the tables one version further. Never change one that has been released: add another. */
const migrations = [
  `CREATE TABLE notes (
     id INTEGER PRIMARY KEY,
     title TEXT NOT NULL,
     text TEXT NOT NULL,
     done INTEGER NOT NULL,
     created TEXT NOT NULL
   ) STRICT`,
];

export class Notes {
  readonly #db: DatabaseSync;

  /** `path` is a file, or ":memory:" for tests. */
  constructor(path: string) {
    const folder = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
    if (folder !== "") Deno.mkdirSync(folder, { recursive: true });
    this.#db = new DatabaseSync(path);
    // Readers and a writer at once; a commit survives the process, and all but the last also the machine.
    this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000");
    this.#db.exec("BEGIN IMMEDIATE");
    const { user_version: from } = this.#db.prepare("PRAGMA user_version").get() as { user_version: number };
    for (const migration of migrations.slice(from)) this.#db.exec(migration);
    this.#db.exec(`PRAGMA user_version = ${Math.max(from, migrations.length)}; COMMIT`);
  }

  list(limit: number, after: number): Note[] {
    return this.#db.prepare("SELECT * FROM notes WHERE id > ? ORDER BY id LIMIT ?").all(after, limit).map(read);
  }

  get(id: number): Note | undefined {
    const row = this.#db.prepare("SELECT * FROM notes WHERE id = ?").get(id);
    return row === undefined ? undefined : read(row);
  }

  add({ title, text = "", done = false }: Of<typeof newNote>): Note {
    const insert = this.#db.prepare("INSERT INTO notes (title, text, done, created) VALUES (?, ?, ?, ?) RETURNING *");
    return read(insert.get(title, text, Number(done), new Date().toISOString()));
  }

  change(id: number, { title, text, done }: Of<typeof changes>): Note | undefined {
    const update = this.#db.prepare(
      "UPDATE notes SET title = coalesce(?, title), text = coalesce(?, text), done = coalesce(?, done) WHERE id = ? RETURNING *",
    );
    const row = update.get(title ?? null, text ?? null, done === undefined ? null : Number(done), id);
    return row === undefined ? undefined : read(row);
  }

  /** Whether there was one. */
  remove(id: number): boolean {
    return this.#db.prepare("DELETE FROM notes WHERE id = ?").run(id).changes > 0;
  }

  /** For the readiness check. */
  answers(): boolean {
    return this.#db.prepare("SELECT 1 AS one").get() !== undefined;
  }

  close(): void {
    this.#db.close();
  }
}

function read(row: unknown): Note {
  const { id, title, text, done, created } = row as Omit<Note, "done"> & { done: number };
  return { id, title, text, done: done === 1, created };
}

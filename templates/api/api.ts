// The routes, and what OpenAPI tells of them, side by side.
import { changes, type Notes, newNote, note } from "./notes.ts";
import { type ObjectSchema, type Of, problems } from "./schema.ts";
import { type Context, Hono } from "./vendor/hono.js";

/** The API over a database. */
export function api(notes: Notes): Hono {
  const app = new Hono();

  app.get("/notes", (c) => {
    const limit = whole(c.req.query("limit") ?? "20", 1, 100);
    const after = whole(c.req.query("after") ?? "0", 0);
    if (limit === undefined || after === undefined) return problem(c, 400, "limit is 1 to 100, after is an id");
    return c.json(notes.list(limit, after));
  });
  app.post("/notes", async (c) => {
    const body = await valid(c, newNote);
    if (body instanceof Response) return body;
    const made = notes.add(body);
    return c.json(made, 201, { location: `/notes/${made.id}` });
  });
  app.get("/notes/:id", (c) => found(c, notes.get(idOf(c))));
  app.patch("/notes/:id", async (c) => {
    const body = await valid(c, changes);
    return body instanceof Response ? body : found(c, notes.change(idOf(c), body));
  });
  app.delete("/notes/:id", (c) =>
    notes.remove(idOf(c)) ? c.body(null, 204) : problem(c, 404, "there is no such note"),
  );

  app.get("/", (c) => c.json({ name: "__NAME__", openapi: "/openapi.json" }));
  app.get("/openapi.json", (c) => c.json(openapi));
  app.notFound((c) => problem(c, 404, `there is no ${c.req.method} ${c.req.path}`));
  app.onError((error, c) => {
    console.error(error);
    return problem(c, 500, "internal error");
  });
  return app;
}

/** The request's body as the schema has it, or what to answer instead. */
async function valid<S extends ObjectSchema>(c: Context, schema: S): Promise<Of<S> | Response> {
  if (!/^application\/json\b/i.test(c.req.header("content-type") ?? "")) {
    return problem(c, 415, "send application/json");
  }
  let body: unknown;
  try {
    body = await c.req.json();
  } catch (error) {
    // Too large or too slow is the server's to answer: only what is no JSON is ours.
    if (!(error instanceof SyntaxError)) throw error;
    return problem(c, 400, "the body is not JSON");
  }
  const wrong = problems(schema, body);
  return wrong.length > 0 ? problem(c, 422, wrong.join("; ")) : (body as Of<S>);
}

/** RFC 9457. */
function problem(c: Context, status: number, detail: string): Response {
  return c.body(JSON.stringify({ status, detail }), status, { "content-type": "application/problem+json" });
}

function found(c: Context, value: unknown): Response {
  return value === undefined ? problem(c, 404, "there is no such note") : c.json(value);
}

/** What is no id is nobody's. */
function idOf(c: Context): number {
  return whole(c.req.param("id"), 1) ?? 0;
}

function whole(text: string, min: number, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

const id = { name: "id", in: "path", required: true, schema: { type: "integer", minimum: 1 } };
const json = (schema: object) => ({ "application/json": { schema } });
const answers = (status: string, description: string, schema?: object) => ({
  [status]: { description, ...(schema && { content: json(schema) }) },
  default: { description: "what went wrong (RFC 9457)", content: { "application/problem+json": {} } },
});

export const openapi = {
  openapi: "3.1.0",
  info: { title: "__NAME__", version: "0.1.0" },
  paths: {
    "/notes": {
      get: {
        operationId: "listNotes",
        parameters: [
          { name: "limit", in: "query", schema: { type: "integer", minimum: 1, maximum: 100, default: 20 } },
          { name: "after", in: "query", description: "the last id of the page before", schema: { type: "integer" } },
        ],
        responses: answers("200", "notes, oldest first", { type: "array", items: note }),
      },
      post: {
        operationId: "addNote",
        requestBody: { required: true, content: json(newNote) },
        responses: answers("201", "the note", note),
      },
    },
    "/notes/{id}": {
      parameters: [id],
      get: { operationId: "getNote", responses: answers("200", "the note", note) },
      patch: {
        operationId: "changeNote",
        requestBody: { required: true, content: json(changes) },
        responses: answers("200", "the note", note),
      },
      delete: { operationId: "removeNote", responses: answers("204", "gone") },
    },
  },
};

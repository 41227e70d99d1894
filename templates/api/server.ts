// The server: routes in api.ts, the database in notes.ts.
import { api } from "./api.ts";
import { Notes } from "./notes.ts";

// systemd says where a service may keep its files (StateDirectory=).
const folder = Deno.env.get("STATE_DIRECTORY") ?? ".";
const notes = new Notes(Deno.env.get("DATABASE") ?? `${folder}/notes.db`);

export default {
  fetch: api(notes).fetch,
  // No note is larger.
  maxBodyBytes: "64KiB",
  // Asked by /readyz of the admin port.
  ready: { database: () => notes.answers() },
};

// @ts-nocheck: the app is checked by running it.
/** @jsxImportSource preact */
// One server of many frameworks, each as its own documentation has it; what stands first in the path says which.
import { initTRPC, TRPCError } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { Elysia, t } from "elysia";
import { createSchema, createYoga } from "graphql-yoga";
import { AutoRouter, cors, error, json, StatusError, withParams } from "itty-router";
import { createContext } from "preact";
import { useContext, useState } from "preact/hooks";
import { render } from "preact-render-to-string";
import { renderToReadableStream } from "preact-render-to-string/stream";

const { preflight, corsify } = cors({ origin: ["http://example.com"], allowMethods: ["GET", "POST"] });
const itty = AutoRouter({
  base: "/itty",
  before: [preflight, withParams],
  finally: [corsify],
  catch: (thrown) => error(thrown),
});
itty
  .get("/users/:id", ({ id, query }) => ({ id, query }))
  .post("/echo", async (request) => json(await request.json(), { status: 201, headers: { "x-made": "here" } }))
  .get("/files/:path+", ({ params }) => params.path)
  .get("/throws", () => {
    throw new StatusError(418, { why: "a teapot" });
  })
  .get("/breaks", () => missing.value);

const elysia = new Elysia({ prefix: "/elysia" })
  .state("visits", 1)
  .derive(({ headers }) => ({ agent: headers["user-agent"] ?? "none" }))
  .onError(({ code, error, set }) => {
    if (code !== "VALIDATION") return;
    set.status = 400;
    return { wrong: error.all.map(({ path }) => path) };
  })
  .get("/", ({ store, agent }) => ({ visits: store.visits, agent }))
  .get("/users/:id", ({ params: { id } }) => id + 1, { params: t.Object({ id: t.Number() }) })
  .post("/valid", ({ body }) => body, { body: t.Object({ title: t.String(), tags: t.Optional(t.Array(t.String())) }) })
  .post("/form", ({ body }) => ({ name: body.name, file: body.file?.name, size: body.file?.size }))
  .get("/cookie", ({ cookie: { seen } }) => {
    seen.set({ value: `${seen.value ?? "never"}`, httpOnly: true, path: "/" });
    return String(seen.value);
  })
  .get("/redirect", ({ redirect }) => redirect("https://example.com/"))
  .get("/status", ({ status }) => status(418, "short and stout"))
  .get("/throws", () => {
    throw new Error("on purpose");
  })
  .group("/deep", (app) =>
    app.guard({ query: t.Object({ q: t.String() }) }, (app) => app.get("/q", ({ query }) => query.q)),
  );

const trpc = initTRPC.context<{ user: string | null }>().create({ isDev: false });
const items = [{ id: 1, title: "one" }];
const text = (value: unknown) => {
  if (typeof value !== "string") throw new Error("a text is expected");
  return value;
};
const router = trpc.router({
  hello: trpc.procedure.input(text).query(({ input, ctx }) => `hello ${input}, says ${ctx.user}`),
  items: trpc.router({
    list: trpc.procedure.query(() => items),
    add: trpc.procedure.input(text).mutation(({ input }) => ({ id: items.length + 1, title: input })),
  }),
  secret: trpc.procedure.query(({ ctx }) => {
    if (ctx.user === null) throw new TRPCError({ code: "UNAUTHORIZED", message: "who are you?" });
    return "42";
  }),
  count: trpc.procedure.subscription(async function* () {
    for (let n = 1; n <= 3; n++) yield n;
  }),
});

const yoga = createYoga({
  graphqlEndpoint: "/yoga",
  logging: false,
  maskedErrors: true,
  schema: createSchema({
    typeDefs: `type Query { hello(name: String!): String!, fails: Int } type Mutation { upload(file: File!): String! } type Subscription { count(to: Int!): Int! } scalar File`,
    resolvers: {
      Query: {
        hello: (_, { name }, { request }) => `hello ${name} by ${request.method}`,
        fails: () => {
          throw new Error("a secret of the database");
        },
      },
      Mutation: { upload: async (_, { file }) => `${file.name}: ${await file.text()}` },
      Subscription: {
        count: {
          async *subscribe(_, { to }) {
            for (let count = 1; count <= to; count++) yield { count };
          },
        },
      },
    },
  }),
});

const Theme = createContext("light");
function Item({ name }: { name: string }) {
  const [count] = useState(name.length);
  return (
    <li class={useContext(Theme)} data-count={count}>
      {name}
    </li>
  );
}
const Page = ({ names }: { names: string[] }) => (
  <Theme.Provider value="dark">
    <h1 style={{ color: "red" }}>{"<escaped>"}</h1>
    <ul>
      {names.map((name) => (
        <Item key={name} name={name} />
      ))}
    </ul>
    <div dangerouslySetInnerHTML={{ __html: "<b>raw</b>" }} />
  </Theme.Provider>
);
const html = { headers: { "content-type": "text/html; charset=utf-8" } };

function preact(request: Request): Response {
  const { pathname, searchParams } = new URL(request.url);
  const page = <Page names={searchParams.getAll("name")} />;
  if (pathname === "/preact/stream") return new Response(renderToReadableStream(page), html);
  return new Response(`<!doctype html>${render(page)}`, html);
}

export default {
  fetch(request: Request): Response | Promise<Response> {
    switch (new URL(request.url).pathname.split("/")[1]) {
      case "itty":
        return itty.fetch(request);
      case "elysia":
        return elysia.fetch(request);
      case "trpc":
        return fetchRequestHandler({
          endpoint: "/trpc",
          req: request,
          router,
          createContext: ({ req }) => ({ user: req.headers.get("x-user") }),
        });
      case "yoga":
        return yoga.fetch(request);
      case "preact":
        return preact(request);
      default:
        return new Response("which framework?", { status: 404 });
    }
  },
};

/** --env-file: what a file says, held against Deno's answers, and which of file and environment is the stronger. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseEnv } from "../../src/cli/env-file.ts";
import { taskHint } from "../../src/cli/tasks.ts";
import { repository, run } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("--env-file");

test("a file as Deno 2.9 reads it", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the file has them
  const [A, OUTER] = ["${A}", "${OUTER}"];
  const text = String.raw`
A=1
DUP=first
DUP=second
B="two words"
C='single $A'
D=$A-x
E=${A}y # comment
F="multi
line"
export G=7
H=
I="a\nb\t${OUTER}"
J='a\nb'
K=a#b
L=  sp  
M="v" junk
N=${"`x $A`"}
O=\$A
P="\$A"
Q="a\"b"
S = spaced
COLON: no
#T=1
  U=1
V=é
W=$DUP$none.
X={"a":1}
Y=C:\new
Z="open
2=3
X-Y=2`;
  assert.equal(parseEnv(text, { OUTER: "o" }), {
    ...{ A: "1", DUP: "first", B: "two words", C: "single $A", D: "1-x", E: "1y", F: "multi\nline", G: "7", H: "" },
    ...{ I: "a\nb\\to", J: "a\\nb", K: "a", L: "sp", M: "v", N: "x $A", O: "$A", P: "$A", Q: 'a\\"b', S: "spaced" },
    ...{ U: "1", V: "é", W: "second.", X: '{"a":1}', Y: "C:\\new", Z: '"open', 2: "3", "X-Y": "2" },
  });
});

test("the environment beats a later file, and that an earlier one; a missing one is said", async () => {
  const folder = project({
    ".env": "FIRST=above\nSLIPWAY_PORT=nonsense",
    "sub/b.env": "FIRST=b\nSECOND=b\nOWN=b",
    "sub/main.ts": `console.log(Deno.args, Deno.env.get("FIRST"), Deno.env.get("SECOND"), Deno.env.get("OWN"));`,
  });
  const slipway = [process.execPath, "--", join(repository, "src/cli/launcher.cjs")];
  const options = { cwd: join(folder, "sub"), env: { OWN: "own", SLIPWAY_PORT: "0" } };
  const flags = ["--env-file=b.env", "--env-file", "--env-file=none.env"];
  const { code, stdout, stderr } = await run([...slipway, "run", ...flags, "main.ts", "--", "--env-file"], options);
  assert.equal([code, stdout], [0, "[ '--env-file' ] above b own\n"], stderr);
  assert.match(stderr, /^--env-file: there is no none\.env here: the environment is as it was$/m);
  const refused = await run([...slipway, "compile", "main.ts", "--env-file"], options);
  assert.is(refused.code, 2);
  assert.match(refused.stderr, /^slipway: variables are not put into an executable.*\.\/app --env-file=\.env$/m);
});

test("a task of deno.json is no file, and what it stands for is said", async () => {
  const folder = project({
    "deno.json": `{"tasks":{"dev":"deno run -A --watch --env-file src/main.ts","all":{"command":"deno fmt && deno task dev"}}}`,
  });
  assert.match(
    taskHint("dev", folder) ?? "",
    /^there is no file dev, but .*: slipway run src\/main\.ts --watch --env-file$/,
  );
  assert.match(taskHint("all", folder) ?? "", /which is deno fmt && deno task dev: name the file that it runs$/);
  assert.is(taskHint("none", folder), undefined);
});

test.run();

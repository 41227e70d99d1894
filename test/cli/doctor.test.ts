// `slipway doctor` on machines that are made up, and on this one.
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../../src/cli/doctor/machine.ts";
import { examined } from "../../src/cli/doctor/mod.ts";
import { fromSource, run } from "../support/process.ts";

const GIB = 1024 ** 3;

function machine(files: Readonly<Record<string, string>>, more: Partial<Machine> = {}): Machine {
  return {
    platform: "linux",
    read: (path) => files[path],
    env: {},
    uid: 1000,
    totalMemory: 8 * GIB,
    heapLimit: 2 * GIB,
    temp: { path: "/tmp", writable: true, freeBytes: GIB },
    home: "/home/ada",
    ...more,
  };
}

const good = {
  "/proc/self/limits": "Limit  Soft Hard Units\nMax open files            65536   65536   files\n",
  "/proc/self/status": "CapEff:\t0000000000000000\nSeccomp:\t0\nCpus_allowed:\t3\n",
  "/proc/self/cgroup": "0::/app/web",
  "/sys/fs/cgroup/app/web/memory.max": "max",
  "/sys/fs/cgroup/app/memory.max": "4294967296",
  "/sys/fs/cgroup/app/web/cpu.max": "150000 100000",
  "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
  "/proc/sys/net/ipv4/ip_unprivileged_port_start": "1024",
  "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999",
  "/proc/sys/net/core/somaxconn": "4096",
};

const of = (made: Machine) => Object.fromEntries(examined(made).map((finding) => [finding.name, finding]));

test("a good machine has no warnings", () => {
  const found = of(machine(good));
  assert.equal(
    Object.values(found).filter(({ status }) => status !== "ok"),
    [],
  );
  assert.match(found.memory.says, /^the cgroup may have 4096 MiB of 8192 MiB/);
  assert.match(found.processors.says, /^1\.5 of the cgroup's quota; --parallel auto is 2$/);
  assert.match(found.ports.says, /below 1024 are refused/);
});

test("each thing that hurts is a warning with a cure", () => {
  const found = of(
    machine(
      {
        ...good,
        "/proc/self/limits": "Max open files            1024   1024   files",
        "/sys/fs/cgroup/app/memory.max": "536870912",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet",
        "/proc/sys/net/ipv4/ip_local_port_range": "60000 61000",
        "/proc/sys/net/core/somaxconn": "128",
      },
      {
        temp: { path: "/tmp", writable: false, freeBytes: 0 },
        env: { SSLKEYLOGFILE: "/secret/place", SLIPWAY_PORT: "1" },
      },
    ),
  );
  for (const name of ["descriptors", "memory", "clock", "outgoing", "backlog", "temporary", "variables"]) {
    assert.is(found[name].status, "warning", name);
    assert.ok(found[name].cure, name);
  }
  assert.match(found.memory.cure ?? "", /--max-old-space-size=384/);
  assert.not.match(JSON.stringify(found), /secret/);
});

test("a system without /proc is examined for what it has", () => {
  const found = of(machine({}, { platform: "darwin" }));
  assert.equal(Object.keys(found), ["memory", "processors", "temporary", "user", "variables"]);
});

test("this machine, on one screen and as JSON; a poller that is refused is wrong", async () => {
  const [text, json, broken] = await Promise.all([
    run([...fromSource, "doctor"], { env: { SLIPWAY_PORT: "4711", NO_COLOR: "1" } }),
    run([...fromSource, "doctor", "--json"]),
    run([...fromSource, "doctor"], { env: { SLIPWAY_POLLER: "nope", NO_COLOR: "1" } }),
  ]);
  assert.is(text.code, 0, text.stderr);
  assert.match(text.stdout, /^ok {7}slipway {6}\S+ \(a package or the sources\), node /);
  assert.match(text.stdout, /^(ok|warning) +poller +(uring|epoll)/m);
  assert.match(text.stdout, /^ok +variables +set: .*SLIPWAY_PORT/m);
  assert.not.match(text.stdout, /4711/);
  assert.ok(text.stdout.split("\n").length < 40);
  const { findings } = JSON.parse(json.stdout) as { findings: { name: string; status: string }[] };
  assert.ok(findings.some(({ name, status }) => name === "addon" && status === "ok"));
  assert.match(broken.stdout, /^wrong +poller +SLIPWAY_POLLER=nope: no such poller here/m);
  assert.is(broken.code, 1);
});

test.run();

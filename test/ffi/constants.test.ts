/** Our tables of numbers against what a program took from the systems' headers (test/support/kqueue/headers.ts). */
import { constants as host } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { darwin } from "../../ffi/constants/darwin.ts";
import { freebsd } from "../../ffi/constants/freebsd.ts";
import { linux } from "../../ffi/constants/linux.ts";
import { openbsd } from "../../ffi/constants/openbsd.ts";
import { freebsd as freebsdHeaders, darwin as macos, openbsd as openbsdHeaders } from "../support/kqueue/headers.ts";

const test = suite("constants");

/** Names of ours for what the headers call otherwise there. */
const CALLED: Readonly<Record<string, string>> = {
  IPV6_ADD_MEMBERSHIP: "IPV6_JOIN_GROUP",
  IPV6_DROP_MEMBERSHIP: "IPV6_LEAVE_GROUP",
};
/** No numbers of a header: facts of layouts, and names that the system does not have. */
const OURS = ["system", "sockaddrHasLength", "addrinfoAddressAt", "UNIX_PATH_MAX", "keventBytes", "NOTE_OOB"];
const ABSENT = ["SO_ATTACH_FILTER", "TCP_DEFER_ACCEPT", "MSG_MORE"];

for (const [table, header] of [
  [darwin, macos],
  [freebsd, freebsdHeaders],
  [openbsd, openbsdHeaders],
] as const) {
  test(`${table.system}: every number is the header's`, () => {
    const wrong: string[] = [];
    for (const [name, number] of Object.entries(table)) {
      if (OURS.includes(name) || name === "errno") continue;
      const called = table.system === "freebsd" && name === "SO_REUSEPORT" ? "SO_REUSEPORT_LB" : (CALLED[name] ?? name);
      const right = header[called];
      if (
        right === undefined
          ? number > 0 || (!ABSENT.includes(name) && name in linux && !/^SOCK_/.test(name))
          : right !== number
      )
        wrong.push(`${name} ${number}, not ${right}`);
    }
    for (const [name, number] of Object.entries(table.errno)) {
      if (header[name] !== number) wrong.push(`${name} ${number}, not ${header[name]}`);
    }
    assert.equal(wrong, []);
  });

  test(`${table.system}: it names what Linux's names, and no errno twice`, () => {
    assert.equal(Object.keys(table.errno).sort(), Object.keys(linux.errno).sort());
    assert.equal(
      Object.keys(linux).filter((name) => !(name in table)),
      [],
    );
    assert.is(new Set(Object.values(table.errno)).size, Object.keys(table.errno).length);
  });
}

test("linux: the errnos are this machine's", () => {
  for (const [name, number] of Object.entries(linux.errno)) {
    assert.is(number, (host.errno as Readonly<Record<string, number>>)[name], name);
  }
});

test.run();

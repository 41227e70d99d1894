// 15,000 connections of which 64 are busy. Each sample measures the same server
// twice: first with the 64 alone, then with the others open beside them, each of
// which has had one request answered. What they add is the column "÷ alone".
import { descriptorLimit, settled } from "../cpu.ts";
import { SMALL_REQUEST, sampleLoad } from "../load-question.ts";
import type { Question } from "../question.ts";
import plaintext from "./plaintext.ts";

/** Each end needs a descriptor, though not in one process; some are spoken for. */
const IDLE = Math.min(15_000, descriptorLimit() - 500) - 64;

const question: Question = {
  name: "crowd",
  title: `a constant text, 64 busy connections beside ${IDLE.toLocaleString("en")} that are silent`,
  unit: "CPU µs/request",
  handlers: plaintext.handlers,
  peers: ["slipway", "slipway-epoll", "node", "deno", "bun", "go", "c", "c-uring"],
  extra: [
    { key: "alone", label: "alone", digits: 2 },
    { key: "ratio", label: "÷ alone", digits: 2 },
    { key: "busy", label: "busy %", digits: 0 },
    { key: "p99", label: "p99 µs", digits: 0 },
  ],
  warm: (subject, settings) => sampleLoad("crowd", subject, settings, { request: SMALL_REQUEST }),
  async measure(subject, settings) {
    const alone = await sampleLoad("crowd", subject, settings, { request: SMALL_REQUEST });
    const idle = settings.quick ? Math.min(IDLE, 4000) : IDLE;
    const beside = await sampleLoad("crowd", subject, settings, { request: SMALL_REQUEST, idle });
    // The end of so many connections is work as well, and would be done while the next peer is measured.
    if (subject.server) await settled(subject.server.pids);
    return { ...beside, extra: { ...beside.extra, alone: alone.value, ratio: beside.value / alone.value } };
  },
};
export default question;

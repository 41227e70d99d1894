// @ts-nocheck: written for Deno, whose types are not installed here.
enum Twice {
  Factor = 2,
}

self.onmessage = ({ data }: MessageEvent<number>) => self.postMessage(data * Twice.Factor);

export {};

// @ts-nocheck: written for Deno, whose types are not installed here.
self.onmessage = ({ data }: MessageEvent<string>) => {
  self.postMessage(`${data} ${self.name}`);
  self.close();
};

export {};

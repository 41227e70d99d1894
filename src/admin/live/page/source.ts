/** The events of the server, whatever becomes of it: EventSource tries again by itself unless it is refused; then we do. */
import type { Snapshot } from "../snapshot.ts";

const AGAIN_MS = 2000;
/** The server says something every second. A machine that vanished sends no end. */
const SILENT_MS = 6000;

export interface SourceEvents {
  snapshot(snapshot: Snapshot): void;
  lost(): void;
}

export function listen({ snapshot, lost }: SourceEvents): void {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    const source = new EventSource("/live");
    const again = (ms: number): void => {
      clearTimeout(silence);
      source.close();
      setTimeout(open, ms);
    };
    const watch = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        lost();
        again(0);
      }, SILENT_MS);
    };
    source.onopen = watch;
    source.onmessage = ({ data }: MessageEvent<string>) => {
      watch();
      snapshot(JSON.parse(data));
    };
    source.onerror = () => {
      lost();
      clearTimeout(silence);
      if (source.readyState === EventSource.CLOSED) again(AGAIN_MS);
    };
  };
  open();
}

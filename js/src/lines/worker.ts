/** The worker's own side: draws what the pages' painters send, and listens between two steps. */
import { type Job, Jobs } from "./jobs.ts";

/** What painters send: a picture to draw, or the painter whose picture is no longer wanted. */
export type Order = Job | { readonly painter: number };

const STEP_MS = 20;

interface Scope {
  onmessage: (event: { readonly data: Order }) => void;
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
}

/** Makes the worker that calls it listen. */
export function serve(): void {
  const scope = globalThis as unknown as Scope;
  const jobs = new Jobs((drawn) => scope.postMessage(drawn, [drawn.raster.data.buffer]));
  let busy = false;

  const proceed = () => {
    busy = jobs.step(STEP_MS);
    if (busy) setTimeout(proceed);
  };

  scope.onmessage = ({ data }) => {
    if ("scene" in data) jobs.add(data);
    else jobs.drop(data.painter);
    if (busy) return;
    busy = true;
    setTimeout(proceed);
  };
  scope.postMessage("ready");
}

/** What a view starts, it ends: listeners, frames, timers and clean-ups on one abort signal. */

export interface Lifetime {
  /** Aborted when the lifetime ends. */
  readonly signal: AbortSignal;
  /** Runs `callback` before the next paint. */
  frame(callback: (time: number) => void): void;
  /** Runs `callback` after `ms` milliseconds; the function returned cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** Runs `cleanup` when the lifetime ends, at once if it has. */
  onEnd(cleanup: () => void): void;
  /** Ends the lifetime. Later calls do nothing. */
  end(): void;
}

/** Starts a lifetime that ends with `parent`, or by `end()`, whichever comes first. */
export function createLifetime(parent?: AbortSignal): Lifetime {
  const controller = new AbortController();
  const { signal } = controller;
  const pending = new Set<() => void>();

  const end = () => controller.abort();
  if (parent?.aborted) end();
  else parent?.addEventListener("abort", end, { signal });

  const onEnd = (cleanup: () => void) => {
    if (signal.aborted) cleanup();
    else signal.addEventListener("abort", cleanup, { once: true });
  };
  onEnd(() => {
    for (const cancel of pending) cancel();
    pending.clear();
  });

  return {
    signal,
    frame(callback) {
      if (signal.aborted) return;
      const id = requestAnimationFrame((time) => {
        pending.delete(cancel);
        callback(time);
      });
      const cancel = () => cancelAnimationFrame(id);
      pending.add(cancel);
    },
    after(ms, callback) {
      if (signal.aborted) return () => {};
      const id = setTimeout(() => {
        pending.delete(cancel);
        callback();
      }, ms);
      const cancel = () => clearTimeout(id);
      pending.add(cancel);
      return () => {
        pending.delete(cancel);
        cancel();
      };
    },
    onEnd,
    end,
  };
}

/** Makes a function that runs `callback` once before the next paint, however often it is called. */
export function oncePerFrame(lifetime: Lifetime, callback: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    lifetime.frame(() => {
      waiting = false;
      callback();
    });
  };
}

/** Makes a function that runs `callback` once it has not been called for `ms` milliseconds. */
export function whenCalm(lifetime: Lifetime, callback: () => void, ms = 150): () => void {
  let cancel = () => {};
  return () => {
    cancel();
    cancel = lifetime.after(ms, callback);
  };
}

/** Listens to `type` on `target` until `signal` aborts. */
export function on<K extends keyof HTMLElementEventMap>(
  target: HTMLElement,
  type: K,
  listener: (event: HTMLElementEventMap[K]) => void,
  signal: AbortSignal,
  options?: Omit<AddEventListenerOptions, "signal">,
): void;
export function on<E extends Event>(
  target: EventTarget,
  type: string,
  listener: (event: E) => void,
  signal: AbortSignal,
  options?: Omit<AddEventListenerOptions, "signal">,
): void;
export function on(
  target: EventTarget,
  type: string,
  listener: (event: never) => void,
  signal: AbortSignal,
  options: Omit<AddEventListenerOptions, "signal"> = {},
): void {
  target.addEventListener(type, listener as (event: Event) => void, { ...options, signal });
}

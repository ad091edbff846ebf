/**
 * Requests to the kernel. Each settles exactly once: by its reply, an error, a time-out or an abort;
 * a reply that comes later is dropped. Names and limits are those of `attn_widget/protocol.py`.
 */

import { type Decoded, decode, type Packed } from "./codec.ts";
import type { Model } from "./model.ts";

export const VERSION = 1;
export const WHOLE_BYTES = 2 * 1024 * 1024;
export const LAYER_BYTES = 3_500_000;
export const ROWS_BYTES = 1024 * 1024;
export const MESSAGE_BYTES = 4_000_000;
export const FOCUS_ABOVE = 200;
export const EDGES_LIMIT = 20_000;
export const EDGES_CELLS = 32 * 1024 * 1024;

const TIME_OUT_MS = 10_000;

export interface Reply {
  readonly revision: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly arrays: Readonly<Record<string, Decoded>>;
}

interface Pending {
  resolve(reply: Reply): void;
  reject(error: Error): void;
  progress(share: number): void;
}

export interface Asking {
  readonly reply: Promise<Reply>;
  /** Tell the kernel to stop; the reply fails with `Superseded`. */
  cancel(): void;
}

/** Something else was asked for meanwhile. */
export class Superseded extends Error {}

/** The kernel did not answer, as in a saved notebook. */
export class NoKernel extends Error {}

export class Requests {
  readonly #model: Model;
  readonly #signal: AbortSignal;
  readonly #pending = new Map<string, Pending>();
  // Two pages may share a kernel; crypto.randomUUID needs https, which many Hubs lack.
  readonly #prefix = Math.random().toString(36).slice(2, 8);
  #count = 0;

  constructor(model: Model, signal: AbortSignal) {
    this.#model = model;
    this.#signal = signal;
    model.onMessage((content, buffers) => this.#receive(content, buffers), signal);
    signal.addEventListener("abort", () => {
      for (const pending of [...this.#pending.values()]) pending.reject(new NoKernel("closed"));
    });
  }

  /** @param onProgress - hears of the share done, 0..1, of a long answer. */
  ask(kind: string, fields: Record<string, unknown>, onProgress = (_share: number) => {}): Asking {
    const id = `${this.#prefix}-${this.#count++}`;
    let cancel = () => {};
    const reply = new Promise<Reply>((resolve, reject) => {
      if (this.#signal.aborted) throw new NoKernel("closed");
      if (!this.#model.canSend) throw new NoKernel("this page has no kernel");
      let timer: ReturnType<typeof setTimeout>;
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => pending.reject(new NoKernel("the kernel does not answer")), TIME_OUT_MS);
      };
      const settle = () => {
        clearTimeout(timer);
        this.#pending.delete(id);
      };
      const pending: Pending = {
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        // A kernel that tells how far it is will answer.
        progress: (share) => {
          wait();
          onProgress(share);
        },
      };
      wait();
      this.#pending.set(id, pending);
      cancel = () => {
        if (!this.#pending.has(id)) return;
        this.#model.send({ v: VERSION, id, kind: "cancel" });
        pending.reject(new Superseded("superseded"));
      };
      if (!this.#model.send({ v: VERSION, id, kind, ...fields })) {
        pending.reject(new NoKernel("the connection to the kernel is closed"));
      }
    });
    return { reply, cancel: () => cancel() };
  }

  #receive(content: unknown, buffers: readonly unknown[]): void {
    if (typeof content !== "object" || content === null) return;
    const message = content as Record<string, unknown>;
    const pending = this.#pending.get(String(message.id));
    if (!pending) return;
    if (typeof message.progress === "number") {
      pending.progress(message.progress);
      return;
    }
    if (message.ok !== true) {
      pending.reject(new Error(String(message.error ?? "the kernel refused the request")));
      return;
    }
    try {
      const described = (message.arrays ?? {}) as Record<string, Omit<Packed, "data">>;
      const packed = Object.entries(described).map(
        ([name, { dtype, shape }], index) => [name, { dtype, shape, data: buffers[index] }] as const,
      );
      const arrays = decodeAll(Object.fromEntries(packed));
      pending.resolve({ revision: Number(message.revision), fields: message, arrays });
    } catch (error) {
      pending.reject(new Error(messageOf(error)));
    }
  }
}

export const decodeAll = (packed: Readonly<Record<string, Packed>>): Record<string, Decoded> =>
  Object.fromEntries(Object.entries(packed).map(([name, array]) => [name, decode(array)]));

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

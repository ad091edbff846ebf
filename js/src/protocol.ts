/**
 * Requests to the kernel. Each settles exactly once: by its reply, an error, a time-out or an abort;
 * a reply that comes later is dropped. Names and limits are those of `attn_widget/protocol.py`.
 */

import { type Decoded, decode } from "./codec.ts";
import type { Model } from "./model.ts";

export const VERSION = 1;
export const WHOLE_BYTES = 2 * 1024 * 1024;
export const LAYER_BYTES = 3_500_000;
export const ROWS_BYTES = 1024 * 1024;
export const MESSAGE_BYTES = 4_000_000;
export const FOCUS_ABOVE = 200;
export const EDGES_LIMIT = 20_000;

const TIME_OUT_MS = 10_000;

export interface Reply {
  readonly revision: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly arrays: Readonly<Record<string, Decoded>>;
}

interface Pending {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

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

  ask(kind: string, fields: Record<string, unknown>): Promise<Reply> {
    if (this.#signal.aborted) return Promise.reject(new NoKernel("closed"));
    if (!this.#model.canSend) return Promise.reject(new NoKernel("this page has no kernel"));
    const id = `${this.#prefix}-${this.#count++}`;
    return new Promise<Reply>((resolve, reject) => {
      const timer = setTimeout(() => {
        pending.reject(new NoKernel("the kernel does not answer"));
      }, TIME_OUT_MS);
      const settle = () => {
        clearTimeout(timer);
        this.#pending.delete(id);
      };
      const pending: Pending = {
        resolve: (reply) => {
          settle();
          resolve(reply);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#pending.set(id, pending);
      if (!this.#model.send({ v: VERSION, id, kind, ...fields })) {
        pending.reject(new NoKernel("the connection to the kernel is closed"));
      }
    });
  }

  #receive(content: unknown, buffers: readonly unknown[]): void {
    if (typeof content !== "object" || content === null) return;
    const message = content as Record<string, unknown>;
    const pending = this.#pending.get(String(message.id));
    if (!pending) return;
    if (message.ok !== true) {
      pending.reject(new Error(String(message.error ?? "the kernel refused the request")));
      return;
    }
    try {
      const described = (message.arrays ?? {}) as Record<string, { dtype: string; shape: number[] }>;
      const arrays: Record<string, Decoded> = {};
      Object.entries(described).forEach(([name, { dtype, shape }], index) => {
        arrays[name] = decode({ dtype, shape, data: buffers[index] });
      });
      pending.resolve({ revision: Number(message.revision), fields: message, arrays });
    } catch (error) {
      pending.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/**
 * Parts of maps too large to be in the page, asked of the kernel. What is on screen comes as a trait
 * ("held"), so that reload, second view, saved notebook and exports keep it; what was asked for beside
 * is remembered until room is needed, what was used longest ago going first.
 */

import type { Packed } from "./codec.ts";
import type { DataName, Model } from "./model.ts";
import { decodeAll, messageOf, NoKernel, type Reply, type Requests, Superseded } from "./protocol.ts";

export type Kind = "thumbnails" | "region" | "edges" | "rows" | "mechanism";
export type Fields = Readonly<Record<string, unknown>>;

const HELD: readonly Kind[] = ["thumbnails", "region", "edges", "rows", "mechanism"];
const MEMORY_BYTES = 64 * 1024 * 1024;
/** A part that did not come is not asked for again at once: every picture without it would ask. */
const RETRY_MS = 5_000;
/** Shorter waits show no progress. */
const PATIENCE_MS = 300;

interface Held {
  readonly revision: number;
  readonly request: Fields;
  readonly arrays: Readonly<Record<string, Packed>>;
  readonly [field: string]: unknown;
}

interface Wanted {
  readonly key: string;
  readonly kind: Kind;
  readonly fields: Fields;
}

/** One thing on screen: it has one request under way, and forgets all others but the last. */
interface Slot {
  asked: Wanted | undefined;
  next: Wanted | undefined;
  progress: number | undefined;
  failure: { readonly key: string; readonly why: string; readonly at: number } | undefined;
  cancel: () => void;
}

export class Slices {
  readonly #model: Model;
  readonly #requests: Requests;
  readonly #changed: () => void;
  readonly #memory: number;
  readonly #replies = new Map<string, Reply>();
  readonly #held = new Map<Kind, { readonly trait: unknown; readonly key: string; readonly reply: Reply }>();
  readonly #slots = new Map<string, Slot>();
  readonly #arrivals = new Set<() => void>();
  #revision = -1;
  #bytes = 0;

  /** @param changed - called when a part has come, failed to come, or tells how far it is. */
  constructor(model: Model, requests: Requests, changed: () => void, memory = MEMORY_BYTES) {
    this.#model = model;
    this.#requests = requests;
    this.#changed = changed;
    this.#memory = memory;
  }

  /** What the kernel said to exactly this request, if it is here. */
  get(kind: Kind, fields: Fields): Reply | undefined {
    const key = keyOf(kind, fields);
    const held = this.#held.get(kind);
    if (held?.key === key) return held.reply;
    const reply = this.#replies.get(key);
    if (reply) {
      this.#replies.delete(key);
      this.#replies.set(key, reply);
    }
    return reply;
  }

  /** What came last as a trait: all there is of a kind in a page without a kernel. */
  held(kind: Kind): Reply | undefined {
    return this.#held.get(kind)?.reply;
  }

  /** Ask for a part unless it is here or on its way; what the slot asked for before is given up. */
  want(slotName: string, kind: Kind, fields: Fields, { hold = false } = {}): void {
    const slot = this.#slot(slotName);
    const key = keyOf(kind, fields);
    if (slot.asked?.key === key) {
      slot.next = undefined;
      return;
    }
    const { failure } = slot;
    if (failure?.key === key && Date.now() - failure.at < RETRY_MS) return;
    const here = this.get(kind, fields);
    // What is on screen is to be held, also where it is remembered from before.
    if (here && (!hold || here === this.held(kind) || !this.#model.canSend)) {
      slot.next = undefined;
      slot.failure = undefined;
      if (slot.progress !== undefined) slot.cancel();
      return;
    }
    slot.next = { key, kind, fields: hold ? { ...fields, hold } : fields };
    // A short answer is on its way already: stopping it would save nothing.
    if (!slot.asked) void this.#ask(slot);
    else if (slot.progress !== undefined) slot.cancel();
  }

  /** Share of a long answer that is done, 0..1; undefined where nothing takes long. */
  progress(slot: string): number | undefined {
    return this.#slots.get(slot)?.progress;
  }

  /** Why what the slot asked for did not come. */
  failure(slot: string): string | undefined {
    return this.#slots.get(slot)?.failure?.why;
  }

  /** Follow the traits; `revision` is that of the map shown. */
  update(revision: number): void {
    if (revision !== this.#revision) {
      this.#revision = revision;
      this.#replies.clear();
      this.#held.clear();
      this.#bytes = 0;
      for (const slot of this.#slots.values()) {
        slot.next = undefined;
        slot.failure = undefined;
        slot.cancel();
      }
    }
    for (const kind of HELD) {
      const trait = this.#model.data(`_${kind}` as DataName) as Held | undefined;
      if (!trait?.arrays || trait.revision !== revision || this.#held.get(kind)?.trait === trait) continue;
      const reply = { revision, fields: trait, arrays: decodeAll(trait.arrays) };
      this.#held.set(kind, { trait, key: keyOf(kind, trait.request), reply });
    }
    for (const look of [...this.#arrivals]) look();
  }

  #slot(name: string): Slot {
    let slot = this.#slots.get(name);
    if (!slot) {
      slot = {
        asked: undefined,
        next: undefined,
        progress: undefined,
        failure: undefined,
        cancel: () => {},
      };
      this.#slots.set(name, slot);
    }
    return slot;
  }

  async #ask(slot: Slot): Promise<void> {
    for (let wanted = slot.next; wanted; wanted = slot.next) {
      slot.asked = wanted;
      slot.next = undefined;
      slot.failure = undefined;
      const patience = setTimeout(() => this.#tell(slot, 0), PATIENCE_MS);
      const { reply, cancel } = this.#requests.ask(wanted.kind, wanted.fields, (share) => {
        if (slot.next) cancel();
        else if (slot.progress !== undefined) this.#tell(slot, share);
      });
      slot.cancel = cancel;
      try {
        this.#keep(wanted, await reply);
        if ((await reply).fields.held) await this.#arrival(wanted);
      } catch (error) {
        if (!(error instanceof Superseded)) {
          slot.failure = { key: wanted.key, why: whyOf(error), at: Date.now() };
        }
      }
      clearTimeout(patience);
      slot.asked = undefined;
      slot.progress = undefined;
      slot.cancel = () => {};
      this.#changed();
    }
  }

  /** Hosts may deliver the trait after the reply that was sent after it. */
  #arrival({ kind, key }: Wanted): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#arrivals.delete(look);
        reject(new Error("the kernel's answer did not reach this page"));
      }, RETRY_MS);
      const look = () => {
        if (this.#held.get(kind)?.key !== key) return;
        clearTimeout(late);
        this.#arrivals.delete(look);
        resolve();
      };
      this.#arrivals.add(look);
      look();
    });
  }

  #tell(slot: Slot, share: number): void {
    slot.progress = share;
    this.#changed();
  }

  #keep({ key }: Wanted, reply: Reply): void {
    // Held parts come as a trait.
    if (reply.revision !== this.#revision || reply.fields.held) return;
    this.#replies.set(key, reply);
    this.#bytes += bytesOf(reply);
    for (const [oldest, held] of this.#replies) {
      if (this.#bytes <= this.#memory || held === reply) break;
      this.#replies.delete(oldest);
      this.#bytes -= bytesOf(held);
    }
  }
}

/** The same for the same request, in whatever order its fields were written. */
const keyOf = (kind: Kind, fields: Fields): string =>
  JSON.stringify([
    kind,
    ...Object.entries(fields)
      .filter(([name, value]) => name !== "hold" && value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);

const bytesOf = ({ arrays }: Reply): number =>
  Object.values(arrays).reduce((sum, { values }) => sum + values.byteLength, 0);

const whyOf = (error: unknown): string =>
  error instanceof NoKernel
    ? "This part of the map is not stored in the page and needs a running kernel."
    : messageOf(error);

/**
 * The state that Python and the page share, typed. Everything below this file reads `State` and
 * calls `change`; it never sees the host.
 */

/** Names are those of the traits of `AttentionWidget`. */
export interface State {
  view: "lines" | "matrix" | "heads" | "overlay" | "mechanism";
  /** A second view, at the side of the first. */
  beside: State["view"] | null;
  map: string;
  step: number;
  /** The name of a method applied to it; null shows it as it is. */
  method: string | null;
  layer: number;
  /** `[]` means all heads, null none. */
  heads: readonly number[] | null;
  combine: "each" | "mean" | "max";
  direction: "attends_to" | "attended_by";
  pinned_queries: readonly number[];
  pinned_keys: readonly number[];
  mass: number;
  threshold: number;
  top_k: number | null;
  special: "show" | "hide" | "renormalise";
  /** Keys treated like special tokens. */
  aside: readonly number[];
  words: boolean;
  links: readonly (readonly [query: number, key: number])[];
  whole: boolean | null;
  orientation: "vertical" | "horizontal";
  scale: "absolute" | "row" | "sqrt" | "log" | "times_uniform";
  /** How the matrix pools weights into cells smaller than a pixel. */
  pool: "max" | "mean";
  colormap: "auto" | "viridis" | "cividis" | "grey" | "inferno";
  /** Of the strongest weight on an image, 0..1. */
  opacity: number;
  interpolation: "nearest" | "bilinear";
  /** How weights show on an image. */
  paint: "heat" | "dim" | "contours" | "outline";
  /** Shares of the weight on the image that contours and outlines enclose. */
  contours: readonly number[];
  /** The part the matrix shows, in tokens: [first query, last query + 1, first key, last key + 1]. */
  window: readonly number[] | null;
  sort:
    | "layer"
    | "entropy"
    | "confidence"
    | "sink"
    | "distance"
    | "previous"
    | "next"
    | "induction"
    | "special"
    | "image";
  /** The heads view shows only such heads in full. */
  pattern: "previous" | "next" | "sink" | "uniform" | "sharp" | "induction" | null;
  /** Whether notes say where the map must be read with care. */
  notes: boolean;
  /** Kinds of notes no longer shown. */
  dismissed: readonly string[];
  theme: "auto" | "light" | "dark";
  height: number | null;
  observe_hover: boolean;
}

export type StateName = keyof State;

const DEFAULTS: State = {
  view: "lines",
  beside: null,
  map: "",
  step: 0,
  method: null,
  layer: 0,
  heads: [],
  combine: "each",
  direction: "attends_to",
  pinned_queries: [],
  pinned_keys: [],
  mass: 1,
  threshold: 0,
  top_k: null,
  special: "show",
  aside: [],
  words: false,
  links: [],
  whole: null,
  orientation: "vertical",
  scale: "absolute",
  pool: "max",
  colormap: "auto",
  opacity: 0.8,
  interpolation: "nearest",
  paint: "heat",
  contours: [0.5, 0.9],
  window: null,
  sort: "layer",
  pattern: null,
  notes: true,
  dismissed: [],
  theme: "auto",
  height: null,
  observe_hover: false,
};

const NAMES = Object.keys(DEFAULTS) as StateName[];

/** What Python sends of the maps: see `widget.py`. */
export const DATA = [
  "_content",
  "_block",
  "_images",
  "_thumbnails",
  "_region",
  "_edges",
  "_rows",
  "_mechanism",
  "_notes",
  "_masks",
] as const;
export type DataName = (typeof DATA)[number];

/** What the page needs of a host; each host lacks something. */
export interface Host {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
  send?(content: unknown): void;
}

type Listener = (changed: ReadonlySet<StateName>) => void;

/** Writes wait this long for more of their kind, so that dragging a slider isn't a message a pixel. */
const SAVE_DELAY_MS = 60;

/** One model's shared state. `data` traits come through untouched, as the host delivers them. */
export class Model {
  readonly #host: Host;
  readonly #listeners = new Set<Listener>();
  readonly #dataListeners = new Set<() => void>();
  #state: State;
  #unsaved = false;
  #writing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: Host, signal: AbortSignal) {
    this.#host = host;
    this.#state = this.#read();
    const refresh = () => this.#refresh();
    const dataChanged = () => {
      for (const listener of [...this.#dataListeners]) listener();
    };
    const events: [string, () => void][] = [
      ...NAMES.map((name): [string, () => void] => [`change:${name}`, refresh]),
      ...DATA.map((name): [string, () => void] => [`change:${name}`, dataChanged]),
    ];
    for (const [event, callback] of events) host.on(event, callback);
    signal.addEventListener("abort", () => {
      for (const [event, callback] of events) host.off(event, callback);
      this.#save();
      this.#listeners.clear();
      this.#dataListeners.clear();
    });
  }

  get state(): Readonly<State> {
    return this.#state;
  }

  data(name: DataName): unknown {
    return this.#host.get(name);
  }

  /** Apply a change here at once and tell Python shortly after. */
  change(change: Partial<State>): void {
    const changed = this.#merge(change);
    if (changed.size === 0) return;
    // Hosts announce each value as it is set, when the ones to come are still the old ones.
    this.#writing = true;
    try {
      for (const name of changed) this.#host.set(name, this.#state[name]);
    } finally {
      this.#writing = false;
    }
    this.#unsaved = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), SAVE_DELAY_MS);
    this.#notify(changed);
  }

  subscribe(listener: Listener, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  onData(listener: () => void, signal: AbortSignal): void {
    this.#dataListeners.add(listener);
    signal.addEventListener("abort", () => this.#dataListeners.delete(listener));
  }

  get canSend(): boolean {
    return typeof this.#host.send === "function";
  }

  /** Returns false where there is no kernel to send to, or none any more. */
  send(content: unknown): boolean {
    return this.canSend && attempt(() => this.#host.send?.(content));
  }

  onMessage(listener: (content: unknown, buffers: readonly unknown[]) => void, signal: AbortSignal): void {
    const callback = (content: unknown, buffers?: readonly unknown[]) => listener(content, buffers ?? []);
    this.#host.on("msg:custom", callback);
    signal.addEventListener("abort", () => this.#host.off("msg:custom", callback));
  }

  /** Hosts pass different arguments with a change, or none, and some fire without one: read again. */
  #refresh(): void {
    if (this.#writing) return;
    const changed = this.#merge(this.#read());
    if (changed.size > 0) this.#notify(changed);
  }

  #read(): State {
    const state: Record<string, unknown> = {};
    for (const name of NAMES) {
      const value = this.#host.get(name);
      state[name] = value === undefined ? DEFAULTS[name] : value;
    }
    return state as unknown as State;
  }

  #merge(change: Partial<State>): Set<StateName> {
    const changed = new Set<StateName>();
    for (const name of Object.keys(change) as StateName[]) {
      if (JSON.stringify(this.#state[name]) !== JSON.stringify(change[name])) changed.add(name);
    }
    if (changed.size > 0) this.#state = { ...this.#state, ...change };
    return changed;
  }

  #notify(changed: ReadonlySet<StateName>): void {
    for (const listener of [...this.#listeners]) listener(changed);
  }

  #save(): void {
    clearTimeout(this.#timer);
    if (!this.#unsaved) return;
    this.#unsaved = false;
    attempt(() => this.#host.save_changes());
  }
}

/** Some hosts throw, others reject, where the connection to the kernel is closed; the page goes on. */
function attempt(action: () => unknown): boolean {
  try {
    const result = action();
    if (result instanceof Promise) result.catch(() => {});
    return true;
  } catch {
    return false;
  }
}

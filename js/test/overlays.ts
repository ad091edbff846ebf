/** Maps with patches, for tests of the overlay. */
import { plain } from "../src/lines/reading.ts";
import { Model, type State } from "../src/model.ts";
import { type Focus, type Shown, Source } from "../src/overlay/source.ts";
import { tell } from "../src/overlay/telling.ts";
import { Store, type Weights } from "../src/store.ts";
import { attention, FakeHost, type HostKind, mapTraits } from "./fakes.ts";

const IMAGES = { photo: { width: 40, height: 40 } };

/** "[CLS]" and `rows` × `cols` patches that reach `beside` pixels beyond the image on the right. */
export function patches(rows: number, cols: number, beside = 0, image: string | null = "photo") {
  const labels = Array.from({ length: rows * cols }, (_, at) => {
    return `row ${1 + Math.floor(at / cols)}, column ${1 + (at % cols)}`;
  });
  const region = [0, 0, 40 + beside, 40];
  const part = { kind: "patches", start: 1, stop: 1 + rows * cols, image, rows, cols, region, order: null };
  return { labels: ["[CLS]", ...labels], special: [0], parts: [part] };
}

export interface Made {
  readonly weights: Weights;
  readonly queries?: object;
  readonly keys?: object | null;
  readonly state?: Partial<State>;
  /** False: the kernel keeps the weights until it is asked. */
  readonly here?: boolean;
  readonly kind?: string;
  readonly host?: HostKind;
}

export function make({ weights, queries, keys, state = {}, here = true, kind = "weight", host: of }: Made) {
  const { _content, _block } = mapTraits({ layers: [weights], kind });
  const content = _content as Record<string, object | null>;
  const axis = (side: "queries" | "keys", more: object | null | undefined) =>
    more === null ? null : { ...content[side], ...more };
  Object.assign(content, {
    queries: axis("queries", queries),
    keys: axis("keys", keys),
    images: IMAGES,
  });
  const host = new FakeHost({ _content, ...(here ? { _block } : {}), ...state }, of);
  const { signal } = new AbortController();
  const model = new Model(host, signal);
  const store = new Store(model, signal);
  const source = new Source(model, store);
  const said = (hover: Focus | null = null) => plain(tell(source, model.state, source.focus(hover)));
  return { host, model, store, source, said };
}

export const query = (...positions: number[]): Focus => ({ side: "query", positions });
export const key = (...positions: number[]): Focus => ({ side: "key", positions });
export const rowOf = ({ queries, keys, values }: Weights, head: number, at: number): Float32Array =>
  values.slice((head * queries + at) * keys, (head * queries + at + 1) * keys);
export const rowsIn = (shown: Shown | undefined): readonly Float32Array[] => shown?.rows ?? [];

/** A class token and 3 × 3 patches that attend to each other. */
export const vision = (more: Partial<Made> = {}) =>
  make({ weights: attention(2, 10, 10), queries: patches(3, 3), keys: null, ...more });

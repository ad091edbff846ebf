/** A small translation: six words and seven, three heads, two layers of random weights. */
import { attention, mapTraits } from "../fakes.ts";

export const QUERIES = ["I", "see", "my", "beautiful", "cat", "."];
export const KEYS = ["je", "vois", "mon", "beau", "chat", ".", "</s>"];
export const LAYERS = [attention(3, 6, 7, 1), attention(3, 6, 7, 2)];

export const traits = (more: Record<string, unknown> = {}) => ({
  ...mapTraits({ layers: LAYERS, queries: { labels: QUERIES }, keys: { labels: KEYS, special: [6] } }),
  map: "attention",
  layer: 0,
  heads: [],
  pinned_queries: [],
  pinned_keys: [],
  ...more,
});

/** The strongest key of a query over the heads of a layer, as the readout has it. */
export function strongest(query: number, layer = 0): string {
  const { heads, keys, values, queries } = LAYERS[layer] as (typeof LAYERS)[0];
  let [best, at] = [-1, 0];
  for (let head = 0; head < heads; head++) {
    for (let key = 0; key < keys; key++) {
      const weight = values[(head * queries + query) * keys + key] as number;
      if (weight > best) [best, at] = [weight, key];
    }
  }
  return KEYS[at] as string;
}

/** What is said of numbers of each kind. Python's `kinds.py` says the same; `tests/wire/kinds.json` holds both to it. */

import type { Kind } from "../content.ts";

/** What one query does to keys, what several do, and likewise keys to queries. */
const VERBS: Readonly<Record<Kind, readonly [query: string, queries: string, key: string, keys: string]>> = {
  weight: ["attends to", "attend to", "is attended by", "are attended by"],
  score: ["scores", "score", "is scored by", "are scored by"],
  relevance: ["draws on", "draw on", "is drawn on by", "are drawn on by"],
  norm: ["receives from", "receive from", "gives to", "give to"],
  difference: ["towards", "towards", "from", "from"],
};

/** What some queries do to keys, or keys to queries: "attends to". */
export const verb = (kind: Kind, side: "query" | "key", count = 1): string =>
  VERBS[kind][(side === "query" ? 0 : 2) + (count === 1 ? 0 : 1)] as string;

/** Whether numbers may be added up: shares of a whole, and changes of them. */
export const adds = (kind: Kind): boolean => kind !== "score" && kind !== "norm";

/** The numbers of the overlay, the same in Python and in the page; see `tests/wire/places.py`. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { combineHeads } from "../src/lines/edges.ts";
import { Model, type State } from "../src/model.ts";
import { accountOf, receivedOf, shareOf, sinksOf } from "../src/overlay/account.ts";
import type { Role } from "../src/overlay/panels.ts";
import { Source } from "../src/overlay/source.ts";
import { type Side, Store, type Weights } from "../src/store.ts";
import { FakeHost, mapTraits, random, tokens } from "./fakes.ts";

type Wire = number | string | null;

interface Case {
  readonly name: string;
  readonly shape: [heads: number, queries: number, keys: number];
  readonly weights: readonly unknown[];
  readonly query_special: readonly number[];
  readonly key_special: readonly number[];
  readonly roles: readonly Role[];
  readonly labels: readonly string[];
  readonly key_roles: readonly Role[];
  readonly side: Side;
  readonly positions: readonly number[];
  readonly combine: State["combine"];
  readonly special: State["special"];
  readonly aside: readonly number[];
  readonly expected: {
    readonly painted: readonly Wire[][];
    readonly apart: readonly number[];
    readonly account: {
      readonly shares: readonly { name: string; role: Role; share: number; aside: boolean }[];
      readonly total: number;
      readonly set_aside: number;
      readonly strongest: number;
      readonly half: number;
      readonly of: number;
    };
    readonly received: readonly Wire[];
    readonly sinks: readonly number[];
    readonly sinks_share: number | null;
  };
}

const cases = JSON.parse(
  readFileSync(new URL("../../tests/wire/account.json", import.meta.url), "utf8"),
) as Case[];

const floats = (values: readonly Wire[]): number[] =>
  values.map((value) => (value === null ? NaN : Number(value)));

function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(got.length).toBe(expected.length);
  for (let at = 0; at < expected.length; at++) {
    const [mine, theirs] = [got[at] as number, expected[at] as number];
    if (!Object.is(mine, theirs) && mine !== theirs) expect(mine, `at ${at}`).toBeCloseTo(theirs, 6);
  }
}

function sourceOf(one: Case, special: State["special"]): Source {
  const [heads, queries, keys] = one.shape;
  const values = Float32Array.from(floats(one.weights.flat(Infinity) as Wire[]));
  const weights: Weights = { heads, queries, keys, values };
  const axis = (count: number, positions: readonly number[]) => ({ ...tokens(count), special: positions });
  const host = new FakeHost({
    ...mapTraits({
      layers: [weights],
      queries: axis(queries, one.query_special),
      keys: axis(keys, one.key_special),
    }),
    combine: one.combine,
    special,
    aside: one.aside,
  });
  const { signal } = new AbortController();
  const model = new Model(host, signal);
  return new Source(model, new Store(model, signal));
}

describe.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
  const focus = { side: one.side, positions: one.positions };
  const source = sourceOf(one, one.special);
  const shown = source.shown(focus);
  const mean = (rows: readonly Float32Array[]) => {
    const [{ length = 0 } = {}] = rows;
    const values = Float32Array.from(rows.flatMap((row) => [...row]));
    const weights = { heads: rows.length, queries: 1, keys: length, values };
    return combineHeads(weights, [...rows.keys()], "mean").values;
  };

  it("paints Python's weights", () => {
    expect(shown?.rows).toHaveLength(one.expected.painted.length);
    one.expected.painted.forEach((row, head) => {
      expectClose(shown?.rows[head] ?? [], floats(row));
    });
    expect([...source.apart[one.side === "query" ? "key" : "query"]]).toEqual(one.expected.apart);
  });

  it("accounts for them as Python does", () => {
    const before = mean(sourceOf(one, "show").shown(focus)?.rows ?? []);
    const apart = new Set(one.expected.apart);
    const account = accountOf(before, mean(shown?.rows ?? []), one.roles, one.labels, apart);
    const { shares, total, set_aside, ...rest } = one.expected.account;
    expect(account).toMatchObject(rest);
    expect(account.shares.map(({ share: _share, ...group }) => group)).toEqual(
      shares.map(({ share: _share, ...group }) => group),
    );
    expectClose(
      account.shares.map(({ share }) => share),
      shares.map(({ share }) => share),
    );
    expectClose([account.total, account.setAside], [total, set_aside]);
  });

  it("finds Python's sinks", () => {
    const [heads, queries, keys] = one.shape;
    const values = Float32Array.from(floats(one.weights.flat(Infinity) as Wire[]));
    const weights = combineHeads({ heads, queries, keys, values }, [...Array(heads).keys()], one.combine);
    const received = receivedOf(weights);
    expectClose(received, floats(one.expected.received));
    expect(sinksOf(received, one.key_roles, one.shape[1])).toEqual(one.expected.sinks);
    if (one.expected.sinks_share === null) return;
    const before = mean(sourceOf(one, "show").shown(focus)?.rows ?? []);
    expectClose([shareOf(before, one.expected.sinks)], [one.expected.sinks_share]);
  });
});

describe("an account", () => {
  const next = random(5);
  const ROLES: readonly Role[] = ["image", "padding", "special", "text"];

  it("gives every position to one share, and all shares together are 1", () => {
    for (let trial = 0; trial < 200; trial++) {
      const length = 1 + Math.floor(next() * 30);
      const row = Float32Array.from({ length }, () => next() ** 4);
      const roles = Array.from({ length }, () => ROLES[Math.floor(next() * 4)] as Role);
      const labels = Array.from({ length }, () => `[REG${Math.floor(next() * 3)}]`);
      const apart = new Set([...row.keys()].filter(() => next() < 0.3));
      const account = accountOf(row, row, roles, labels, apart);
      const sum = (shares: typeof account.shares) => shares.reduce((all, { share }) => all + share, 0);
      expect(sum(account.shares)).toBeCloseTo(1, 12);
      expect(sum(account.shares.filter(({ aside }) => aside))).toBeCloseTo(account.setAside, 12);
      const image = [...row.keys()].filter((at) => roles[at] === "image" && !apart.has(at));
      expect(account.of).toBe(image.length);
      expect(account.half).toBeLessThanOrEqual(Math.ceil(image.length / 2));
      const best = image.reduce((most, at) => Math.max(most, row[at] as number), 0);
      expect(account.strongest < 0 ? 0 : row[account.strongest]).toBe(best);
    }
  });

  it("names special tokens that differ by a number once, and one alone in full", () => {
    const labels = ["[CLS]", "[REG1]", "[REG2]", "<|extra_id_7|>", "12"];
    const row = [0.1, 0.2, 0.3, 0.3, 0.1];
    const { shares } = accountOf(row, row, Array(5).fill("special"), labels, new Set());
    expect(shares.map(({ name }) => name)).toEqual(["[CLS]", "[REG]", "<|extra_id_7|>", "12"]);
    expect(shares[1]?.share).toBeCloseTo(0.5);
  });
});

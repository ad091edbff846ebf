/** The mechanism view, as a person finds it. */
import axe from "axe-core";
import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { toSvg } from "../../src/export/svg.ts";
import { createLifetime } from "../../src/lifetime.ts";
import { MechanismView } from "../../src/mechanism/view.ts";
import { Model } from "../../src/model.ts";
import { Store } from "../../src/store.ts";
import { attention, FakeHost, type HostKind, mapTraits, pack, random, type Sent, tokens } from "../fakes.ts";
import {
  all,
  choose,
  endAll,
  expectState,
  find,
  focused,
  framesOf,
  type Mounted,
  mount,
  pixels,
  readout,
  ready,
  settled,
  token,
  until,
} from "./mounted.ts";

afterEach(endAll);

const KEYS = 6;
const DEPTH = 4;

/** Vectors that look random and are the same in every run. */
function vectors(count: number, seed: number): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length: count * DEPTH }, () => 4 * next() - 2);
}
const QUERIES = vectors(KEYS, 1);
const ASKED = vectors(KEYS, 2);
const VALUES = vectors(KEYS, 3);

const dot = (q: number, k: number): number => {
  let sum = 0;
  for (let i = 0; i < DEPTH; i++)
    sum += (QUERIES[q * DEPTH + i] as number) * (ASKED[k * DEPTH + i] as number);
  return sum;
};
/** The weights of a query, the slow way. */
function weightsOf(query: number, scale = 0.5, allowed = (_key: number) => true): number[] {
  const exps = Array.from({ length: KEYS }, (_, k) => (allowed(k) ? Math.exp(scale * dot(query, k)) : 0));
  const total = exps.reduce((sum, e) => sum + e, 0);
  return exps.map((e) => e / total);
}

const PANEL = {
  mechanism: "scaled_dot_product",
  name: "",
  scale: 0.5,
  temperature: 1,
  softcap: null,
  masks: [],
};
const WHOLE = {
  fields: { panels: [PANEL] },
  arrays: {
    "0 query": pack(QUERIES, [KEYS, DEPTH]),
    "0 key": pack(ASKED, [KEYS, DEPTH]),
    "0 value": pack(VALUES, [KEYS, DEPTH]),
  },
};
const ADDITIVE = {
  fields: { panels: [PANEL, { ...PANEL, mechanism: "additive", scale: 1, name: "additive" }] },
  arrays: {
    ...WHOLE.arrays,
    "1 query": pack(QUERIES, [KEYS, DEPTH]),
    "1 key": pack(ASKED, [KEYS, DEPTH]),
    "1 projected_query": pack(QUERIES, [KEYS, DEPTH]),
    "1 projected_key": pack(ASKED, [KEYS, DEPTH]),
    "1 v": pack(Float32Array.of(1, -1, 0.5, 2), [1, DEPTH]),
  },
};

const traits = (more: Record<string, unknown> = {}, mechanism: string | null = "whole") => {
  const map = mapTraits({
    layers: [attention(2, KEYS, KEYS), attention(2, KEYS, KEYS, 2)],
    keys: tokens(KEYS, "k"),
  });
  return {
    ...map,
    _content: { ...(map._content as object), mechanism },
    ...{ view: "mechanism", map: "attention", layer: 0, heads: [], pinned_queries: [], pinned_keys: [] },
    ...more,
  };
};

/** A kernel that holds what the page asks for. */
function answering(host: FakeHost, said = WHOLE): Sent[] {
  const asked: Sent[] = [];
  host.onSend = (request) => {
    if (request.kind !== "mechanism") return;
    asked.push(request);
    const { v, id, kind, hold, ...fields } = request;
    const held = { ...said.fields, ...fields, revision: 1, request: fields, arrays: said.arrays };
    host.deliver({ v: 1, id, ok: true, revision: 1, held: true });
    host.fromPython({ _mechanism: held });
  };
  return asked;
}

async function shown(more: Record<string, unknown> = {}, said = WHOLE, width = 700, kind: HostKind = {}) {
  const host = new FakeHost(traits(more), kind);
  const asked = answering(host, said);
  const made = mount({}, { host, width });
  await settled(made.root);
  return { ...made, asked };
}

const plot = (root: HTMLElement) => find(root, ".numbers");
const base = (root: HTMLElement) => find<HTMLCanvasElement>(root, ".numbers canvas");
const slider = (root: HTMLElement, name: string) =>
  find<HTMLInputElement>(root, `input[aria-label="${name}"]`);
/** Points at a place of the numbers, in CSS pixels. */
const point = (root: HTMLElement, x: number, y: number) =>
  userEvent.hover(plot(root), { position: { x, y } });
const text = (root: HTMLElement, selector: string) => find(root, selector).textContent ?? "";

describe("what is shown", () => {
  it("is the first query and its strongest key, in words and as tokens", async () => {
    const { root, asked } = await shown();
    expect(asked.map(({ layer, head, query, hold }) => [layer, head, query, hold])).toEqual([
      [0, 0, undefined, true],
    ]);
    const weights = weightsOf(0);
    const most = weights.indexOf(Math.max(...weights));
    const weight = (weights[most] as number).toFixed(3);
    expect(readout(root)).toMatch(new RegExp(`^t0 attends to k${most} ${weight} = exp\\(`));
    expect(find(root, '[data-view="mechanism"]')).toBeTruthy();
    expect(all(root, '[data-side="query"]')).toHaveLength(KEYS);
    expect(all(root, '[data-side="key"]')).toHaveLength(KEYS);
    expect(token(root, "query", 0).getAttribute("aria-selected")).toBe("true");
    expect(token(root, "key", most).getAttribute("aria-selected")).toBe("true");
  });

  it("is the first of the shown heads, and passes over special tokens", async () => {
    const map = traits({ heads: [1] });
    const content = map._content as unknown as { queries: { special: number[] } };
    content.queries.special = [0, 1];
    const host = new FakeHost(map);
    const asked = answering(host);
    const { root } = mount({}, { host });
    await settled(root);
    expect(asked[0]).toMatchObject({ head: 1 });
    expect(readout(root)).toMatch(/^t2 attends to /);
  });

  it("follows pins from elsewhere, asking for nothing that is here", async () => {
    const { root, host, asked } = await shown({ pinned_queries: [3], pinned_keys: [5, 1] });
    expect(readout(root)).toMatch(/^t3 attends to k5 /);
    host.fromPython({ pinned_queries: [4], pinned_keys: [2] });
    await until(() => readout(root).startsWith("t4 attends to k2"), "the other pair");
    expect(asked).toHaveLength(1);
    host.fromPython({ layer: 1 });
    await until(() => asked.length === 2, "the other layer");
    expect(asked[1]).toMatchObject({ layer: 1, head: 0 });
  });

  it("is said to be loading, missing or without a head", async () => {
    const silent = mount(traits());
    await until(() => silent.host.sent.length > 0, "a request");
    expect(silent.root.dataset.status).toBe("loading");
    const alone = await ready(traits({}, "whole"), { kind: { sends: false } });
    expect(text(alone.root, '[data-view="mechanism"] > .message')).toBe(
      "This part of the map is not stored in the page and needs a running kernel.",
    );
    const none = await shown({ heads: null });
    expect(readout(none.root)).toBe("no head is shown: choose heads above");
  });

  it("asks for a row where a head is too large, and not again for a key that came with it", async () => {
    const host = new FakeHost(traits({ pinned_queries: [2], pinned_keys: [4] }, "row"));
    const asked: Sent[] = [];
    host.onSend = (request) => {
      asked.push(request);
      const { v, id, kind, hold, ...fields } = request;
      const query = request.query as number;
      const rows = (values: Float32Array, from: number, to: number) =>
        pack(values.slice(from * DEPTH, to * DEPTH), [to - from, DEPTH]);
      const scores = Float32Array.from({ length: KEYS }, (_, k) => dot(query, k));
      host.deliver({ v: 1, id, ok: true, revision: 1, held: true });
      host.fromPython({
        _mechanism: {
          ...{ ...WHOLE.fields, ...fields, keys: [1, 4], revision: 1, request: fields },
          arrays: {
            "0 query": rows(QUERIES, query, query + 1),
            "0 key": pack(
              Float32Array.of(...ASKED.slice(DEPTH, 2 * DEPTH), ...ASKED.slice(4 * DEPTH, 5 * DEPTH)),
              [2, DEPTH],
            ),
            "0 scores": pack(scores, [1, KEYS]),
          },
        },
      });
    };
    const { root } = mount({}, { host });
    await settled(root);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ query: 2, keys: [4] });
    const weight = (weightsOf(2)[4] as number).toFixed(3);
    expect(readout(root)).toContain(`t2 attends to k4 ${weight}`);
    expect(all(root, '[data-side="key"]').map(({ dataset }) => dataset.index)).toEqual(["1", "4"]);
    token(root, "key", 1).click();
    await until(() => readout(root).startsWith("t2 attends to k1"), "the other key");
    expect(asked).toHaveLength(1);
    host.fromPython({ pinned_keys: [0] });
    await until(() => asked.length === 2, "a key that is not here");
    expect(asked[1]).toMatchObject({ query: 2, keys: [0] });
  });
});

it("lists of long axes the queries around the one that is shown", async () => {
  const map = traits({ pinned_queries: [1500] }, "row");
  const content = map._content as unknown as { queries: { labels: readonly string[] } };
  content.queries.labels = tokens(3000).labels;
  const host = new FakeHost(map);
  answering(host, { fields: { ...WHOLE.fields, keys: [0] } as typeof WHOLE.fields, arrays: WHOLE.arrays });
  const { root } = mount({}, { host });
  await settled(root);
  const listed = () => all(root, '[data-side="query"]').map(({ dataset }) => Number(dataset.index));
  expect([listed().length, listed()[0], listed().at(-1)]).toEqual([400, 1300, 1699]);
  expect(token(root, "query", 1500).getAttribute("aria-selected")).toBe("true");
  token(root, "query", 1690).click();
  await until(() => listed().includes(1889), "the queries around that one");
  expect(token(root, "query", 1690).getAttribute("aria-selected")).toBe("true");
});

describe("numbers", () => {
  it("say how they come about where the pointer is, and nothing is drawn anew", async () => {
    const { root } = await shown({ pinned_queries: [1], pinned_keys: [2] });
    const [before, frames] = [pixels(base(root)), framesOf(root)];
    const names = Math.max(64, Math.min(130, plot(root).clientWidth * 0.19));
    await point(root, names + 90, 36);
    await until(() => readout(root).includes("query[1]"), "the query's number");
    expect(readout(root)).toBe(`${formatNine(QUERIES[DEPTH + 1] as number)} = query[1]`);
    await point(root, names + 90, 26 + 24 + 24 + 4 + 10);
    await until(() => readout(root).includes("×"), "the product");
    const product = (QUERIES[DEPTH + 1] as number) * (ASKED[2 * DEPTH + 1] as number);
    expect(readout(root)).toMatch(
      new RegExp(
        `^${formatNine(product)} = [−\\d.]+ × [−\\d.]+$`
          .replaceAll(".", "\\.")
          .replaceAll("[−\\d\\.]", "[−\\d.]"),
      ),
    );
    expect([pixels(base(root)), framesOf(root)]).toEqual([before, frames]);
    expect(pixels(all(root, ".numbers canvas")[1] as HTMLCanvasElement)).not.toBe(
      pixels(document.createElement("canvas")),
    );
  });

  it("are reached by the keyboard, each with its name", async () => {
    const { root } = await shown({ pinned_queries: [1], pinned_keys: [2] });
    plot(root).focus();
    await userEvent.keyboard("{ArrowRight}");
    expect(readout(root)).toContain("= query[1]");
    await userEvent.keyboard("{ArrowDown}");
    expect(readout(root)).toContain("= key[1]");
    await userEvent.keyboard("{End}");
    expect(readout(root)).toContain("= key[3]");
    const cursor = find(root, `#${plot(root).getAttribute("aria-activedescendant")}`);
    expect(cursor.getAttribute("aria-label")).toContain("= key[3]");
    await userEvent.keyboard("{ArrowUp}{ArrowUp}{ArrowUp}");
    expect(readout(root)).toContain("= query[3]");
  });
});

const formatNine = (value: number) => String(Number(value.toPrecision(9))).replace("-", "−");

describe("choosing", () => {
  it("a key pins it with the query, again unpins it", async () => {
    const { root, host } = await shown();
    token(root, "key", 4).click();
    await until(() => readout(root).startsWith("t0 attends to k4"), "the key");
    expectState(host, { pinned_queries: [0], pinned_keys: [4] });
    token(root, "key", 4).click();
    expectState(host, { pinned_queries: [0], pinned_keys: [] });
  });

  it("a query pins it; keys work as well", async () => {
    const { root, host } = await shown({ pinned_keys: [5] });
    token(root, "query", 3).click();
    expectState(host, { pinned_queries: [3], pinned_keys: [5] });
    token(root, "query", 0).focus();
    await userEvent.keyboard("{ArrowRight}{Enter}");
    expectState(host, { pinned_queries: [1] });
    await userEvent.keyboard("{ArrowDown}");
    await until(() => focused()?.dataset.side === "key", "the keys");
    await userEvent.keyboard("{ArrowUp} ");
    expect(host.values.pinned_keys).toEqual([Number(focused()?.dataset.index)]);
  });
});

describe("what-if", () => {
  it("a slider recomputes in the page at once, says so, and is taken back", async () => {
    const { root, host } = await shown({ pinned_queries: [2], pinned_keys: [3] });
    const own = readout(root);
    const sets = host.sets.length;
    choose(slider(root, "scale"), "2");
    const weight = (weightsOf(2, 2)[3] as number).toFixed(3).replace("0.000", "");
    await until(() => readout(root).includes(`k3 ${weight}`), "the other weight");
    expect(text(root, ".legend .care")).toBe("what-if: not the numbers of the model");
    choose(slider(root, "temperature"), "1");
    const both = (weightsOf(2, 1)[3] as number).toFixed(3);
    await until(() => readout(root).includes(`k3 ${both}`), "scale and temperature");
    find(root, ".what-if").click();
    await until(() => readout(root) === own, "the model's numbers");
    expect(text(root, ".legend .care")).toBe("");
    expect(find(root, ".what-if").hidden).toBe(true);
    expect(host.sets).toHaveLength(sets);
  });

  it("a square map may be seen as if it were causal", async () => {
    const { root } = await shown({ pinned_queries: [2], pinned_keys: [4] });
    const causal = find<HTMLInputElement>(root, '.choices input[type="checkbox"]');
    expect(causal.checked).toBe(false);
    causal.click();
    await until(() => readout(root).includes("masked (causal)"), "the mask");
    expect(readout(root)).toBe("t2 attends to k4 0 = 0: masked (causal)");
    token(root, "key", 1).click();
    const weight = (weightsOf(2, 0.5, (k) => k <= 2)[1] as number).toFixed(3);
    await until(() => readout(root).includes(`k1 ${weight}`), "the row without later keys");
  });

  it("has masks as the map has them", async () => {
    const said = {
      fields: { panels: [{ ...PANEL, masks: ["mask"] }] },
      arrays: { ...WHOLE.arrays, "0 mask": pack(Uint8Array.of(1, 1, 1, 1, 0, 0), [1, KEYS]) },
    };
    const { root } = await shown({ pinned_queries: [2], pinned_keys: [5] }, said as unknown as typeof WHOLE);
    expect(readout(root)).toBe("t2 attends to k5 0 = 0: masked (mask)");
    const boxes = all(root, ".choices label").filter((label) => label.querySelector('[type="checkbox"]'));
    expect(boxes.map(({ textContent }) => textContent)).toEqual(["mask", "causal"]);
    find(root, ".choices input[type=checkbox]").click();
    const weight = (weightsOf(2)[5] as number).toFixed(3);
    await until(() => readout(root).includes(`k5 ${weight}`), "the weight without the mask");
  });
});

describe("steps", () => {
  it("stand out one by one, each in a sentence, and all again", async () => {
    const { root } = await shown({ pinned_queries: [1], pinned_keys: [2] });
    const whole = pixels(base(root));
    const [back, on] = all(root, '[aria-label="steps"] button') as [HTMLElement, HTMLElement];
    on.click();
    await until(() => readout(root) === "The query and the key are vectors of 4 numbers.", "a sentence");
    expect(text(root, '[aria-label="steps"]')).toContain("step 1 of 6");
    expect(pixels(base(root))).not.toBe(whole);
    on.focus();
    await userEvent.keyboard("...");
    expect(readout(root)).toBe("Every key may be attended to: nothing is masked.");
    await userEvent.keyboard(",");
    expect(readout(root)).toMatch(/^The products add up to the score, .*; it becomes the logit /);
    back.click();
    back.click();
    back.click();
    await until(() => readout(root).startsWith("t1 attends to k2"), "all steps");
    expect(pixels(base(root))).toBe(whole);
  });
});

describe("several mechanisms", () => {
  it("stand side by side where there is room, else below each other", async () => {
    const wide = await shown({ pinned_queries: [1] }, ADDITIVE as unknown as typeof WHOLE, 860);
    const lefts = (root: HTMLElement) => new Set(all(root, '[data-side="key"]').map((key) => key.style.left));
    const tops = (root: HTMLElement) => new Set(all(root, '[data-side="key"]').map((key) => key.style.top));
    expect([lefts(wide.root).size, tops(wide.root).size]).toEqual([2, KEYS]);
    expect(readout(wide.root)).toMatch(/ = exp\(.*\) \(scaled dot product\); .* = exp\(.*\) \(additive\)$/);
    const narrow = await shown({ pinned_queries: [1] }, ADDITIVE as unknown as typeof WHOLE, 420);
    expect([lefts(narrow.root).size, tops(narrow.root).size]).toEqual([1, 2 * KEYS]);
  });
});

describe("the frame", () => {
  const buttonOf = (root: HTMLElement) => find(root, '[data-choose="mechanism"]');

  it("offers the view where the map has one", async () => {
    const plain = await ready(traits({ view: "lines" }, null));
    expect(buttonOf(plain.root).hidden).toBe(true);
    token(plain.root, "query", 0).focus();
    await userEvent.keyboard("5w");
    expectState(plain.host, { view: "lines" });
    const known = await ready(traits({ view: "lines" }));
    expect(buttonOf(known.root).hidden).toBe(false);
    token(known.root, "query", 0).focus();
    await userEvent.keyboard("5");
    expectState(known.host, { view: "mechanism" });
  });

  const why = (root: HTMLElement) => find(root, ".why");

  it.each(["lines", "matrix"])(
    "asks why of a weight that is pinned in the %s, and goes back",
    async (view) => {
      const state = { view, heads: [1], pinned_queries: [2], pinned_keys: [3, 4] };
      const host = new FakeHost(traits(state));
      answering(host);
      const { root } = mount({}, { host });
      await settled(root);
      expect([why(root).hidden, why(root).textContent]).toEqual([false, "why?"]);
      why(root).click();
      expectState(host, { view: "mechanism", heads: [1], pinned_queries: [2], pinned_keys: [3, 4] });
      await until(() => readout(root).startsWith("t2 attends to k3"), "the mechanism");
      token(root, "key", 0).click();
      expect(why(root).textContent).toBe("back");
      await userEvent.keyboard("{Escape}");
      expectState(host, { ...state });
      await until(() => root.querySelector(`[data-view="${view}"]`), "the view before");
      expect(focused()?.dataset.choose).toBe(view);
    },
  );

  it("asks why of the line under the pointer, of its head", async () => {
    const made: Mounted = await ready(traits({ view: "lines" }));
    answering(made.host);
    const { root, host } = made;
    expect(why(root).hidden).toBe(true);
    const key = token(root, "key", 1);
    key.focus();
    await userEvent.keyboard(" ");
    await userEvent.keyboard("w");
    expectState(host, { view: "lines" });
    token(root, "query", 3).focus();
    await userEvent.keyboard("w");
    expectState(host, { view: "mechanism", pinned_queries: [3], pinned_keys: [] });
    await until(() => readout(root).startsWith("t3 attends to"), "the mechanism");
  });

  it("forgets the way back with another view, and Escape unpins then", async () => {
    const { root, host } = await shown({ view: "lines", pinned_queries: [2], pinned_keys: [3] });
    why(root).click();
    host.fromPython({ view: "matrix" });
    host.fromPython({ view: "mechanism" });
    await settled(root);
    expect(why(root).hidden).toBe(true);
    token(root, "key", 0).focus();
    await userEvent.keyboard("{Escape}");
    expectState(host, { view: "mechanism", pinned_queries: [], pinned_keys: [] });
  });

  it("pins beside a mechanism that is on screen already", async () => {
    const state = { view: "lines", beside: "mechanism" };
    const { root, host } = await shown(state);
    token(root, "query", 3).focus();
    await userEvent.keyboard("w");
    expectState(host, { view: "lines", beside: "mechanism", pinned_queries: [3] });
    await until(() => token(root, "query", 3).getAttribute("aria-selected") === "true", "the pin");
    // The lines say what they show; the mechanism speaks where it is pointed at.
    expect(readout(root)).not.toContain("exp(");
    await point(root, 120, 36);
    await until(() => readout(root).includes("= query["), "a number");
  });
});

describe("files", () => {
  function view(more: Record<string, unknown> = {}) {
    const host = new FakeHost(traits({ pinned_queries: [1], pinned_keys: [2], ...more }));
    answering(host);
    const lifetime = createLifetime();
    const model = new Model(host, lifetime.signal);
    let frames = 0;
    const nothing = () => {};
    const around = {
      readout: nothing,
      announce: nothing,
      status: nothing,
      painted: () => frames++,
      hovered: nothing,
      lastView: undefined,
    };
    const made = new MechanismView(model, new Store(model, lifetime.signal), around, lifetime);
    document.body.append(made.element);
    made.resize(700);
    return { made, lifetime, painted: () => until(() => frames > 0 && made.still(), "a picture") };
  }

  it("hold what is on screen, and the row as it is", async () => {
    const { made, lifetime, painted } = view();
    const part = await painted();
    const svg = toSvg({
      ...part,
      ...{ title: "t", sentence: "s", notes: [], background: [255, 255, 255], font: "sans-serif" },
    });
    expect(svg).toContain(">scaled dot product</text>");
    for (let k = 0; k < KEYS; k++) expect(svg).toContain(`>k${k}</text>`);
    expect((svg.match(/<rect/g) ?? []).length).toBeGreaterThan(DEPTH * (3 + KEYS + 1) + KEYS * 2);
    const rows = made.rows();
    expect(rows.map(({ query, key, head }) => [query, key, head])).toEqual(
      Array.from({ length: KEYS }, (_, k) => [1, k, "0"]),
    );
    const weights = weightsOf(1);
    rows.forEach(({ weight }, k) => {
      expect(weight).toBeCloseTo(weights[k] as number, 6);
    });
    const box = made.element.querySelector<HTMLInputElement>('[type="checkbox"]');
    box?.click();
    await until(() => made.rows()[5]?.weight === 0, "the trial");
    expect(made.rows()[0]?.head).toBe("0 what-if");
    lifetime.end();
  });
});

it.each(["light", "dark"])("has no fault of access that can be found by machine, %s", async (theme) => {
  const { root } = await shown({ theme, pinned_queries: [1] });
  // Colour contrast of what is painted is not for axe to see; layout tests hold it.
  const found = await axe.run(root, { resultTypes: ["violations"] });
  expect(found.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
});

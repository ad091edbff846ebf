/** Notes under the views that say where a map must be read with care, and what they leave alone. */
import axe from "axe-core";
import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { attention, mapTraits } from "../fakes.ts";
import { all, endAll, expectState, find, focused, type Mounted, ready, until } from "./mounted.ts";

afterEach(endAll);

const note = (kind: string, text: string) => ({
  kind,
  text,
  page: `docs/care.md#${kind}`,
  about: [
    ["Means", `what ${kind} is.`],
    ["Do", "be careful."],
  ],
});
const SINK = note("sink", "Sink: [CLS] takes 0.62 of the weight.");
const EVEN = note("near-uniform", "Nearly uniform: 2 of 4 heads.");
const SPECIAL = note("special-tokens", "Special tokens take 0.70 of the weight.");
const SHOWN = { map: "attention", step: 0, layer: 0, heads: [] };

const traits = (notes: readonly unknown[] | null, more: Record<string, unknown> = {}) => ({
  ...mapTraits({ layers: [1, 2].map((seed) => attention(4, 6, 7, seed)) }),
  ...SHOWN,
  pinned_queries: [],
  pinned_keys: [],
  _notes: notes ? { shown: SHOWN, notes } : {},
  ...more,
});
const area = (root: HTMLElement) => find(root, ".notes");
const lines = (root: HTMLElement) =>
  all(root, "[data-note]")
    .filter(({ hidden }) => !hidden)
    .map(({ dataset }) => dataset.note);
const button = (root: HTMLElement, text: string): HTMLElement => {
  const found = all(root, "button").find((one) => one.textContent === text && one.checkVisibility());
  if (!found) throw new Error(`no button ${text}`);
  return found;
};
const click = (root: HTMLElement, text: string) => userEvent.click(button(root, text));
const visible = (root: HTMLElement) => area(root).checkVisibility({ visibilityProperty: true });

describe("notes", () => {
  it("are a quiet line under everything else, in words", async () => {
    const { root } = await ready(traits([SINK]));
    expect(lines(root)).toEqual(["sink"]);
    expect(area(root).textContent).toContain(SINK.text);
    expect(area(root).getAttribute("role")).toBe("note");
    const legend = find(root, ".legend").getBoundingClientRect();
    const place = area(root).getBoundingClientRect();
    expect(place.top).toBeGreaterThan(legend.bottom);
    expect(place.height).toBeLessThan(30);
  });

  it("show the first of several, and the others on demand", async () => {
    const { root } = await ready(traits([SINK, SPECIAL, EVEN]));
    expect(lines(root)).toEqual(["sink"]);
    await click(root, "2 more");
    expect(lines(root)).toEqual(["sink", "special-tokens", "near-uniform"]);
    await click(root, "less");
    expect(lines(root)).toEqual(["sink"]);
  });

  it("name their layer where all layers are in sight", async () => {
    const { root, host } = await ready(traits([SINK]));
    expect(area(root).innerText).toMatch(/^Sink/);
    host.fromPython({ beside: "heads" });
    expect(area(root).innerText).toMatch(/^layer 0: Sink/);
  });

  it("explain themselves in place", async () => {
    const { root } = await ready(traits([SINK]));
    const why = button(root, "what does this mean?");
    expect(find(root, ".explained").checkVisibility()).toBe(false);
    await userEvent.click(why);
    expect(why.getAttribute("aria-expanded")).toBe("true");
    expect(find(root, ".explained").innerText).toBe(
      "Means what sink is.\nDo be careful.\nMore in docs/care.md#sink",
    );
    await userEvent.click(why);
    expect(find(root, ".explained").checkVisibility()).toBe(false);
  });

  it("go one kind at a time, and the help brings them back", async () => {
    const { root, host } = await ready(traits([SINK, EVEN]));
    await userEvent.click(find(root, '[data-note="sink"] [aria-label="dismiss this note"]'));
    expect(lines(root)).toEqual(["near-uniform"]);
    expectState(host, { dismissed: ["sink"] });
    expect(focused()?.closest("[data-note]")?.getAttribute("data-note")).toBe("near-uniform");
    await userEvent.click(find(root, '[data-note="near-uniform"] [aria-label="dismiss this note"]'));
    expect(area(root).hidden).toBe(true);
    await click(root, "?");
    await click(root, "show 2 dismissed notes");
    expectState(host, { dismissed: [] });
    expect(lines(root)).toEqual(["sink"]);
    expect(all(root, "button").some((one) => one.textContent?.includes("dismissed") && !one.hidden)).toBe(
      false,
    );
  });

  it("stay away where Python says so", async () => {
    const { root, host } = await ready(traits([SINK], { notes: false }));
    expect(area(root).hidden).toBe(true);
    host.fromPython({ notes: true });
    expect(lines(root)).toEqual(["sink"]);
    host.fromPython({ dismissed: ["sink"] });
    expect(area(root).hidden).toBe(true);
  });

  it("take no place where there are none", async () => {
    for (const notes of [null, []]) {
      const { root } = await ready(traits(notes));
      expect(area(root).getBoundingClientRect().height).toBe(0);
    }
  });
});

describe("notes that come late", () => {
  const tops = ({ root }: Mounted) =>
    [".bar", ".readout", ".stage", ".legend"].map((name) => find(root, name).getBoundingClientRect().top);

  it("move nothing", async () => {
    const made = await ready(traits(null));
    const before = tops(made);
    made.host.fromPython({ _notes: { shown: SHOWN, notes: [SINK] } });
    expect(lines(made.root)).toEqual(["sink"]);
    expect(tops(made)).toEqual(before);
  });

  it("are said once", async () => {
    const { root, host } = await ready(traits(null));
    const live = find(root, ".live");
    host.fromPython({ _notes: { shown: SHOWN, notes: [SINK] } });
    await until(() => live.textContent === `Read with care. ${SINK.text}`, "the note");
    live.textContent = "";
    host.fromPython({ _notes: {} });
    host.fromPython({ _notes: { shown: SHOWN, notes: [SINK, EVEN] } });
    await until(() => live.textContent !== "", "the other note");
    expect(live.textContent).toBe(`Read with care. ${EVEN.text}`);
  });

  it("of another state keep their place until those of this one are here", async () => {
    const { root, host } = await ready(traits([SINK]));
    const { height } = area(root).getBoundingClientRect();
    await userEvent.click(find(root, '[aria-label="next layer"]'));
    expect(visible(root)).toBe(false);
    expect(area(root).getBoundingClientRect().height).toBe(height);
    host.fromPython({ _notes: { shown: { ...SHOWN, layer: 1 }, notes: [EVEN] } });
    expect(visible(root)).toBe(true);
    expect(lines(root)).toEqual(["near-uniform"]);
    // Without a kernel those of a layer are there again with it.
    await userEvent.click(find(root, '[aria-label="previous layer"]'));
    expect(visible(root)).toBe(false);
    await userEvent.click(find(root, '[aria-label="next layer"]'));
    expect(visible(root)).toBe(true);
  });
});

describe("notes for everyone", () => {
  for (const theme of ["light", "dark"]) {
    it(`can be read and used in the ${theme} theme`, async () => {
      const { root } = await ready(traits([SINK, EVEN], { theme }));
      await click(root, "what does this mean?");
      const { violations } = await axe.run(area(root));
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    });
  }

  it("fit a narrow cell", async () => {
    const { root } = await ready(traits([SINK, EVEN]), { width: 320 });
    await click(root, "what does this mean?");
    const edge = root.getBoundingClientRect().right;
    for (const part of all(area(root), "*")) {
      expect(part.getBoundingClientRect().right).toBeLessThanOrEqual(edge);
    }
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { userEvent } from "vitest/browser";
import { attention, mapTraits } from "../fakes.ts";
import {
  all,
  base,
  choose,
  endAll,
  expectState,
  find,
  framesOf,
  type Mounted,
  pixels,
  ready,
  settled,
  token,
  until,
} from "./mounted.ts";

afterEach(endAll);

const words = (starts: number[]) => ({ starts, labels: starts.map((s) => `w${s}`), special: [0] });
const traits = (more: Record<string, unknown> = {}) => ({
  ...mapTraits({
    layers: [1, 2, 3].map((seed) => attention(4, 6, 7, seed)),
    queries: { labels: [..."abcdef"], special: [0], words: words([0, 1, 4]) },
    keys: { labels: [..."ABCDEFG"], special: [0], words: words([0, 3, 4]) },
    maps: ["encoder", "decoder"],
    steps: 3,
  }),
  map: "encoder",
  step: 0,
  layer: 0,
  heads: [],
  pinned_queries: [],
  pinned_keys: [],
  ...more,
});

const chips = (root: HTMLElement) => all(root, ".chip");
const pressed = (root: HTMLElement) =>
  chips(root).map((chip) => chip.getAttribute("aria-pressed") === "true");
const button = (root: HTMLElement, text: string): HTMLElement => {
  const found = all(root, "button").find((element) => element.textContent === text);
  if (!found) throw new Error(`no button ${text}`);
  return found;
};
const control = <E extends HTMLElement>(root: HTMLElement, label: string): E => {
  const named = root.querySelector<E>(`[aria-label="${label}"]`);
  const within = all(root, "label").find((element) => element.textContent?.includes(label));
  const found = named ?? within?.querySelector<E>("input, select");
  if (!found) throw new Error(`no control ${label}`);
  return found;
};

describe("the heads", () => {
  it("toggle by a click, and all of them are none in particular", async () => {
    const { root, host } = await ready(traits());
    expect(pressed(root)).toEqual([true, true, true, true]);
    await userEvent.click(chips(root)[1] as HTMLElement);
    expectState(host, { heads: [0, 2, 3] });
    expect(pressed(root)).toEqual([true, false, true, true]);
    await userEvent.click(chips(root)[1] as HTMLElement);
    expectState(host, { heads: [] });
    expect(pressed(root)).toEqual([true, true, true, true]);
  });

  it("stand alone by a double click, or a click with a modifier", async () => {
    const { root, host } = await ready(traits());
    await userEvent.dblClick(chips(root)[2] as HTMLElement);
    expectState(host, { heads: [2] });
    await userEvent.dblClick(chips(root)[2] as HTMLElement);
    expectState(host, { heads: [2] });
    await userEvent.keyboard("{Shift>}");
    await userEvent.click(chips(root)[0] as HTMLElement);
    await userEvent.keyboard("{/Shift}");
    expectState(host, { heads: [0] });
    await userEvent.keyboard("{Control>}");
    await userEvent.click(chips(root)[3] as HTMLElement);
    await userEvent.keyboard("{/Control}");
    expectState(host, { heads: [3] });
  });

  it("may all be shown, or none, and come back one by one in order", async () => {
    const { root, host } = await ready(traits({ heads: [1] }));
    await userEvent.click(button(root, "all"));
    expectState(host, { heads: [] });
    await userEvent.click(button(root, "none"));
    expectState(host, { heads: null });
    expect(pressed(root)).toEqual([false, false, false, false]);
    await userEvent.click(chips(root)[3] as HTMLElement);
    await userEvent.click(chips(root)[1] as HTMLElement);
    expectState(host, { heads: [1, 3] });
    await userEvent.click(chips(root)[3] as HTMLElement);
    await userEvent.click(chips(root)[1] as HTMLElement);
    expectState(host, { heads: null });
  });

  it("are reached and toggled by the keyboard", async () => {
    const { root, host } = await ready(traits());
    (chips(root)[0] as HTMLElement).focus();
    await userEvent.tab();
    await userEvent.keyboard("{Enter}");
    expectState(host, { heads: [0, 2, 3] });
    await userEvent.keyboard(" ");
    expectState(host, { heads: [] });
  });

  it("combine into one", async () => {
    const { root, host } = await ready(traits());
    const before = pixels(base(root));
    choose(control<HTMLSelectElement>(root, "how heads are combined"), "mean");
    expectState(host, { combine: "mean" });
    await settled(root);
    expect(pixels(base(root))).not.toBe(before);
    expect(base(root).getAttribute("aria-label")).toMatch(/^42 attention lines/);
    expect(find(root, ".legend").textContent).toMatch("mean of the heads shown");
  });

  it("follow Python", async () => {
    const { root, host } = await ready(traits());
    host.fromPython({ heads: [3, 1] });
    expect(pressed(root)).toEqual([false, true, false, true]);
    host.fromPython({ heads: null });
    expect(pressed(root)).toEqual([false, false, false, false]);
  });
});

describe("what is shown", () => {
  it.each([
    ["map", "decoder", { map: "decoder" }],
    ["step", "2", { step: 2 }],
    ["layer", "1", { layer: 1 }],
  ])("%s is chosen", async (label, value, state) => {
    const { root, host } = await ready(traits());
    choose(control<HTMLSelectElement>(root, label), value);
    expectState(host, state);
  });

  it("says what the step is called, where it has a name of its own", async () => {
    const given = traits();
    const said = (root: HTMLElement) => all(root, ".bar .group").map(({ textContent }) => textContent);
    expect(said((await ready(given)).root)).toContain("step▶0 of 0–2");
    const content = { ...(given._content as object), name: "step 40, loss 1.3" };
    const named = await ready({ ...given, _content: content });
    expect(said(named.root)).toContain("step▶0 of 0–2 · step 40, loss 1.3");
  });

  it("moves on by the arrows beside the layer, and stops at its ends", async () => {
    const { root, host } = await ready(traits());
    const [previous, next] = [
      control(root, "previous layer"),
      control(root, "next layer"),
    ] as HTMLButtonElement[];
    expect([previous?.disabled, next?.disabled]).toEqual([true, false]);
    await userEvent.click(next as HTMLElement);
    await userEvent.click(next as HTMLElement);
    expectState(host, { layer: 2 });
    expect([previous?.disabled, next?.disabled]).toEqual([false, true]);
    expect(control<HTMLSelectElement>(root, "layer").value).toBe("2");
    await userEvent.click(previous as HTMLElement);
    expectState(host, { layer: 1 });
  });

  it("has no controls that have nothing to choose", async () => {
    const { root } = await ready(mapTraits({ layers: [attention(1, 3, 3)] }));
    const shown = all(root, ".bar .group").filter((group) => group.offsetParent !== null);
    expect(shown.map(({ textContent }) => textContent)).toEqual([
      "linesmatrixheadsoverlay",
      "optionsexport?",
    ]);
  });
});

describe("options", () => {
  const open = async (more: Record<string, unknown> = {}): Promise<Mounted> => {
    const made = await ready(traits(more));
    await userEvent.click(find(made.root, ".bar .end button"));
    return made;
  };

  it("open and close, one panel at a time", async () => {
    const { root } = await open();
    const panels = all(root, ".panel");
    const shown = () => panels.map((panel) => panel.offsetParent !== null);
    expect(shown()).toEqual([true, false, false]);
    await userEvent.click(button(root, "export"));
    expect(shown()).toEqual([false, true, false]);
    await userEvent.click(button(root, "?"));
    expect(shown()).toEqual([false, false, true]);
    await userEvent.click(button(root, "?"));
    expect(shown()).toEqual([false, false, false]);
  });

  it.each([
    ["mass", "70", { mass: 0.7 }],
    ["weight at least", "0.25", { threshold: 0.25 }],
    ["at most", "3", { top_k: 3 }],
    ["at most", "2.9", { top_k: 2 }],
    ["special tokens", "renormalise", { special: "renormalise" }],
    ["filters keep the strongest", "attended_by", { direction: "attended_by" }],
    ["scale", "log", { scale: "log" }],
  ] as const)("%s becomes %s", async (label, value, state) => {
    const { root, host } = await open({ mass: 1, threshold: 0, top_k: null });
    const before = framesOf(root);
    choose(control<HTMLInputElement>(root, label), value);
    expectState(host, state);
    await until(() => framesOf(root) > before, "a new picture");
  });

  it("layout turns the view around", async () => {
    const { root, host } = await open();
    choose(control<HTMLSelectElement>(root, "layout"), "horizontal");
    expectState(host, { orientation: "horizontal" });
    await until(() => find(root, ".stage").dataset.orientation === "horizontal", "rows");
    await settled(root);
    const [first, second] = [token(root, "query", 0), token(root, "query", 1)].map((t) =>
      t.getBoundingClientRect(),
    );
    expect(first?.top).toBe(second?.top);
    expect(first?.left).toBeLessThan(second?.left as number);
  });

  it("words are merged", async () => {
    const { root, host } = await open();
    await userEvent.click(control(root, "merge words"));
    expectState(host, { words: true });
    await until(() => all(root, '[data-side="query"]').length === 3, "words");
    expect(all(root, '[data-side="query"]').map(({ dataset }) => dataset.index)).toEqual(["0", "1", "4"]);
    await userEvent.click(token(root, "query", 1));
    expectState(host, { pinned_queries: [1, 2, 3] });
  });

  it("all lines may be left out", async () => {
    const { root, host } = await open();
    const box = control<HTMLInputElement>(root, "all lines");
    expect(box.checked).toBe(true);
    await userEvent.click(box);
    expectState(host, { whole: false });
    await settled(root);
    expect(base(root).getAttribute("aria-label")).toMatch(/^0 attention lines/);
    await userEvent.click(box);
    expectState(host, { whole: true });
  });

  it("text grows and shrinks, in this view alone", async () => {
    const { root, host } = await open();
    const height = () => token(root, "query", 0).getBoundingClientRect().height;
    const before = height();
    await userEvent.click(button(root, "A+"));
    expect(height()).toBeGreaterThan(before);
    for (let i = 0; i < 20; i++) button(root, "A−").click();
    expect(height()).toBe(4);
    for (let i = 0; i < 20; i++) button(root, "A+").click();
    expect(height()).toBe(34);
    expect(host.sets).toEqual([]);
  });

  it("reset to drawing everything", async () => {
    const { root, host } = await open({ mass: 0.5, threshold: 0.2, top_k: 2, special: "hide", scale: "log" });
    expect(find(root, ".bar .end button").textContent).toBe(
      "mass 50 % · at least 0.2 · top 2 · special hidden",
    );
    await userEvent.click(button(root, "reset"));
    expectState(host, { mass: 1, threshold: 0, top_k: null, special: "show", scale: "absolute" });
    expect(find(root, ".bar .end button").textContent).toBe("options");
  });

  it("show what Python sets", async () => {
    const { root, host } = await open();
    host.fromPython({ mass: 0.8, threshold: 0.125, top_k: 5, special: "hide", scale: "sqrt" });
    expect(control<HTMLInputElement>(root, "mass").value).toBe("80");
    expect(control<HTMLInputElement>(root, "weight at least").value).toBe("0.125");
    expect(control<HTMLInputElement>(root, "at most").value).toBe("5");
    expect(control<HTMLSelectElement>(root, "special tokens").value).toBe("hide");
    expect(control<HTMLSelectElement>(root, "scale").value).toBe("sqrt");
  });

  it.each([
    ["weight at least", { threshold: 0.25 }, "-1", "0.25"],
    ["weight at least", { threshold: 0.25 }, "1e999", "0.25"],
    ["at most", { top_k: 4 }, "0", "4"],
    ["at most", { top_k: 4 }, "-3", "4"],
    ["at most", { top_k: 4 }, "0.5", "4"],
  ])("%s ignores nonsense: %j, %s", async (label, state, nonsense, shown) => {
    const { root, host } = await open(state);
    const field = control<HTMLInputElement>(root, label);
    await userEvent.fill(field, nonsense);
    field.dispatchEvent(new Event("change"));
    expect(host.sets).toEqual([]);
    expect(field.value).toBe(shown);
  });

  it.each([
    ["weight at least", { threshold: 0.25 }, "0.25"],
    ["at most", { top_k: 4 }, "4"],
  ])("%s ignores what is no number", async (label, state, shown) => {
    const { root, host } = await open(state);
    const field = control<HTMLInputElement>(root, label);
    await userEvent.tripleClick(field);
    await userEvent.keyboard("--e.{Tab}");
    expect(host.sets).toEqual([]);
    expect(field.value).toBe(shown);
    expect(field.validity.valid).toBe(true);
  });

  it.each([
    ["weight at least", { threshold: 0.25 }, { threshold: 0 }],
    ["at most", { top_k: 4 }, { top_k: null }],
  ])("%s, emptied, hides nothing", async (label, state, empty) => {
    const { root, host } = await open(state);
    const field = control<HTMLInputElement>(root, label);
    await userEvent.fill(field, "");
    await userEvent.tab();
    expectState(host, empty);
  });

  it("keeps typing in a field from being a command", async () => {
    const { root, host } = await open();
    await userEvent.click(control(root, "weight at least"));
    await userEvent.keyboard("a]}-");
    expect(host.sets).toEqual([]);
    expect(framesOf(root)).toBe(1);
  });
});

describe("export", () => {
  const saved: { name: string; blob: Blob }[] = [];
  const blobs = new Map<string, Blob>();

  beforeEach(() => {
    saved.length = 0;
    vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
      const url = `blob:test/${blobs.size}`;
      blobs.set(url, blob as Blob);
      return url;
    });
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      expect(this.isConnected).toBe(true);
      saved.push({ name: this.download, blob: blobs.get(this.href) as Blob });
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const save = async (root: HTMLElement, kind: string): Promise<Blob> => {
    await userEvent.click(button(root, "export"));
    await userEvent.click(find(root, `[data-export="${kind}"]`));
    const { blob, name } = await until(() => saved.at(-1), `a ${kind}`);
    expect(name).toBe(`attention-layer0.${kind}`);
    await until(() => find(root, '[role="status"]').textContent === `saved ${name}`, "word of it");
    expect(document.querySelector("a[download]")).toBeNull();
    return blob;
  };

  it("saves an SVG of what is on screen, pins included", async () => {
    const { root } = await ready(traits({ pinned_queries: [2] }));
    await until(() => all(root, "[aria-selected=true]").length, "the pin");
    const svg = await (await save(root, "svg")).text();
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    expect(parsed.querySelector("parsererror")).toBeNull();
    const texts = [...parsed.querySelectorAll("text")].map((text) => text.textContent);
    expect(texts).toEqual(expect.arrayContaining([..."abcdef", ..."ABCDEFG"]));
    expect(texts.join(" ")).toMatch(/c attends to [A-G] 0\./);
    expect(parsed.querySelectorAll("path").length).toBeGreaterThan(10);
  });

  it("saves a PNG", async () => {
    const { root } = await ready(traits());
    const blob = await save(root, "png");
    expect(blob.type).toBe("image/png");
    const image = await createImageBitmap(blob);
    expect(image.width).toBeGreaterThan(600);
  });

  it("saves a CSV of the lines on screen", async () => {
    const { root } = await ready(traits({ heads: [1], pinned_keys: [3] }));
    await until(() => all(root, "[aria-selected=true]").length, "the pin");
    const lines = (await (await save(root, "csv")).text()).trimEnd().split("\r\n");
    expect(lines[0]).toBe("layer,head,query,query_label,key,key_label,weight");
    expect(lines).toHaveLength(1 + 6);
    expect(lines[1]).toMatch(/^0,1,0,a,3,D,0\.\d+$/);
  });

  it("says what could not be saved", async () => {
    const { root } = await ready(traits());
    vi.mocked(URL.createObjectURL).mockImplementation(() => {
      throw new Error("not allowed here");
    });
    await userEvent.click(button(root, "export"));
    await userEvent.click(find(root, '[data-export="csv"]'));
    await until(
      () => find(root, '[role="status"]').textContent === "not saved: not allowed here",
      "the reason",
    );
  });
});

import axe from "axe-core";
import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { blockTrait } from "../fakes.ts";
import { send } from "./heatmap.ts";
import {
  all,
  choose,
  endAll,
  expectState,
  find,
  focused,
  frame,
  framesOf,
  inked,
  mount,
  pixels,
  readout,
  ready,
  token,
  until,
} from "./mounted.ts";
import { canvasOf, caption, classifier, detector, patchAt, pictures, WORDS } from "./scenes.ts";

afterEach(endAll);

const hover = (root: HTMLElement, row: number, col: number, picture = 0): void =>
  send(pictures(root)[picture] as HTMLElement, "pointermove", patchAt(root, row, col, picture));

function click(root: HTMLElement, row: number, col: number, more: PointerEventInit = {}): void {
  const picture = pictures(root)[0] as HTMLElement;
  const [clientX, clientY] = patchAt(root, row, col);
  send(picture, "pointerdown", [clientX, clientY], { buttons: 1, ...more });
  send(picture, "pointerup", [clientX, clientY], more);
  picture.dispatchEvent(
    new MouseEvent("click", { bubbles: true, composed: true, detail: 1, clientX, clientY, ...more }),
  );
}

const heat = (root: HTMLElement, picture = 0): string => pixels(canvasOf(root, "heat", picture));
const account = (root: HTMLElement): string => find(root, ".account").textContent ?? "";

describe("a caption on its picture", () => {
  it("shows words, the picture, an account and a legend, and says it is ready", async () => {
    const { root } = await ready(await caption());
    expect(find(root, '[data-view="overlay"]')).toBeDefined();
    expect(all(root, '.words [data-side="query"] .label').map((word) => word.textContent)).toEqual(WORDS);
    const base = canvasOf(root, "base");
    expect(inked(base)).toBe(base.width * base.height);
    const colour = (x: number) =>
      [...(base.getContext("2d")?.getImageData(x, base.height / 2, 1, 1).data ?? [])].slice(0, 3);
    expect(colour(4)).toEqual([220, 60, 40]);
    expect(colour(base.width - 5)).toEqual([40, 90, 160]);
    expect(readout(root)).toMatch(/^the mean of 4 queries attends? to row /);
    expect(account(root)).toMatch(/where the weight lies.*image100 %/);
    expect(find(root, ".legend").textContent).toMatch(/weight 0 – 0\.\d+, absolute · nearest/);
    const { width, height } = find(root, ".picture").getBoundingClientRect();
    expect(width / height).toBeCloseTo(60 / 40, 1);
  });

  it("shows where a hovered word looks, and never paints the picture anew for it", async () => {
    const { root } = await ready(await caption());
    const [base, mean, frames] = [pixels(canvasOf(root, "base")), heat(root), framesOf(root)];
    await userEvent.hover(token(root, "query", 1));
    await until(() => readout(root).startsWith("red attends to row"), "the word");
    const red = heat(root);
    expect(red).not.toBe(mean);
    await userEvent.hover(token(root, "query", 2));
    await until(() => readout(root).startsWith("star attends to row"), "the next word");
    expect(heat(root)).not.toBe(red);
    expect([pixels(canvasOf(root, "base")), framesOf(root)]).toEqual([base, frames]);
  });

  it("pins words: several are averaged, and a click on one alone unpins it", async () => {
    const { root, host } = await ready(await caption());
    await userEvent.click(token(root, "query", 1));
    expectState(host, { pinned_queries: [1], pinned_keys: [] });
    const one = heat(root);
    await userEvent.click(token(root, "query", 2), { modifiers: ["Shift"] });
    expectState(host, { pinned_queries: [1, 2] });
    await until(() => readout(root).startsWith("red + star attend to"), "both");
    expect(readout(root)).toContain("(mean of 2");
    expect(heat(root)).not.toBe(one);
    await userEvent.click(token(root, "query", 1));
    await userEvent.click(token(root, "query", 1));
    expectState(host, { pinned_queries: [] });
  });

  it("tells which words look at a patch, and keeps what is pinned painted", async () => {
    const { root, host } = await ready(await caption({ pinned_queries: [1], observe_hover: true }));
    const pinned = heat(root);
    hover(root, 2, 3);
    await until(() => readout(root).startsWith("row 3, column 4 is attended by"), "the patch");
    const numbers = all(root, ".words .number").map((number) => Number(number.textContent));
    expect(numbers.filter((number) => number > 0).length).toBeGreaterThan(0);
    expect(heat(root)).toBe(pinned);
    await until(() => host.sent.some((sent) => (sent as { kind?: string }).kind === "hover"), "the report");
    expect(host.sent.find((sent) => (sent as { kind?: string }).kind === "hover")).toMatchObject({
      hovered: { layer: 0, query: null, key: 15 },
    });
    click(root, 2, 3);
    expectState(host, { pinned_queries: [], pinned_keys: [15] });
  });

  it("steps from word to word, special ones left out", async () => {
    const { root, host } = await ready(await caption());
    const next = find(root, 'button[aria-label="next word"]');
    expect(next.parentElement?.textContent).toContain("3 words");
    await userEvent.click(next);
    await userEvent.click(next);
    expectState(host, { pinned_queries: [1] });
    await until(() => next.parentElement?.textContent?.includes("word 2 of 3"), "the place");
    await userEvent.click(find(root, 'button[aria-label="show one after the other"]'));
    await until(() => String(host.values.pinned_queries) === "2", "the last word");
  });

  it("says aloud what the keyboard comes to, and plays layers", async () => {
    const { root, host } = await ready(await caption());
    token(root, "query", 0).focus();
    await userEvent.keyboard("{ArrowRight}");
    await until(() => find(root, ".live").textContent?.startsWith("red attends to row"), "the sentence");
    await userEvent.click(find(root, 'button[aria-label="show the layers in turn"]'));
    await until(() => host.values.layer === 1, "the next layer");
  });

  it("follows Python, layers and ways to paint", async () => {
    const { root, host } = await ready(await caption({ pinned_queries: [1] }));
    for (const change of [
      { layer: 1 },
      { paint: "dim" },
      { paint: "contours" },
      { paint: "outline" },
      { paint: "heat", interpolation: "bilinear" },
      { opacity: 0.3 },
      { colormap: "viridis" },
      { scale: "row" },
      { pinned_queries: [2] },
    ]) {
      const shown = heat(root);
      host.fromPython(change);
      await until(() => heat(root) !== shown, JSON.stringify(change));
    }
  });
});

describe("patches that look at each other", () => {
  it("are hovered and pinned both ways", async () => {
    const { root, host } = await ready(await classifier());
    hover(root, 0, 0);
    await until(() => readout(root).startsWith("row 1, column 1 attends to"), "the query");
    const out = heat(root);
    choose(find<HTMLSelectElement>(root, 'select[aria-label="a patch shows"]'), "attended_by");
    await until(() => find(root, ".picture").dataset.side === "key", "the other side");
    hover(root, 0, 0);
    await until(() => readout(root).startsWith("row 1, column 1 is attended by"), "the key");
    expect(heat(root)).not.toBe(out);
    click(root, 0, 0);
    click(root, 0, 1, { shiftKey: true });
    expectState(host, { pinned_queries: [], pinned_keys: [1, 2] });
    send(find(root, ".picture"), "pointerleave", [0, 0]);
    await until(() => readout(root).includes("(sum of 2"), "the sum");
  });

  it("show heads side by side, and hover in one moves all", async () => {
    const { root } = await ready(await classifier({ combine: "each" }, 3));
    expect(pictures(root)).toHaveLength(3);
    expect(all(root, ".head-name").map((name) => name.textContent)).toEqual(["head 0", "head 1", "head 2"]);
    const before = [0, 1, 2].map((head) => heat(root, head));
    expect(new Set(before).size).toBe(3);
    hover(root, 1, 1, 1);
    await until(() => readout(root).startsWith("row 2, column 2 attends to"), "the patch");
    for (const head of [0, 1, 2]) expect(heat(root, head)).not.toBe(before[head]);
  });

  it("are walked with arrows, pinned with Enter and left with Escape", async () => {
    const { root, host } = await ready(await classifier());
    const picture = find(root, ".picture");
    await userEvent.click(find(root, 'button[title^="zoom in"]'));
    await userEvent.click(find(root, 'button[title^="show the whole"]'));
    picture.focus();
    expect(picture.dataset).toMatchObject({ side: "query", index: "1", cursor: "1" });
    await userEvent.keyboard("{ArrowRight}");
    await userEvent.keyboard("{ArrowRight}{ArrowDown}");
    const cursor = Number(picture.dataset.cursor);
    expect([8, 9]).toContain(cursor);
    await until(() => readout(root).startsWith("row 2, column"), "the sentence");
    expect(picture.getAttribute("aria-label")).toMatch(
      /60 by 40 pixels, 4 by 6 patches; at row 2, column \d/,
    );
    await userEvent.keyboard("{Enter}");
    expectState(host, { pinned_queries: [cursor] });
    await userEvent.keyboard("{ArrowRight}");
    await userEvent.keyboard("{Shift>}{Enter}{/Shift}");
    expectState(host, { pinned_queries: [cursor, cursor + 1] });
    await userEvent.keyboard("{Escape}");
    expectState(host, { pinned_queries: [] });
    expect(focused()).toBe(picture);
  });

  it("answer from words by keys, too", async () => {
    const { root } = await ready(await classifier());
    token(root, "query", 0).focus();
    await userEvent.keyboard("{ArrowDown}");
    expect(focused()?.className).toBe("picture");
  });

  it("are zoomed by buttons, keys and a wheel with Ctrl; the plain wheel is the page's", async () => {
    const { root } = await ready(await classifier());
    const picture = find(root, ".picture");
    const shown = pixels(canvasOf(root, "base"));
    const wheel = (ctrlKey: boolean) => {
      const [clientX, clientY] = patchAt(root, 1, 1);
      const event = new WheelEvent("wheel", {
        deltaY: -120,
        ctrlKey,
        clientX,
        clientY,
        bubbles: true,
        composed: true,
        cancelable: true,
      });
      picture.dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect(wheel(false)).toBe(false);
    await frame();
    expect(picture.dataset.zoomed).toBeUndefined();
    expect(wheel(true)).toBe(true);
    await until(() => picture.dataset.zoomed !== undefined, "the zoom");
    expect(pixels(canvasOf(root, "base"))).not.toBe(shown);
    const part = pixels(canvasOf(root, "base"));
    const [x, y] = patchAt(root, 1, 1);
    send(picture, "pointerdown", [x, y], { buttons: 1 });
    for (const by of [5, 20, 40]) send(picture, "pointermove", [x + by, y + by], { buttons: 1 });
    send(picture, "pointerup", [x + 40, y + 40]);
    await until(() => pixels(canvasOf(root, "base")) !== part, "the drag");
    await userEvent.click(find(root, '[data-choose="matrix"]'));
    await until(() => root.querySelector('[data-view="matrix"]'), "the matrix");
    await userEvent.click(find(root, '[data-choose="overlay"]'));
    await until(
      () => root.querySelector<HTMLElement>(".picture")?.dataset.zoomed !== undefined,
      "the same part",
    );
    const again = find(root, ".picture");
    again.focus();
    await userEvent.keyboard("0");
    await until(() => again.dataset.zoomed === undefined, "the whole");
    await userEvent.keyboard("+{Shift>}{ArrowRight}{/Shift}");
    await until(() => again.dataset.zoomed !== undefined, "the zoom by keys");
    expect(focused()).toBe(again);
    await userEvent.keyboard("0");
    await until(() => again.dataset.zoomed === undefined, "the whole again");
    await until(() => pixels(canvasOf(root, "base")) === shown, "the same picture");
  });

  it("names sinks, sets them aside and puts them back", async () => {
    const values = new Float32Array(25 * 25).fill(0.3 / 24);
    for (let query = 0; query < 25; query++) values[query * 25 + 8] = 0.7;
    const layers = [{ heads: 1, queries: 25, keys: 25, values }];
    const { root, host } = await ready({ ...(await classifier()), _block: blockTrait({ layers }) });
    expect(account(root)).toContain("1 patch takes 70 %, and much of every row: perhaps a sink");
    const before = heat(root);
    await userEvent.click(find(root, ".account button[title^='leave']"));
    expectState(host, { aside: [8], special: "renormalise" });
    await until(() => heat(root) !== before, "the rest");
    expect(account(root)).toMatch(/image, set aside70 %.*71\.\d % set aside/);
    await userEvent.click(find(root, ".account button[title^='paint']"));
    expectState(host, { aside: [], special: "show" });
    await until(() => heat(root) === before, "what was");
  });

  it("set special tokens aside, and say how much", async () => {
    const { root, host } = await ready(await classifier({ pinned_queries: [0] }));
    expect(account(root)).toMatch(/image\d.*\[CLS\]\d/);
    host.fromPython({ special: "renormalise", aside: [3] });
    await until(() => /% set aside/.test(account(root)), "the account");
    await userEvent.click(find(root, ".account button[title^='paint']"));
    expectState(host, { aside: [], special: "show" });
  });
});

describe("boxes", () => {
  it("are hovered, the smallest first, and named", async () => {
    const { root, host } = await ready(await detector());
    const [marks, mean] = [pixels(canvasOf(root, "overlay")), heat(root)];
    hover(root, 1, 1);
    await until(() => readout(root).startsWith("nose 0.8 attends to"), "the inner box");
    expect(heat(root)).not.toBe(mean);
    expect(pixels(canvasOf(root, "overlay"))).not.toBe(marks);
    hover(root, 0, 0);
    await until(() => readout(root).startsWith("cat 0.9 attends to"), "the outer box");
    hover(root, 0, 5);
    await until(() => readout(root).startsWith("row 1, column 6 is attended by"), "a patch beside them");
    click(root, 3, 5);
    expectState(host, { pinned_queries: [2] });
    const tools = find(root, ".overlay-tools");
    await until(() => tools.textContent?.includes("box 3 of 3"), "the place among boxes");
  });
});

describe("two views", () => {
  it("share pins, and what one points at lights up on the picture", async () => {
    const { root } = await ready(await classifier({ beside: "lines" }), { width: 1000 });
    const before = heat(root);
    await userEvent.hover(find(root, '[data-view="lines"] [data-side="query"][data-index="5"]'));
    await until(() => heat(root) !== before, "the patch of the lines");
    await userEvent.click(find(root, '[data-view="lines"] [data-side="query"][data-index="0"]'));
    await until(() => token(find(root, ".words"), "query", 0).ariaSelected === "true", "the pin");
  });
});

describe("states", () => {
  it("has a place for no head", async () => {
    const { root } = await ready(await caption({ heads: null }));
    expect(find(root, ".overlay-body .message").textContent).toMatch(/No head is shown/);
  });

  it("says so where a picture can't be decoded", async () => {
    const broken = {
      scene: { type: "image/png", data: new DataView(new ArrayBuffer(9)), width: 60, height: 40 },
    };
    const { root } = await ready(await caption({ _images: broken }));
    await until(() => /decoded/.test(find(root, ".note").textContent ?? ""), "why");
    expect(inked(canvasOf(root, "base"))).toBeGreaterThan(0);
  });

  it("waits for a picture that has not come", async () => {
    const { root, host } = mount(await caption({ _images: {} }));
    for (let frames = 0; frames < 5; frames++) await frame();
    expect(root.dataset.status).toBe("loading");
    host.fromPython({ _images: (await caption())._images });
    await until(() => root.dataset.status === "ready", "the picture");
  });

  it("asks for what is not here, and says so where there is no kernel", async () => {
    const far = { ...(await caption()), _block: null };
    const { root, host } = await ready(far);
    expect(readout(root)).toMatch(/^hover a patch/);
    await userEvent.hover(token(root, "query", 1));
    await until(() => host.sent.some((sent) => (sent as { kind?: string }).kind === "rows"), "the request");
    expect(readout(root)).toMatch(/^red — loading/);
    const alone = await ready(far, { kind: { sends: false } });
    await userEvent.hover(token(alone.root, "query", 1));
    await until(() => /need a running kernel/.test(readout(alone.root)), "why");
  });

  it.each([320, 559, 900])("fits %d pixels, the account below where there is little room", async (width) => {
    const { root } = await ready(await classifier({ combine: "each" }, 4), { width });
    const area = find(root, ".overlay").getBoundingClientRect();
    for (const picture of pictures(root)) {
      const { left, right } = picture.getBoundingClientRect();
      expect(left).toBeGreaterThanOrEqual(area.left - 0.5);
      expect(right).toBeLessThanOrEqual(area.right + 0.5);
    }
    const below =
      find(root, ".account").getBoundingClientRect().top >
      (pictures(root)[0] as HTMLElement).getBoundingClientRect().bottom;
    expect(below).toBe(width < 600);
  });

  it("honours a height", async () => {
    const { root } = await ready(await caption({ height: 150 }));
    expect(find(root, ".pictures").getBoundingClientRect().height).toBeLessThanOrEqual(150.5);
  });
});

describe.each(["light", "dark"])("in the %s theme", (theme) => {
  it.each([
    ["a caption", () => caption({ theme, pinned_queries: [1] })],
    ["heads of patches", () => classifier({ theme, combine: "each", pinned_queries: [0] }, 2)],
    ["boxes", () => detector({ theme })],
  ])("%s are accessible", async (_, given) => {
    const { el, root } = await ready(await given());
    await userEvent.click(find(root, 'button[title^="filters"]'));
    const { violations } = await axe.run(el, { rules: { region: { enabled: false } } });
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual(
      [],
    );
  });
});

it("sends nothing to Python for hover unless asked", async () => {
  const { root, host } = await ready(await classifier());
  const before = host.sent.length;
  hover(root, 1, 1);
  await until(() => readout(root).startsWith("row 2, column 2"), "the patch");
  for (let frames = 0; frames < 12; frames++) await frame();
  expect(host.sent.length).toBe(before);
});

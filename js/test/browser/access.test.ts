import axe from "axe-core";
import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import type { Rgb } from "../../src/lines/scene.ts";
import { COMBINED } from "../../src/lines/scene.ts";
import { MOST_TINT } from "../../src/lines/tokens.ts";
import { headColour } from "../../src/scale/palette.ts";
import type { Theme } from "../../src/theme.ts";
import css from "../../src/widget.css?inline";
import { attention, blockTrait, mapTraits } from "../fakes.ts";
import {
  all,
  endAll,
  find,
  focused,
  frame,
  type Mounted,
  mount,
  readout,
  ready,
  settled,
  token,
  until,
} from "./mounted.ts";

afterEach(async () => {
  await endAll();
  document.body.removeAttribute("style");
});

const THEMES: readonly Theme[] = ["light", "dark"];
const words = (starts: number[]) => ({ starts, labels: starts.map((s) => `word${s}`), special: [0] });
const traits = (more: Record<string, unknown> = {}) => ({
  ...mapTraits({
    layers: [attention(12, 6, 7, 1, 9), attention(12, 6, 7, 2)],
    queries: {
      labels: ["[CLS]", "see", "my", "beautiful", "cat", ""],
      special: [0],
      words: words([0, 1, 4]),
    },
    keys: {
      labels: ["<s>", "vois", "mon", "beau", "chat", ".", "</s>"],
      special: [0, 6],
      words: words([0, 3, 4]),
    },
    maps: ["encoder", "decoder"],
    steps: 2,
  }),
  map: "encoder",
  step: 0,
  layer: 0,
  heads: [],
  pinned_queries: [],
  pinned_keys: [],
  ...more,
});

type Scene = readonly [name: string, open: (theme: Theme) => Promise<Mounted>];

const hover = (root: HTMLElement, side: "query" | "key", index: number) =>
  token(root, side, index).dispatchEvent(new PointerEvent("pointerover", { bubbles: true, composed: true }));

const SCENES: readonly Scene[] = [
  ["at rest", (theme) => ready(traits({ theme }))],
  ["in rows", (theme) => ready(traits({ theme, orientation: "horizontal", pinned_queries: [3] }))],
  [
    "with every panel open",
    async (theme) => {
      const made = await ready(traits({ theme, mass: 0.5 }));
      for (const panel of all(made.root, ".panel")) panel.removeAttribute("hidden");
      return made;
    },
  ],
  [
    "with pins and a hovered token",
    async (theme) => {
      const made = await ready(traits({ theme, heads: [0], pinned_queries: [2, 3], pinned_keys: [0] }));
      hover(made.root, "query", 4);
      await until(() => readout(made.root).startsWith("cat"), "the hover");
      return made;
    },
  ],
  ["with special tokens hidden", (theme) => ready(traits({ theme, special: "hide", pinned_queries: [1] }))],
  ["without heads", (theme) => ready(traits({ theme, heads: null }))],
  [
    "scrolled through many tokens",
    async (theme) => {
      const weights = attention(2, 300, 300);
      const made = await ready({
        ...mapTraits({ layers: [weights], keys: null }),
        ...{ theme, map: "m", layer: 0, heads: [], pinned_queries: [150], pinned_keys: [], whole: null },
      });
      await until(
        () => all(made.root, ".beyond").some((mark) => !mark.hidden),
        "marks of what is out of sight",
      );
      return made;
    },
  ],
  [
    "without a kernel",
    (theme) => {
      const layers = [attention(12, 6, 7)];
      return ready(
        { ...traits({ theme, layer: 1 }), _block: blockTrait({ layers }) },
        { kind: { sends: false } },
      );
    },
  ],
  [
    "failed",
    async (theme) => {
      const made = mount({ ...traits({ theme }), ...mapTraits({ v: 7 }) });
      await until(() => made.root.dataset.status === "error", "the failure");
      return made;
    },
  ],
];

describe.each(THEMES)("axe finds nothing wrong in the %s theme", (theme) => {
  it.each(SCENES)("%s", async (_, open) => {
    document.body.style.background = theme === "dark" ? "#111" : "#fff";
    const { el, root } = await open(theme);
    expect(root.dataset.theme).toBe(theme);
    await frame();
    const { violations, incomplete, passes } = await axe.run(el, {
      // A widget is a part of a page: landmarks are the page's.
      rules: { region: { enabled: false } },
    });
    const told = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join("\n")}`,
    );
    expect(told).toEqual([]);
    expect(incomplete.filter(({ id }) => id.startsWith("aria")).map(({ id }) => id)).toEqual([]);
    expect(passes.length).toBeGreaterThan(5);
  });
});

describe.each(THEMES)("contrast in the %s theme", (theme) => {
  const table = tableOf(theme);
  const tint = (head: number, under: Rgb, share = MOST_TINT): Rgb =>
    mixed(headColour(head, theme), under, share);
  const heads = [...Array.from({ length: 36 }, (_, head) => head), COMBINED];

  it.each([
    ["text", "surface"],
    ["text", "raised"],
    ["text", "accent-soft"],
    ["muted", "surface"],
    ["muted", "raised"],
  ] as const)("%s on %s can be read", (ink, ground) => {
    expect(contrast(table[ink], table[ground])).toBeGreaterThanOrEqual(4.5);
  });

  it("labels can be read on the strongest tint of every head", () => {
    for (const head of heads) {
      expect(contrast(table.text, tint(head, table.surface)), `head ${head}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("the focus ring and the frame of a pin stand out", () => {
    expect(contrast(table.accent, table.surface)).toBeGreaterThanOrEqual(3);
  });

  it("lines of full strength stand out, of every head", () => {
    for (const head of heads.filter((one) => one < 12 || one === COMBINED)) {
      expect(contrast(headColour(head, theme), table.surface), `head ${head}`).toBeGreaterThanOrEqual(3);
    }
  });
});

describe.each(THEMES)("what is on screen in the %s theme", (theme) => {
  it("can be read, special tokens and numbers included", async () => {
    const { root, host } = await ready(traits({ theme, heads: [0], special: "show" }));
    const surface = tableOf(theme).surface;
    for (const special of ["show", "hide"]) {
      host.fromPython({ special });
      await settled(root);
      for (let index = 0; index < 6; index++) {
        hover(root, "query", index);
        await frame();
        await frame();
        for (const one of all(root, ".token")) {
          const label = find(one, ".label");
          const background = getComputedStyle(one, "::before").backgroundColor;
          const style = getComputedStyle(label);
          expect(style.opacity).toBe("1");
          const ratio = contrast(channels(style.color), over(background, surface));
          const what = `${label.textContent} ${special}: ${style.color} on ${background}`;
          expect(ratio, what).toBeGreaterThanOrEqual(4.5);
          const number = getComputedStyle(find(one, ".number"));
          expect(contrast(channels(number.color), surface)).toBeGreaterThanOrEqual(4.5);
        }
      }
    }
  });
});

describe("the keyboard", () => {
  it("reaches every control, in the order they are seen", async () => {
    const { root } = await ready(traits());
    await userEvent.click(find(root, ".bar .end button"));
    const controls = all(root, "button, select, input, [tabindex='0']").filter(
      (one) => one.offsetParent !== null && !(one as HTMLButtonElement).disabled && one.tabIndex >= 0,
    );
    controls[0]?.focus();
    const reached: (HTMLElement | null)[] = [focused()];
    for (let i = 1; i < controls.length; i++) {
      await userEvent.tab();
      reached.push(focused());
    }
    expect(reached.map(nameOf)).toEqual(controls.map(nameOf));
    await userEvent.tab();
    expect(controls).not.toContain(focused());
  });

  it("reads every weight: a query, across to a key, and out again", async () => {
    const { root } = await ready(traits({ heads: [5] }));
    const weights = attention(12, 6, 7, 1, 9).values.subarray(5 * 42, 6 * 42);
    for (const [query, key] of [
      [1, 6],
      [4, 0],
      [5, 5],
    ] as const) {
      token(root, "query", 0).focus();
      await userEvent.keyboard("{Escape}{Home}");
      await userEvent.keyboard(`${"{ArrowDown}".repeat(query)}{Enter}{ArrowRight}{Home}`);
      await userEvent.keyboard(`${"{ArrowDown}".repeat(key)}{Shift>}{Enter}{/Shift}`);
      expect(focused()?.dataset.index).toBe(String(key));
      focused()?.blur();
      const weight = Number((weights[query * 7 + key] as number).toPrecision(3));
      const end = ` ${weight} (head 5)`;
      await until(() => readout(root).endsWith(end), `the weight${end}, of “${readout(root)}”`);
    }
  });

  it("has what is reached said aloud, and what is pinned", async () => {
    const { root } = await ready(traits({ heads: [5] }));
    const live = find(root, ".live");
    expect(live.getAttribute("aria-live")).toBe("polite");
    find(root, ".bar .end button:last-child").focus();
    await userEvent.tab();
    await until(() => live.textContent?.startsWith("[CLS] attends to"), "the first token");
    await userEvent.keyboard("{ArrowDown}");
    await until(() => live.textContent?.startsWith("see attends to"), "the next");
    expect(focused()?.getAttribute("role")).toBe("option");
    expect(focused()?.getAttribute("aria-selected")).toBe("false");
    await userEvent.keyboard("{Enter}");
    expect(focused()?.getAttribute("aria-selected")).toBe("true");
  });
});

const nameOf = (element: HTMLElement | null): string =>
  `${element?.tagName} ${element?.getAttribute("aria-label") ?? element?.closest("label")?.textContent ?? element?.textContent}`;

/** The colours of widget.css by name. */
function tableOf(
  theme: Theme,
): Record<"text" | "muted" | "surface" | "raised" | "accent" | "accent-soft", Rgb> {
  const table: Record<string, Rgb> = {};
  const rules = [".attn-widget {", ...(theme === "dark" ? ['.attn-widget[data-theme="dark"] {'] : [])];
  for (const rule of rules) {
    const start = css.indexOf(rule);
    const body = css.slice(start, css.indexOf("}", start));
    for (const [, name = "", hex = ""] of body.matchAll(/--([a-z-]+): #([0-9a-f]{6});/g)) {
      table[name] = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as unknown as Rgb;
    }
  }
  return table as ReturnType<typeof tableOf>;
}

const mixed = (ink: Rgb, under: Rgb, share: number): Rgb =>
  ink.map((value, i) => share * value + (1 - share) * (under[i] as number)) as unknown as Rgb;

/** Channels of a computed colour. */
function channels(colour: string): Rgb {
  return (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number) as unknown as Rgb;
}

function over(colour: string, under: Rgb): Rgb {
  const [, , , alpha = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return mixed(channels(colour), under, alpha);
}

/** Contrast ratio of two colours (WCAG 2.2). */
function contrast(one: Rgb, other: Rgb): number {
  const luminance = (rgb: Rgb): number => {
    const [red, green, blue] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    }) as unknown as Rgb;
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/// <reference types="@vitest/browser-playwright" />
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cdp } from "vitest/browser";
import { detectTheme, observeTheme, type Theme } from "../../src/theme.ts";

const root = document.documentElement;
const before = new Map<Element, [string, string][]>();

const attributesOf = (element: Element) =>
  [...element.attributes].map(({ name, value }): [string, string] => [name, value]);

/** A place for a widget in the page, inside elements given from the outside in. */
function page(html = '<div class="here"></div>'): HTMLElement {
  const room = document.createElement("section");
  room.innerHTML = html;
  document.body.append(room);
  return room.querySelector(".here") as HTMLElement;
}

/** The widget's element in a shadow root of `host`. */
function inShadow(host: Element): HTMLElement {
  const element = document.createElement("div");
  (host.shadowRoot ?? host.attachShadow({ mode: "open" })).append(element);
  return element;
}

beforeEach(() => {
  for (const element of [root, document.body]) before.set(element, attributesOf(element));
});

afterEach(() => {
  document.body.replaceChildren();
  for (const [element, attributes] of before) {
    for (const [name] of attributesOf(element)) element.removeAttribute(name);
    for (const [name, value] of attributes) element.setAttribute(name, value);
  }
});

/** Make the operating system's theme this one, or what it was. */
async function setSystem(theme: Theme | ""): Promise<void> {
  const features = [{ name: "prefers-color-scheme", value: theme }];
  await cdp().send("Emulation.setEmulatedMedia", { features });
}

const system = (): Theme => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

/** Each host's way of saying a theme, in the order in which they are believed. */
const HOSTS: readonly [host: string, say: (element: HTMLElement, theme: Theme) => void][] = [
  ["JupyterLab", (_, theme) => document.body.setAttribute("data-jp-theme-light", String(theme === "light"))],
  ["VS Code", (_, theme) => document.body.setAttribute("data-vscode-theme-kind", `vscode-${theme}`)],
  ["Colab", (_, theme) => root.setAttribute("theme", theme)],
  ["marimo", (element, theme) => element.parentElement?.classList.add(theme)],
  ["Sphinx", (element, theme) => element.parentElement?.setAttribute("data-theme", theme)],
  [
    "a background",
    (element, theme) => {
      (element.parentElement as HTMLElement).style.background = theme === "dark" ? "#17191c" : "#fafafa";
    },
  ],
];

describe("detectTheme", () => {
  it.each(["dark", "light"] as const)("falls back to a %s operating system", async (theme) => {
    await setSystem(theme);
    expect(detectTheme(page())).toBe(theme);
    await setSystem("");
  });

  it.each(HOSTS)("hears %s", (_, say) => {
    const element = page();
    say(element, "dark");
    expect(detectTheme(element)).toBe("dark");
  });

  it.each(HOSTS)("hears a light %s", (_, say) => {
    const element = page();
    say(element, "light");
    expect(detectTheme(element)).toBe("light");
  });

  const pairs = HOSTS.slice(1).map((after, i) => [HOSTS[i]!, after] as const);
  it.each(pairs.map(([first, second]) => [first[0], second[0], first[1], second[1]] as const))(
    "believes %s before %s",
    (_, __, first, second) => {
      for (const [one, other] of [
        ["dark", "light"],
        ["light", "dark"],
      ] as const) {
        const element = page();
        first(element, one);
        second(element, other);
        // The class of one theme stays beside that of the other on the same element.
        element.parentElement?.classList.remove(other);
        expect(detectTheme(element)).toBe(one);
        element.parentElement?.remove();
        root.removeAttribute("theme");
      }
    },
  );

  it("believes what is chosen before all", () => {
    const element = page();
    for (const [, say] of HOSTS) say(element, "dark");
    expect(detectTheme(element, "light")).toBe("light");
    expect(detectTheme(element, "auto")).toBe("dark");
  });

  it.each([
    ["vscode-dark", "dark"],
    ["vscode-light", "light"],
    ["vscode-high-contrast", "dark"],
    ["vscode-high-contrast-light", "light"],
    ["vscode-high-contrast vscode-high-contrast-light", "light"],
  ] as const)("hears VS Code's class %s", (name, theme) => {
    document.body.className = name;
    expect(detectTheme(page())).toBe(theme);
  });

  it("takes the nearest class, walking out through shadow hosts and slots", () => {
    const outer = page('<div class="dark"><div class="light"><div class="here"></div></div></div>');
    expect(detectTheme(inShadow(outer))).toBe("light");
    outer.classList.add("dark");
    expect(detectTheme(inShadow(outer))).toBe("dark");

    const host = page();
    const shadow = host.attachShadow({ mode: "open" });
    shadow.innerHTML = '<div class="dark"><slot></slot></div>';
    const slotted = document.createElement("div");
    host.append(slotted);
    expect(detectTheme(slotted)).toBe("dark");
  });

  it.each([
    ["data-md-color-scheme", "slate", "dark"],
    ["data-md-color-scheme", "default", "light"],
    ["data-theme", "dark", "dark"],
    ["data-theme", "light", "light"],
  ] as const)("hears %s=%s", (name, value, theme) => {
    root.setAttribute(name, value);
    expect(detectTheme(page())).toBe(theme);
  });

  it("passes over values that name no theme", () => {
    root.setAttribute("data-theme", "dark");
    document.body.setAttribute("data-theme", "auto");
    document.body.setAttribute("data-jp-theme-light", "");
    root.setAttribute("theme", "");
    expect(detectTheme(page())).toBe("dark");
  });

  it("does not listen to itself", () => {
    root.setAttribute("data-theme", "dark");
    const element = page();
    element.setAttribute("data-theme", "light");
    element.classList.add("light");
    element.style.background = "white";
    expect(detectTheme(element)).toBe("dark");
  });

  it.each([
    ["#000", "dark"],
    ["rgb(40 44 52)", "dark"],
    ["white", "light"],
    ["rgb(255 255 255 / 1)", "light"],
    ["hsl(48 100% 90%)", "light"],
    ["oklch(0.2 0.02 260)", "dark"],
    ["oklch(0.97 0.01 260)", "light"],
    ["color(display-p3 0.1 0.1 0.15)", "dark"],
    ["color-mix(in oklab, white 90%, black)", "light"],
  ] as const)("judges the background %s as %s", (background, theme) => {
    document.body.style.background = theme === "dark" ? "white" : "black";
    const element = page('<div style="background: transparent"><div class="here"></div></div>');
    (element.closest("section") as HTMLElement).style.background = background;
    expect(detectTheme(element)).toBe(theme);
  });

  it("looks through backgrounds that are not opaque", () => {
    document.body.style.background = "white";
    const element = page('<div style="background: rgb(0 0 0 / 0.5)"><div class="here"></div></div>');
    expect(detectTheme(element)).toBe("light");
  });

  it("answers for an element that is in no document", () => {
    expect(detectTheme(document.createElement("div"))).toBe(system());
  });
});

describe("observeTheme", () => {
  /** Mutation observers report after the current task. */
  const settled = () => new Promise((resolve) => setTimeout(resolve));

  function observed(element: Element, explicit: () => "auto" | Theme = () => "auto") {
    const seen: Theme[] = [];
    const controller = new AbortController();
    const look = observeTheme(element, explicit, (theme) => seen.push(theme), controller.signal);
    return { seen, look, stop: () => controller.abort() };
  }

  it("tells the theme at once, then every change, until it is stopped", async () => {
    root.setAttribute("data-theme", "light");
    const { seen, look, stop } = observed(inShadow(page()));
    expect(seen).toEqual(["light"]);
    root.setAttribute("data-theme", "dark");
    await settled();
    expect(seen).toEqual(["light", "dark"]);
    document.body.setAttribute("data-jp-theme-light", "true");
    await settled();
    expect(seen).toEqual(["light", "dark", "light"]);
    document.body.setAttribute("data-jp-theme-light", "true");
    await settled();
    expect(seen).toHaveLength(3);
    stop();
    document.body.setAttribute("data-jp-theme-light", "false");
    await settled();
    look();
    expect(seen).toHaveLength(3);
  });

  it("watches every element out to the page, through shadow hosts", async () => {
    const host = page('<div class="light"><div class="here"></div></div>');
    const { seen, stop } = observed(inShadow(inShadow(host)));
    (host.parentElement as HTMLElement).className = "dark";
    await settled();
    host.className = "light";
    await settled();
    expect(seen).toEqual(["light", "dark", "light"]);
    stop();
  });

  it("follows a background that changes", async () => {
    const element = page('<div style="background: white"><div class="here"></div></div>');
    const { seen, stop } = observed(element);
    (element.parentElement as HTMLElement).style.background = "black";
    await settled();
    expect(seen).toEqual(["light", "dark"]);
    stop();
  });

  it("follows the operating system", async () => {
    await setSystem("light");
    const { seen, stop } = observed(page());
    await setSystem("dark");
    await expect.poll(() => seen).toEqual(["light", "dark"]);
    stop();
    await setSystem("");
  });

  it("looks again when asked: after a choice, and after being attached elsewhere", async () => {
    let choice: "auto" | Theme = "auto";
    const element = page('<div class="dark"><div class="here"></div></div>');
    const { seen, look, stop } = observed(element, () => choice);
    choice = "light";
    look();
    choice = "auto";
    page('<div class="light"><div class="here"></div></div>').append(element);
    look();
    expect(seen).toEqual(["dark", "light"]);
    (element.closest(".light") as HTMLElement).className = "dark";
    await settled();
    expect(seen).toEqual(["dark", "light", "dark"]);
    stop();
  });
});

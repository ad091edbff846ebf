/**
 * The theme of the page around the widget. Hosts say it in different places; a page that says
 * nothing is judged by the background it paints, and only then by the operating system, because a
 * light notebook on a dark desktop is common.
 */

export type Theme = "light" | "dark";

/**
 * Detects the theme around `element`, in this order: `explicit` unless it is "auto"; JupyterLab; VS
 * Code; Colab; the nearest ancestor of class `dark` or `light` (marimo), walking out through shadow
 * hosts; the nearest `data-theme` or `data-md-color-scheme` (Sphinx, Quarto, mkdocs); the luminance of
 * the first opaque background behind the element; the operating system.
 *
 * What the element itself carries does not count: it is where the answer is written.
 */
export function detectTheme(element: Element, explicit: "auto" | Theme = "auto"): Theme {
  if (explicit !== "auto") return explicit;
  const { body, documentElement } = element.ownerDocument;
  const around = ancestors(element);
  return (
    jupyterTheme(body) ??
    codeTheme(body) ??
    named(documentElement.getAttribute("theme")) ??
    first(around, classTheme) ??
    first(around, attributeTheme) ??
    first(around, backgroundTheme) ??
    (systemQuery(element)?.matches ? "dark" : "light")
  );
}

/**
 * Calls `onChange` with the theme now and whenever it becomes another one, until `signal` aborts.
 *
 * @returns A function that looks again: to be called when `explicit` changes, and when the element has
 *   been attached or moved, since its ancestors are watched as they were at the last look.
 */
export function observeTheme(
  element: Element,
  explicit: () => "auto" | Theme,
  onChange: (theme: Theme) => void,
  signal: AbortSignal,
): () => void {
  let theme: Theme | undefined;
  const observer = new MutationObserver(() => look());

  const look = () => {
    if (signal.aborted) return;
    observer.disconnect();
    for (const watched of new Set([...ancestors(element), ...documentRoots(element)])) {
      observer.observe(watched, { attributes: true, attributeFilter: WATCHED });
    }
    const found = detectTheme(element, explicit());
    if (found === theme) return;
    theme = found;
    onChange(found);
  };

  systemQuery(element)?.addEventListener("change", look, { signal });
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  look();
  return look;
}

const WATCHED = [
  "class",
  "style",
  "theme",
  "data-theme",
  "data-md-color-scheme",
  "data-jp-theme-light",
  "data-vscode-theme-kind",
];

const documentRoots = ({ ownerDocument: { documentElement, body } }: Element): Element[] =>
  body ? [documentElement, body] : [documentElement];

const systemQuery = (element: Element): MediaQueryList | undefined =>
  element.ownerDocument.defaultView?.matchMedia("(prefers-color-scheme: dark)");

/** The elements around `element` as they are drawn, nearest first: slots and shadow hosts included. */
function ancestors(element: Element): Element[] {
  const found: Element[] = [];
  for (let next = outward(element); next; next = outward(next)) found.push(next);
  return found;
}

function outward(element: Element): Element | null {
  if (element.assignedSlot) return element.assignedSlot;
  if (element.parentElement) return element.parentElement;
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

function first(
  elements: readonly Element[],
  themeOf: (element: Element) => Theme | undefined,
): Theme | undefined {
  for (const element of elements) {
    const theme = themeOf(element);
    if (theme) return theme;
  }
  return undefined;
}

const named = (value: string | null | undefined): Theme | undefined =>
  value === "dark" || value === "light" ? value : undefined;

function jupyterTheme(body: HTMLElement | null): Theme | undefined {
  const light = body?.dataset.jpThemeLight;
  if (light === "true") return "light";
  return light === "false" ? "dark" : undefined;
}

function codeTheme(body: HTMLElement | null): Theme | undefined {
  if (!body) return undefined;
  const kinds = [body.dataset.vscodeThemeKind, ...body.classList];
  for (const kind of kinds) {
    if (kind === "vscode-light" || kind === "vscode-high-contrast-light") return "light";
  }
  return kinds.includes("vscode-dark") || kinds.includes("vscode-high-contrast") ? "dark" : undefined;
}

function classTheme({ classList }: Element): Theme | undefined {
  if (classList.contains("dark")) return "dark";
  return classList.contains("light") ? "light" : undefined;
}

function attributeTheme(element: Element): Theme | undefined {
  const scheme = element.getAttribute("data-md-color-scheme");
  const material = scheme === "slate" ? "dark" : scheme === "default" ? "light" : named(scheme);
  return named(element.getAttribute("data-theme")) ?? material;
}

function backgroundTheme(element: Element): Theme | undefined {
  const rgba = parseColour(getComputedStyle(element).backgroundColor);
  if (!rgba || rgba[3] < 1) return undefined;
  return luminance(rgba) < 0.5 ? "dark" : "light";
}

type Rgba = readonly [red: number, green: number, blue: number, alpha: number];

/** Reads a computed colour; channels 0..255, alpha 0..1. */
function parseColour(css: string): Rgba | undefined {
  const plain = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(css);
  if (plain) return [Number(plain[1]), Number(plain[2]), Number(plain[3]), Number(plain[4] ?? 1)];
  return paintedColour(css);
}

/** What `css` paints: the browser itself converts `oklch()`, `color()` and whatever comes after them. */
function paintedColour(css: string): Rgba | undefined {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  if (!context) return undefined;
  context.fillStyle = css;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0, alpha = 0] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}

/** Perceived lightness of a colour, 0..1 (Rec. 601 luma). */
const luminance = ([red, green, blue]: Rgba): number => (0.299 * red + 0.587 * green + 0.114 * blue) / 255;

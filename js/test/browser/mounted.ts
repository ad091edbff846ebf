/** The widget in a page, in a fake host: as a person finds it. */
import { expect } from "vitest";
import { userEvent } from "vitest/browser";
import entry from "../../src/index.ts";
import { FakeHost, type HostKind } from "../fakes.ts";

/** What anywidget calls with a view. */
type View = Parameters<ReturnType<typeof entry>["render"]>[0];

export interface Mounted {
  readonly host: FakeHost;
  /** What the host gave to render into. */
  readonly el: HTMLElement;
  readonly root: HTMLElement;
  readonly end: () => void;
}

export interface MountOptions {
  readonly kind?: HostKind;
  readonly width?: number;
  readonly host?: FakeHost;
  /** The widget's factory, where several views are to share it. */
  readonly widget?: ReturnType<typeof entry>;
  readonly attach?: boolean;
}

const mountedNow: Mounted[] = [];

export function mount(traits: Record<string, unknown>, options: MountOptions = {}): Mounted {
  const { kind = {}, width = 700, attach = true } = options;
  const host = options.host ?? new FakeHost(traits, kind);
  const widget = options.widget ?? entry();
  const el = document.createElement("div");
  el.style.width = `${width}px`;
  if (attach) document.body.append(el);
  const controller = new AbortController();
  const cleanup = widget.render({ model: host, el, signal: controller.signal } as unknown as View);
  const root = el.querySelector("div")?.shadowRoot?.querySelector<HTMLElement>(".attn-widget");
  if (!root) throw new Error("nothing was rendered");
  const end = () => {
    controller.abort();
    cleanup?.();
    el.remove();
  };
  const made = { host, el, root, end };
  mountedNow.push(made);
  return made;
}

/** Ends every view a test has left, and takes the pointer away from where the next one will be. */
export async function endAll(): Promise<void> {
  for (const { end } of mountedNow.splice(0)) end();
  await pointAway();
}

export const frame = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => resolve()));

/** Waits for what comes with the next frames, at most a few seconds of them. */
export async function until<T>(found: () => T | null | undefined | false, what: string): Promise<T> {
  const end = performance.now() + 8_000;
  for (;;) {
    const value = found();
    if (value) return value;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await frame();
  }
}

export const framesOf = (root: HTMLElement): number => Number(root.dataset.frame);

/** Waits until the base picture has been drawn and nothing more is to be drawn. */
export async function settled(root: HTMLElement): Promise<void> {
  await until(() => root.dataset.status === "ready", "the first picture");
  for (let calm = 0, seen = -1; calm < 6; calm++) {
    if (framesOf(root) !== seen) calm = 0;
    seen = framesOf(root);
    await frame();
  }
}

export async function ready(traits: Record<string, unknown>, options?: MountOptions): Promise<Mounted> {
  const made = mount(traits, options);
  await settled(made.root);
  return made;
}

export const find = <E extends HTMLElement = HTMLElement>(root: HTMLElement, selector: string): E => {
  const found = root.querySelector<E>(selector);
  if (!found) throw new Error(`no ${selector}`);
  return found;
};

export const all = (root: HTMLElement, selector: string): HTMLElement[] => [
  ...root.querySelectorAll<HTMLElement>(selector),
];

export const token = (root: HTMLElement, side: "query" | "key", index: number): HTMLElement =>
  find(root, `[data-side="${side}"][data-index="${index}"]`);

export const readout = (root: HTMLElement): string => find(root, ".readout").textContent ?? "";

/** What a canvas shows, as a string to compare. */
export function pixels(canvas: HTMLCanvasElement): string {
  const { width, height } = canvas;
  const data = canvas.getContext("2d")?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray();
  let hash = 0;
  for (const value of data) hash = (Math.imul(hash, 31) + value) | 0;
  return `${width} × ${height}: ${hash}`;
}

/** Pixels of a canvas that are not blank. */
export function inked(canvas: HTMLCanvasElement): number {
  const { width, height } = canvas;
  if (width === 0 || height === 0) return 0;
  const data = canvas.getContext("2d")?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray();
  let count = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i]) count++;
  return count;
}

export const base = (root: HTMLElement): HTMLCanvasElement => find(root, "canvas.base");
export const overlay = (root: HTMLElement): HTMLCanvasElement => find(root, "canvas.overlay");

/** Moves the pointer away from every widget. */
export async function pointAway(): Promise<void> {
  let away = document.querySelector<HTMLElement>("#away");
  if (!away) {
    away = document.createElement("div");
    away.id = "away";
    away.style.cssText = "position:fixed;right:0;bottom:0;width:8px;height:8px;z-index:9";
    document.body.append(away);
  }
  await userEvent.hover(away);
}

/** The element that has the focus, through shadow roots. */
export function focused(): HTMLElement | null {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element as HTMLElement | null;
}

/** Sets what a control holds, as a person does who then leaves it. */
export function choose(control: HTMLInputElement | HTMLSelectElement, value: string): void {
  control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
  control.dispatchEvent(new Event("change", { bubbles: true, composed: true }));
}

export function expectState(host: FakeHost, state: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(state)) expect([name, host.values[name]]).toEqual([name, value]);
}

/** Controls that show a part of the state and change it. */

import { h } from "../dom.ts";
import { on } from "../lifetime.ts";
import type { Model, State } from "../model.ts";

type Choices<V extends string> = readonly (readonly [value: V, text: string])[];
/** Names of the state whose values are one of some words. */
type ChoiceName = {
  [N in keyof State]: State[N] extends string | null ? N : never;
}[keyof State];

export function select(
  label: string,
  choices: readonly (readonly [value: string, text: string])[],
): HTMLSelectElement {
  const element = h("select", { "aria-label": label, title: label });
  options(element, choices, choices[0]?.[0] ?? "");
  return element;
}

/** Fill a select, touching it only where it differs: an open list must not flicker. */
export function options(
  element: HTMLSelectElement,
  choices: readonly (readonly [value: string, text: string])[],
  value: string,
): void {
  const same =
    element.options.length === choices.length &&
    choices.every(([choice, text], i) => {
      const option = element.options[i];
      return option?.value === choice && option.text === text;
    });
  if (!same)
    element.replaceChildren(...choices.map(([choice, text]) => h("option", { value: choice }, text)));
  if (element.value !== value) element.value = value;
}

/** A list of choices for a part of the state; "" stands for null. */
export function choice<N extends ChoiceName>(
  model: Model,
  name: N,
  label: string,
  choices: Choices<NonNullable<State[N]> | "">,
  signal: AbortSignal,
): HTMLLabelElement {
  const element = select(label, choices);
  const update = () => {
    element.value = model.state[name] ?? "";
  };
  on(element, "change", () => model.change({ [name]: element.value || null }), signal);
  model.subscribe(update, signal);
  update();
  return h("label", {}, label, element);
}

/** A box to tick for a part of the state, shown as `now` says. */
export function tick(
  model: Model,
  name: "words" | "whole",
  label: string,
  now: () => boolean,
  signal: AbortSignal,
): HTMLLabelElement {
  const element = h("input", { type: "checkbox" });
  const update = () => {
    element.checked = now();
  };
  on(element, "change", () => model.change({ [name]: element.checked }), signal);
  model.subscribe(update, signal);
  update();
  return h("label", {}, element, label);
}

/** A field for a number; what is no number, or below `least`, is put back. */
export function numberField(
  model: Model,
  attributes: Record<string, string | number>,
  now: () => number | null,
  take: (value: number | null) => void,
  signal: AbortSignal,
): HTMLInputElement {
  const element = h("input", { type: "number", ...attributes });
  const update = () => {
    element.value = String(now() ?? "");
  };
  const changed = () => {
    // A number field gives what is no number as nothing.
    if (!element.validity.badInput) {
      const value = element.value === "" ? null : Number(element.value);
      if (value === null || value >= Number(element.min)) take(value);
    }
    update();
  };
  on(element, "change", changed, signal);
  model.subscribe(update, signal);
  update();
  return element;
}

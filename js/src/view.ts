/** What a frame needs of a view, and what a view tells its frame. */

import type { Row } from "./export/csv.ts";
import type { Part } from "./export/picture.ts";
import type { Piece } from "./lines/reading.ts";
import type { Hovered } from "./lines/telling.ts";
import type { State } from "./model.ts";
import type { Theme } from "./theme.ts";

export type ViewName = State["view"];
export type Status = "loading" | "ready" | "error";

/** What stands around a view and shows what it finds. */
export interface Surroundings {
  /** The sentence on top: what is hovered or pinned, or a hint where nothing is. */
  readout(pieces: readonly Piece[], hint: boolean): void;
  /** Say it to a screen reader. */
  announce(text: string): void;
  status(status: Status, message?: string): void;
  /** A complete picture has been painted. */
  painted(): void;
  hovered(hovered: Hovered | null): void;
  /** The view of weights shown last: where a head chosen among all of them opens. */
  readonly lastView: ViewName | undefined;
}

export interface View {
  /** Carries `data-view`. */
  readonly element: HTMLElement;
  /** What colours and sizes mean, and what is left out; stands under the view. */
  readonly legend: HTMLElement;
  /** Controls of this view alone, for the options panel. */
  readonly options: readonly HTMLElement[];
  /** Gestures and keys of this view, for the help panel. */
  readonly help: readonly (readonly [gesture: string, does: string])[];
  set theme(theme: Theme);
  /** Width to fill, in CSS pixels. */
  resize(width: number): void;
  /** Fonts arrived or the device pixel ratio changed: measure and draw again. */
  refresh(): void;
  /** Larger (1) or smaller (−1): text or cells. */
  zoom(direction: 1 | -1): void;
  /** Another view on screen points at this, or no longer at anything. */
  point?(hovered: Hovered | null): void;
  /** What is on screen, for exports; null where nothing is. */
  still(): Part | null;
  /** The weights on screen, one row each. */
  rows(): Row[];
}

/** What the overlay paints: pictures, the weights on them, marks over them, and the account beside them. */

import { h, set, setText } from "../dom.ts";
import { INK } from "../export/compose.ts";
import type { State } from "../model.ts";
import { type Anchors, anchorsOf } from "../scale/colormap.ts";
import { headColour } from "../scale/palette.ts";
import { formatWeight } from "../scale/scale.ts";
import type { Side, Store } from "../store.ts";
import type { Theme } from "../theme.ts";
import * as lay from "./layout.ts";
import { OverlayLegend } from "./legend.ts";
import type { Marked, Marks } from "./paint.ts";
import type { AccountPanel } from "./panel.ts";
import { type Panel, type Rect, rectOf } from "./panels.ts";
import { type Cursor, Picture } from "./picture.ts";
import { type Focus, otherSide, type Shown, type Source } from "./source.ts";

/** From this width on the account stands beside the pictures, in a column of its own. */
const BESIDE = 560;
const ACCOUNT_WIDTH = 216;
const GAP = 20;
const SCROLLBAR = 12;
const HEIGHT = 400;
const MANY_HEIGHT = 560;
/** Boxes have their labels written on them as long as there are few. */
const FEW_BOXES = 12;
const STRONG = 0.35;
/** About the size of what is written on boxes, in CSS pixels. */
const LETTER = 6.2;
const LINE = 17;

export interface SceneInput {
  readonly source: Source;
  readonly state: State;
  readonly theme: Theme;
  readonly width: number;
  /** Outlines of masks given as the truth, by the image they are of. */
  readonly masks: Readonly<Record<string, string>>;
}

/** What is zoomed stays so while other views are looked at. */
const looks = new WeakMap<Store, Map<string, lay.Look>>();

export class Scene {
  readonly element: HTMLElement;
  /** One a panel and head. */
  pictures: readonly Picture[] = [];
  readonly #store: Store;
  readonly #account: AccountPanel;
  readonly #made: (picture: Picture) => void;
  readonly #pool: Picture[] = [];
  readonly #area = h("div", { class: "pictures" });
  readonly #message = h("div", { class: "message", hidden: true });
  readonly #legend = new OverlayLegend();
  #panels: readonly Panel[] = [];
  readonly #looks: Map<string, lay.Look>;

  constructor(store: Store, account: AccountPanel, made: (picture: Picture) => void) {
    this.#store = store;
    this.#account = account;
    this.#made = made;
    this.#looks = looks.get(store) ?? new Map();
    looks.set(store, this.#looks);
    this.element = h("div", { class: "overlay-body" }, this.#area, account.element, this.#message);
  }

  get legend(): HTMLElement {
    return this.#legend.element;
  }

  /** Whether all of every picture is in sight. */
  get whole(): boolean {
    return this.#panels.every((panel) => this.look(panel).zoom === 1);
  }

  look(panel: Panel): lay.Look {
    return lay.clamped(panel, this.#looks.get(String(panel.extent)) ?? lay.whole(panel));
  }

  show(panel: Panel, look: lay.Look): void {
    this.#looks.set(String(panel.extent), look);
  }

  showWhole(): void {
    this.#looks.clear();
  }

  forget(): void {
    for (const picture of this.#pool) picture.forget();
  }

  /** Place and paint the pictures themselves; "waiting" while one of them is on its way. */
  draw({ source, state, theme, width }: SceneInput): "waiting" | "painted" | "same" {
    const { panels, heads } = source;
    this.#panels = panels;
    const beside = width >= BESIDE;
    const many = state.combine === "each" && heads.length > 1;
    const most = state.height ?? (many ? MANY_HEIGHT : HEIGHT);
    const room = Math.floor(beside ? width - ACCOUNT_WIDTH - GAP : width);
    const arranged = (wide: number) => lay.arrange(panels, many ? heads.length : 1, wide, most);
    let { places, height } = arranged(room);
    const scrolls = height > most + 1;
    if (scrolls) ({ places, height } = arranged(room - SCROLLBAR));
    const wide = Math.max(1, ...places.map((place) => place.x + place.width));
    const [w, h] = [wide + (scrolls ? SCROLLBAR : 0), Math.min(height, most)];
    Object.assign(this.#area.style, { width: `${w}px`, height: `${h}px` });
    set(this.#area, "data-scrolls", scrolls);
    set(this.element, "data-beside", beside);
    while (this.#pool.length < places.length) {
      const picture = new Picture();
      this.#pool.push(picture);
      this.#made(picture);
    }
    this.pictures = this.#pool.slice(0, places.length);
    // What stays is not touched: it may have the focus, or a finger on it.
    this.#pool.forEach(({ element }, at) => {
      if (at >= places.length) element.remove();
      else if (!element.parentNode) this.#area.append(element);
    });
    let [painted, waiting] = [false, false];
    this.pictures.forEach((picture, at) => {
      const place = places[at] as lay.Placed;
      const panel = panels[place.panel] as Panel;
      const held = panel.image === null ? undefined : this.#store.pictures.get(panel.image);
      const head = heads[place.head];
      waiting ||= panel.image !== null && !held?.source && held?.failed === undefined;
      const name = head === undefined ? undefined : { text: `head ${head}`, colour: headColour(head, theme) };
      const look = this.look(panel);
      painted = picture.draw(place, panel, look, held?.source, theme, name, held?.failed ?? "") || painted;
    });
    this.#tell(source);
    return waiting ? "waiting" : painted ? "painted" : "same";
  }

  /** Paint the weights of a focus, and mark what is stressed. Pictures stay as they are. */
  drawFocus(input: SceneInput, focus: Focus | null, hover: Cursor | null): void {
    const { source, state, theme, masks } = input;
    const { content } = source;
    if (!content) return;
    const shown = source.shown(focus);
    const resting = source.focus(null);
    const anchors = anchorsOf(
      state.colormap === "auto" && !source.signed ? "image" : state.colormap,
      source.signed,
      theme,
    );
    let painted = shown;
    for (const picture of this.pictures) {
      const panel = source.panels[picture.place.panel] as Panel;
      const lies = (side: Side) => panel.parts.some((part) => part.side === side);
      // A patch that only words attend to paints nothing: what is pinned stays.
      const drawn = focus && !lies(otherSide(focus.side)) ? resting && source.shown(resting) : shown;
      if (drawn && lies(drawn.other)) painted = drawn;
      const row = Math.max(0, picture.place.head);
      picture.heat(drawn ? heatOf(source, state, drawn, row, anchors) : undefined);
      picture.marks(this.#marks(input, picture.place, focus, hover, drawn ?? undefined));
    }
    this.#tellAccount(source, state, shown);
    this.#legend.update({ source, state, shown: painted, anchors, theme, masks });
  }

  #marks(
    { source, state, theme, masks }: SceneInput,
    place: lay.Placed,
    focus: Focus | null,
    hover: Cursor | null,
    shown: Shown | undefined,
  ): Marks {
    const panel = source.panels[place.panel] as Panel;
    const row = Math.max(0, place.head);
    const scale = lay.scaleOf(place, panel, this.look(panel));
    const pinned = pinsOf(state);
    const hovered = hover && { side: hover.side, positions: [hover.position] };
    const weights = shown?.rows[row];
    const strength = shown && source.strength(shown, row);
    const stressed = [...pinned, ...(hovered ? [hovered] : []), ...(focus ? [focus] : [])];
    const boxes = panel.parts.flatMap(({ side, part }) => {
      if (part.kind !== "boxes") return [];
      const labels = (side === "query" ? source.content?.queries : source.content?.keys)?.labels ?? [];
      const marked = (position: number) =>
        stressed.some((mark) => mark.side === side && mark.positions.includes(position));
      const strong = (position: number) =>
        shown?.other === side && (strength?.(weights?.[position] ?? 0) ?? 0) > STRONG;
      const positions = part.boxes.map((_, at) => part.start + at);
      const quiet = !positions.some(marked);
      const named: Rect[] = [];
      return positions.map((position, at) => {
        const told = marked(position) || strong(position);
        const label = labels[position] ?? "";
        const free =
          quiet && positions.length <= FEW_BOXES && hasRoom(named, part.boxes[at] as Rect, label, scale);
        return {
          side,
          position,
          label: told || free ? label : null,
          colour: told || quiet ? INK[theme].accent : INK[theme].muted,
          faint: !told && !quiet,
        };
      });
    });
    // What is painted may be of what is pinned, while the sentence is about a patch.
    const own = shown !== undefined && otherSide(shown.other) === (focus?.side ?? "query");
    const strongest = own && shown.rows.length === 1 ? shown.account.strongest : -1;
    const notes =
      focus?.side === "query" && shown
        ? state.pinned_keys.map((position) => ({
            side: "key" as const,
            position,
            text: formatWeight(weights?.[position] ?? NaN),
          }))
        : [];
    return {
      focus,
      pinned,
      hover: hovered,
      boxes,
      strongest: strongest < 0 || !shown ? null : { side: shown.other, positions: [strongest] },
      notes,
      truth: masks[panel.image ?? ""],
    };
  }

  #tellAccount(source: Source, state: State, shown: Shown | undefined): void {
    // With heads side by side, the place and the weight are those of one of them.
    const row = shown ? shown.mosts.indexOf(Math.max(...shown.mosts)) : -1;
    const most = shown?.mosts[row] ?? 0;
    const roles = shown && source.roles[shown.other];
    const at = shown?.rows[row]?.findIndex((w, to) => roles?.[to] === "image" && Math.abs(w) === most) ?? -1;
    const labels = (shown?.other === "query" ? source.content?.queries : source.content?.keys)?.labels ?? [];
    const head = shown && shown.rows.length > 1 ? ` (head ${shown.heads[row]})` : "";
    const boxes = source.panels.some(({ parts }) =>
      parts.some(({ side, part }) => side === shown?.other && part.kind === "boxes"),
    );
    const count = source.sinks().filter((key) => !source.apart.key.has(key)).length;
    this.#account.update({
      account: shown?.account,
      strongest:
        at < 0 || most === 0
          ? undefined
          : { where: labels[at] ?? "", weight: shown?.rows[row]?.[at] ?? 0, head },
      places: boxes ? "boxes" : "patches",
      sums: source.content?.kind === "weight" && shown?.other === "key",
      sinks: shown && shown.sinks > 0 && count > 0 ? { count, share: shown.sinks } : undefined,
      aside: state.aside.length > 0 && state.special !== "show",
    });
  }

  #tell({ content, panels, heads }: Source): void {
    const text = !content
      ? ""
      : heads.length === 0
        ? "No head is shown: choose heads above."
        : panels.length === 0
          ? "This map has no patches or boxes: look at it as lines or as a matrix."
          : "";
    set(this.#message, "hidden", text === "");
    setText(this.#message, text);
    set(this.element, "data-empty", text !== "");
  }
}

const heatOf = (source: Source, state: State, shown: Shown, row: number, anchors: Anchors) => ({
  side: shown.other,
  values: shown.rows[row] as Float32Array,
  strength: source.strength(shown, row),
  anchors,
  signed: source.signed,
  opacity: state.opacity,
  interpolation: state.interpolation,
  paint: state.paint,
  contours: state.contours,
  aside: [...source.apart[shown.other]],
});

export const pinsOf = ({ pinned_queries, pinned_keys }: State): readonly Marked[] => [
  { side: "query", positions: pinned_queries },
  { side: "key", positions: pinned_keys },
];

/** Whether a box may be named without hiding the names before it, which it then joins. */
function hasRoom(named: Rect[], [left, top]: Rect, { length }: string, scale: number): boolean {
  const own: Rect = [left, top, left + (LETTER * length + 8) / scale, top + LINE / scale];
  const free = named.every((one) => own[0] > one[2] || own[2] < one[0] || own[1] > one[3] || own[3] < one[1]);
  if (free) named.push(own);
  return free;
}

/** Where a position lies on a panel. */
export function rectOn(panel: Panel, { side, position }: Cursor): Rect | undefined {
  for (const one of panel.parts) {
    const rect = one.side === side ? rectOf(one.part, position) : undefined;
    if (rect) return rect;
  }
  return undefined;
}

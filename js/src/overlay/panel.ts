/** Beside the pictures: where the weight lies that is painted, and what is not painted. */

import { h, set, setText } from "../dom.ts";
import { on } from "../lifetime.ts";
import { formatWeight } from "../scale/scale.ts";
import { type Account, percent } from "./account.ts";

export interface Accounted {
  /** undefined while the weights are not here. */
  readonly account: Account | undefined;
  /** Where the strongest position lies, and its weight. */
  readonly strongest: { readonly where: string; readonly weight: number; readonly head: string } | undefined;
  /** What holds the weight: "patches", "boxes". */
  readonly places: string;
  /** Whether rows are expected to sum to 1. */
  readonly sums: boolean;
  readonly sinks: { readonly count: number; readonly share: number } | undefined;
  /** Whether positions are set aside by themselves. */
  readonly aside: boolean;
}

export interface PanelHandlers {
  setAside(): void;
  putBack(): void;
}

/** A row's sum is worth a word where it differs from 1 by more. */
const FAR_FROM_ONE = 0.005;

export class AccountPanel {
  readonly element: HTMLElement;
  readonly #strongest = h("p");
  readonly #half = h("p");
  readonly #bar = h("div", { class: "shares", "aria-hidden": "true" });
  readonly #lines = h("ul");
  readonly #sum = h("p");
  readonly #sinks = h("p");
  readonly #back = h("p");
  readonly #sinkText = h("span");
  readonly #backText = h("span");

  constructor(handlers: PanelHandlers, signal: AbortSignal) {
    const button = (text: string, title: string, action: () => void) => {
      const element = h("button", { type: "button", title, "aria-label": `${text}: ${title}` }, text);
      on(element, "click", action, signal);
      return element;
    };
    this.#sinks.append(
      this.#sinkText,
      button("set aside", "leave them out, and have the rest sum to 1", handlers.setAside),
    );
    this.#back.append(this.#backText, button("put back", "paint them again", handlers.putBack));
    this.element = h(
      "div",
      { class: "account", role: "group", "aria-label": "where the weight lies" },
      this.#strongest,
      this.#half,
      h("p", { class: "name" }, "where the weight lies"),
      this.#bar,
      this.#lines,
      this.#sum,
      this.#sinks,
      this.#back,
    );
  }

  update({ account, strongest, places, sums, sinks, aside }: Accounted): void {
    set(this.element, "data-nothing", !account);
    const shares = account?.shares ?? [];
    const most = shares.findIndex(({ role }) => role === "image");
    said(
      this.#strongest,
      strongest && ["strongest: ", strongest.where, " ", formatWeight(strongest.weight), strongest.head],
    );
    const half = account && account.half > 0 && `${account.half} of ${account.of}`;
    said(this.#half, half && ["half of the weight on the image lies in ", half, ` ${places}`]);
    while (this.#lines.childElementCount > shares.length) this.#lines.lastElementChild?.remove();
    while (this.#bar.childElementCount > shares.length) this.#bar.lastElementChild?.remove();
    shares.forEach(({ name, role, share, aside: apart }, at) => {
      const line =
        this.#lines.children[at] ?? this.#lines.appendChild(h("li", {}, h("i"), h("span"), h("b")));
      const part = this.#bar.children[at] ?? this.#bar.appendChild(h("i"));
      for (const swatch of [part, line.firstElementChild as HTMLElement]) {
        set(swatch, "data-role", at === most ? "image" : role);
        set(swatch, "data-aside", apart);
      }
      (part as HTMLElement).style.flexGrow = String(share);
      set(part, "hidden", share === 0);
      setText(line.children[1] as Element, apart ? `${name}, set aside` : name);
      setText(line.lastElementChild as Element, percent(share));
    });
    const far = sums && account && Math.abs(1 - account.total) > FAR_FROM_ONE;
    said(this.#sum, far && ["the weights sum to ", formatWeight(account.total)]);
    set(this.#sinks, "hidden", !sinks || aside);
    if (sinks) {
      const one = sinks.count === 1;
      const take = one ? "1 patch takes " : `${sinks.count} patches take `;
      const likely = `, and much of every row: ${one ? "perhaps a sink" : "perhaps sinks"}`;
      said(this.#sinkText, [take, percent(sinks.share), likely]);
    }
    set(this.#back, "hidden", !aside);
    setText(this.#backText, `${percent(account?.setAside ?? 0)} set aside `);
  }
}

/** Every other piece is a number or a place. */
function said(line: HTMLElement, pieces: readonly string[] | undefined | false | "" | 0): void {
  set(line, "data-nothing", !pieces);
  if (!pieces || line.textContent === pieces.join("")) return;
  line.replaceChildren(...pieces.map((text, at) => (at % 2 ? h("b", {}, text) : text)));
}

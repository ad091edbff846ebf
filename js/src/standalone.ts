/**
 * The entry of exported pages (`attn_widget/export`): mounts a frame over the data that stand beside this script.
 * Several such scripts may stand on one page, each among data of its own.
 */
import { h } from "./dom.ts";
import { EmbeddedHost, type Manifest } from "./embedded.ts";
import { mount } from "./frame.ts";
import { Model } from "./model.ts";
import { Store } from "./store.ts";

async function open(script: HTMLOrSVGScriptElement, holder: HTMLElement): Promise<void> {
  const root = h("div");
  script.before(root);
  try {
    const [first, ...blobs] = [...holder.children].filter(({ tagName }) => tagName === "SCRIPT");
    const manifest = JSON.parse(first?.textContent ?? "") as Manifest;
    const host = await EmbeddedHost.open(manifest, (blob) => blobs[blob]?.textContent ?? "");
    const { signal } = new AbortController();
    const model = new Model(host, signal);
    mount(root, model, new Store(model, signal), signal);
    await host.bringOthers();
  } catch (error) {
    root.append(`This page can't be shown: ${error instanceof Error ? error.message : error}`);
  }
}

// Known only while the script first runs.
const script = document.currentScript;
if (script?.parentElement) void open(script, script.parentElement);

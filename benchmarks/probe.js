// Runs in the page before JupyterLab does. Times what a person sees and counts what arrives, the same
// way for every tool: a tool only says where its picture is, when it is complete, and what a token is.
(() => {
  const frames = [];
  const NativeSocket = window.WebSocket;
  const decoder = new TextDecoder("latin1");

  window.WebSocket = class extends NativeSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        const isText = typeof data === "string";
        const bytes = isText ? new Blob([data]).size : data.byteLength;
        const head = isText ? data.slice(0, 2000) : decoder.decode(data.slice(0, 2000));
        const type = /"msg_type":\s*"(\w+)"/.exec(head)?.[1] ?? "other";
        frames.push({ time: performance.now(), bytes, type });
      });
    }
  };

  // Whether a change is made while a frame is being prepared decides which frame shows it.
  let inFrame = 0;
  const nativeFrame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) =>
    nativeFrame((time) => {
      inFrame += 1;
      // Microtasks of the callback, observers among them, still belong to the frame.
      try {
        callback(time);
      } finally {
        queueMicrotask(() => {
          inFrame -= 1;
        });
      }
    });

  const errors = [];
  addEventListener("error", ({ message }) => errors.push(message));
  addEventListener("unhandledrejection", ({ reason }) => errors.push(String(reason)));

  let runKey = 0;
  let input = { time: 0, handled: 0 };
  addEventListener("keydown", (event) => (event.key === "Enter" ? (runKey = event.timeStamp) : 0), true);
  // Every event of one move has the time stamp of that move. Those that tell of crossing an edge come
  // first, but stay inside a shadow root.
  for (const type of ["pointerover", "pointermove"]) {
    addEventListener(
      type,
      ({ timeStamp }) => {
        if (timeStamp !== input.time) input = { time: timeStamp, handled: performance.now() };
      },
      true,
    );
  }

  const eventDurations = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.name === "pointerover") eventDurations.push([entry.startTime, entry.duration]);
    }
  }).observe({ type: "event", durationThreshold: 16 });

  const nextFrame = () => new Promise((resolve) => nativeFrame(() => resolve(performance.now())));
  /** Call at the change: resolves at the start of the first frame after the one that shows it. */
  const painted = async () => {
    if (!inFrame) await nextFrame();
    return nextFrame();
  };
  const fraction = (list, share) => list[Math.min(list.length - 1, Math.floor(share * list.length))];

  const PICTURES = '[id^="bertviz-"], [id^="circuits-vis-"], treescope-container, .attn-widget, .hover-floor';
  /** Pictures in the outputs of cells; a tool may keep its own in a shadow root. */
  const pictures = () => {
    const roots = [document];
    for (const element of document.querySelectorAll(".jp-OutputArea div")) {
      if (element.shadowRoot) roots.push(element.shadowRoot);
    }
    return roots.flatMap((root) => [...root.querySelectorAll(PICTURES)]);
  };
  const fresh = (selector) => pictures().find((picture) => picture.matches(selector) && !("old" in picture.dataset));
  const everyRoot = (node, visit) => {
    for (const element of node.querySelectorAll("*")) {
      visit(element);
      if (element.shadowRoot) everyRoot(element.shadowRoot, visit);
    }
  };

  /** Resolves when a change under `element` for which `isDone` holds has been painted. */
  const changeOf = (element, options, isDone) =>
    new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (!isDone()) return;
        observer.disconnect();
        resolve(painted());
      });
      observer.observe(element, options);
    });
  const CONTENT = { childList: true, characterData: true, subtree: true };
  const bubbled = (isDone) =>
    new Promise((resolve) => {
      const heard = () => {
        if (!isDone()) return;
        removeEventListener("mouseover", heard);
        resolve(painted());
      };
      addEventListener("mouseover", heard);
    });

  const attnWidget = {
    root: () => fresh(".attn-widget"),
    message: (root) => root.querySelector(".stage .message"),
    // A frame drawn while it still waits for the kernel has no lines.
    isDrawn(root) {
      const frame = Number(root.dataset.frame);
      if (root.dataset.status !== "ready" || !this.message(root).hidden) root.waited = frame;
      return frame > (root.waited ?? 0);
    },
    tokens: (root) => [...root.querySelectorAll("[data-side][data-index]")],
    async scroll(root, share) {
      const scroller = root.querySelector(".scroller");
      scroller.scrollTop = share * (scroller.scrollHeight - scroller.clientHeight);
      await painted();
      fraction(this.tokens(root), share).scrollIntoView({ block: "nearest" });
    },
    readout: (root) => root.querySelector('[data-role="readout"]'),
    hovered(root, isDone) {
      const readout = this.readout(root);
      return changeOf(readout, CONTENT, () => isDone() && !readout.textContent.includes("loading"));
    },
    layer: (root) => root.querySelector('select[aria-label="layer"]'),
    layerShown(root) {
      const readout = this.readout(root);
      const before = readout.textContent;
      // Where only pinned tokens show lines, theirs are what the new layer must bring.
      if (root.querySelector("[data-focus]")) {
        const isNew = () => readout.textContent !== before && !readout.textContent.includes("loading");
        return changeOf(readout, CONTENT, isNew);
      }
      return changeOf(root, { attributeFilter: ["data-frame"] }, () => this.message(root).hidden);
    },
  };

  // Each says where its picture is, when it is complete, what a token is, and how a change shows.
  const tools = {
    bertviz: {
      root: () => fresh('[id^="bertviz-"]'),
      isDrawn: (root, size, heads) => root.getElementsByTagName("line").length === size * size * heads,
      tokens: (root) => [...root.querySelectorAll("#left > g:last-child > g, #right > g:last-child > g")],
      async scroll(root, share) {
        fraction(this.tokens(root), share).scrollIntoView({ block: "center" });
      },
      // Its handlers draw before they return, so the change is there once the event has bubbled up.
      hovered: (_, isDone) => bubbled(isDone),
      layer: (root) => root.querySelector("select#layer"),
      layerShown: () => Promise.resolve().then(painted),
    },
    attn_widget: attnWidget,
    attn_widget_whole: attnWidget,
    floor: {
      root: () => fresh(".hover-floor"),
      isDrawn: () => true,
      tokens: (root) => [...root.querySelectorAll("span")],
      scroll: async () => {},
      hovered: (_, isDone) => bubbled(isDone),
    },
  };

  window.probe = {
    // What probe_views.js describes further tools with, and what it adds them to.
    kit: { tools, fresh, changeOf, CONTENT, bubbled, attnWidget, nativeFrame, frames, input: () => input },

    // Call before the cell is run; `drawn` then resolves at the first frame with the picture.
    arm(name, size, heads) {
      for (const picture of pictures()) picture.dataset.old = "";
      const tool = tools[name];
      const before = probe.elements();
      const armed = performance.now();
      frames.length = 0;
      runKey = 0;
      probe.result = null;
      let root = null;
      const look = () => {
        if (!root?.isConnected) root = runKey > armed ? tool.root() : null;
        if (!root || !tool.isDrawn(root, size, heads)) return requestAnimationFrame(look);
        const ready = performance.now();
        requestAnimationFrame(() => {
          probe.result = { run: runKey, ready, painted: performance.now(), before };
        });
      };
      requestAnimationFrame(look);
    },

    report() {
      const { run, ready, painted, before } = probe.result;
      const after = frames.filter(({ time }) => time >= run);
      const output = after.filter(({ type }) => !["status", "execute_input", "execute_reply", "other"].includes(type));
      const http = performance.getEntriesByType("resource").filter((entry) => entry.startTime >= run);
      return {
        run_to_painted_ms: painted - run,
        run_to_output_ms: output[0].time - run,
        output_to_ready_ms: ready - output[0].time,
        output_to_painted_ms: painted - output[0].time,
        last_output_to_painted_ms: painted - Math.max(...output.filter((f) => f.time <= ready).map((f) => f.time)),
        page_bytes: after.reduce((sum, { bytes }) => sum + bytes, 0),
        messages: output.map(({ time, type, bytes }) => ({ at_ms: time - run, type, bytes })),
        http: http
          .filter(({ name }) => !/\/api\//.test(name))
          .map(({ name, encodedBodySize }) => ({
            address: name.replace(location.origin, "").split("?")[0],
            bytes: encodedBodySize,
          })),
        elements: probe.elements() - before,
      };
    },

    /** What has come of a run that did not end in a picture. */
    stuck() {
      const bytes = frames.filter(({ time }) => time >= runKey).reduce((sum, frame) => sum + frame.bytes, 0);
      return [`${(bytes / 1e6).toFixed(0)} MB have arrived`, ...errors.slice(-2)].join("; ");
    },

    elements() {
      let count = 0;
      everyRoot(document, () => {
        count += 1;
      });
      return count;
    },

    /** Where the pointer can reach a token now, without scrolling. */
    reachable(name) {
      const found = [];
      for (const token of tools[name].tokens(tools[name].root())) {
        const box = token.getBoundingClientRect();
        const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
        if (box.height === 0 || y < 0 || y > innerHeight) continue;
        const hit = token.getRootNode().elementFromPoint(x, y);
        if (token.contains(hit)) found.push([x, y]);
      }
      return found;
    },

    async scroll(name, share) {
      await tools[name].scroll(tools[name].root(), share);
      return painted();
    },

    /** Call before the pointer moves; `probe.hovered` is then set at the first frame after the change. */
    armHover(name) {
      const armed = performance.now();
      probe.hovered = null;
      tools[name]
        .hovered(tools[name].root(), () => input.time > armed)
        .then((end) => {
          probe.hovered = { hover_ms: end - input.time, to_handler_ms: input.handled - input.time, at: input.time };
        });
    },

    presented: () => eventDurations,

    pin: (name) => tools[name].tokens(tools[name].root())[3].click(),

    async switchLayer(name, value) {
      const tool = tools[name];
      const select = tool.layer(tool.root());
      const start = performance.now();
      const shown = tool.layerShown(tool.root());
      select.value = value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
      return (await shown) - start;
    },
  };
})();

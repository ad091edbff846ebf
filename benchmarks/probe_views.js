// More tools for probe.js, and how fast frames follow each other: matrices, all heads, other packages.
(() => {
  const { tools, fresh, changeOf, CONTENT, attnWidget, nativeFrame, frames, input } = probe.kit;

  /** What of a box is in the window. */
  const seen = ({ left, top, right, bottom }) => ({
    left: Math.max(0, left),
    top: Math.max(0, top),
    right: Math.min(innerWidth, right),
    bottom: Math.min(innerHeight, bottom),
  });
  /** Places all over what is seen of an element. */
  const places = (element, across = 23, down = 17) => {
    const { left, top, right, bottom } = seen(element.getBoundingClientRect());
    if (right <= left || bottom <= top) return [];
    return Array.from({ length: across * down }, (_, at) => [
      left + ((at % across) + 0.5) * ((right - left) / across),
      top + (Math.floor(at / across) + 0.5) * ((bottom - top) / down),
    ]);
  };
  /** Whether anything is drawn at a place of a canvas, in its own pixels. */
  const drawnAt = (canvas, x, y) => {
    const one = new OffscreenCanvas(1, 1).getContext("2d");
    one.drawImage(canvas, Math.floor(x), Math.floor(y), 1, 1, 0, 0, 1, 1);
    return one.getImageData(0, 0, 1, 1).data[3] > 0;
  };
  const drawn = (canvas) => drawnAt(canvas, canvas.width / 2, canvas.height / 2);
  /** Between thumbnails there is nothing to hover. */
  const onThumbnail = (root) => {
    const canvases = [...root.querySelectorAll(".heads-grid canvas")].map((canvas) => [
      canvas,
      canvas.getBoundingClientRect(),
    ]);
    return ([x, y]) =>
      canvases.some(([canvas, { left, top, width, height }]) => {
        const [across, down] = [(x - left) / width, (y - top) / height];
        const inside = across >= 0 && across < 1 && down >= 0 && down < 1;
        return inside && drawnAt(canvas, across * canvas.width, down * canvas.height);
      });
  };

  // `places`: where to point. `whole`: the answer to a hover is complete. `exact`: so is the picture.
  const inWidget = {
    whole: (root) => !/loading|≈|not here/.test(attnWidget.readout(root).textContent),
    exact: () => true,
  };
  const lines = {
    ...attnWidget,
    ...inWidget,
    places: () => probe.reachable("lines"),
  };
  const plot = (root) => root.querySelector('[data-view="matrix"] .plot');
  const picture = (root) => root.querySelector('[data-view="overlay"] .picture');
  const scroller = (root) => root.querySelector(".heads-scroller");
  const count = (root) => root.querySelector('[data-view="heads"] .choices .end')?.textContent ?? "0 of";
  const careful = (root) => [...root.querySelectorAll(".legend .care")].filter((note) => note.offsetParent);

  Object.assign(tools, {
    lines,
    matrix: {
      ...lines,
      places: (root) => places(plot(root)),
      surface: plot,
      exact: (root) => careful(root).length === 0,
    },
    heads: {
      ...lines,
      // The first thumbnails: those in sight may still be on their way.
      isDrawn: (root) => !count(root).startsWith("0 of") && root.querySelector(".heads-grid canvas") !== null,
      places: (root) => places(scroller(root)).filter(onThumbnail(root)),
      surface: scroller,
      exact: (root) => root.dataset.status === "ready" && !count(root).includes("here"),
    },
    overlay: {
      ...lines,
      places: (root) => places(picture(root)),
      surface: picture,
    },
    overlay_words: {
      ...lines,
      tokens: (root) => [...root.querySelectorAll(".words [data-side][data-index]")],
      places: () => probe.reachable("overlay_words"),
      surface: picture,
    },
    bertviz_heads: {
      ...tools.bertviz,
      // Every thumbnail is an SVG with a group of lines for each query.
      isDrawn: (root, size, heads) => root.querySelectorAll("line").length >= size * size * heads,
    },
    circuitsvis: {
      root: () => fresh('[id^="circuits-vis-"]'),
      isDrawn: (root) => [...root.querySelectorAll("canvas")].some((canvas) => canvas.width > 1 && drawn(canvas)),
    },
    treescope: {
      root: () => fresh("treescope-container"),
      isDrawn(root) {
        const canvas = root.shadowRoot?.querySelector("canvas");
        return Boolean(canvas) && canvas.width > 50 && drawn(canvas);
      },
    },
  });

  let stamps = null;
  const stamp = (time) => {
    if (!stamps) return;
    stamps.push(time);
    nativeFrame(stamp);
  };

  Object.assign(probe, {
    /** Whether nothing of the picture is approximate or still to come; the time when it was first so. */
    exact(name) {
      const tool = tools[name];
      if (!tool.exact) return probe.result.painted;
      if (!tool.exact(tool.root())) return null;
      probe.exactAt ??= performance.now();
      return probe.exactAt;
    },
    /** What a cell says in place of a picture, "" while it may still come. */
    refusal(name) {
      const error = document.querySelector('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]');
      if (error) return error.textContent.trim().split("\n").at(-1);
      const message = tools[name].root()?.querySelector(".stage .message:not([hidden])")?.textContent ?? "";
      return message.includes("loading") ? "" : message;
    },
    notes: (name) => careful(tools[name].root()).map((note) => note.textContent),

    places: (name) => tools[name].places(tools[name].root()),
    centre(name) {
      const { left, top, right, bottom } = seen(tools[name].surface(tools[name].root()).getBoundingClientRect());
      return [(left + right) / 2, (top + bottom) / 2];
    },
    scrolls(name) {
      const surface = tools[name].surface(tools[name].root());
      return surface.scrollHeight > surface.clientHeight + 1;
    },

    /** Call before the pointer moves: the first change that it makes, and the first complete one. */
    armBoth(name) {
      const armed = performance.now();
      const tool = tools[name];
      const root = tool.root();
      const readout = tool.readout(root);
      const heard = () => input().time > armed;
      const report = { first_ms: null };
      probe.hovered = null;
      changeOf(readout, CONTENT, heard).then((end) => {
        report.first_ms = end - input().time;
      });
      changeOf(readout, CONTENT, () => heard() && tool.whole(root)).then((end) => {
        probe.hovered = Object.assign(report, { hover_ms: end - input().time });
      });
    },

    bytes: (from = 0) => frames.filter(({ time }) => time >= from).reduce((sum, { bytes }) => sum + bytes, 0),
    now: () => performance.now(),
    heap: () => performance.memory?.usedJSHeapSize ?? null,

    startFrames() {
      stamps = [];
      nativeFrame(stamp);
    },
    /** Milliseconds between the frames since `startFrames`. */
    stopFrames() {
      const times = stamps;
      stamps = null;
      return times.slice(1).map((time, at) => time - times[at]);
    },
  });
})();

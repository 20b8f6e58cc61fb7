// What the explorers have in common: a frame around the players' <mvae-player>, the way to Python and back, and colours.
// Each explorer is a class of its own file that `define` makes an element of.
//
// An explorer works in three places. With Python (anywidget), it sends a request and plays the response: one request is
// on its way at a time, and of those that come meanwhile only the newest waits. In a page without Python it plays what
// was computed before. Where no scripts run, the picture inside the element is seen.
//
// Python (page.py) sets `mvaeSeries`, the colours of groups on light and on dark paper.

import { melody } from "./clips.js";
import { pageTheme, watchTheme } from "../theme.js";

// Raise it with every change: a page can hold stored outputs of an older version, and the newest has to win.
const EXPLORERS_VERSION = 2;

// How long Python may take before what was computed before is played in place of its response.
const PATIENCE_MS = 2000;

// The notes of a melody as small bars in a rectangle of a canvas.
export function drawNotes(pen, clip, { left, top, width, height }, colour, [low, high]) {
  const { beats, notes } = melody(clip);
  pen.fillStyle = colour;
  for (const [pitch, start, length] of notes) {
    const y = top + ((high - pitch) / (high - low + 1)) * height;
    const long = Math.max((length / beats) * width - 0.5, 1);
    pen.fillRect(left + (start / beats) * width, y, long, Math.max(height / (high - low + 1), 1.5));
  }
}

// The explorers in the page; all change their colours with the page's theme.
const explorers = new Set();

const STYLE = `<style>
  :host { display: block; max-width: 760px; margin: 4px 0; }
  .explorer { font: 13px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper);
    border: 1px solid var(--bar); border-radius: 6px; padding: 8px; }
  .title { font-weight: 600; margin-bottom: 6px; }
  .title:empty, .message:empty { display: none; }
  .about { min-height: 18px; margin: 4px 0; color: var(--muted); }
  .message { margin-top: 6px; padding: 4px 8px; border-left: 3px solid var(--accent); background: var(--shade); }
  .surface { position: relative; border: 1px solid var(--grid); border-radius: 4px; }
  canvas { display: block; width: 100%; touch-action: none; cursor: crosshair; border-radius: 4px; }
  button, select { font: inherit; box-sizing: border-box; height: 28px; padding: 0 8px; color: inherit;
    background: var(--shade); border: 1px solid var(--bar); border-radius: 4px; cursor: pointer; }
  input[type=range] { margin: 0; accent-color: var(--accent); }
  .dropping { outline: 2px dashed var(--accent); outline-offset: 2px; }
  :focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
  .legend, .ends, .files { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 14px; margin: 6px 0; }
  .key { display: inline-flex; align-items: center; gap: 5px; }
  .ramp { width: 120px; height: 10px; border: 1px solid var(--bar); }
  .ends > :nth-child(2) { flex: 1 1 180px; }
  .end { max-width: 230px; padding: 2px 4px; border-radius: 4px; }
  .row { display: grid; grid-template-columns: 124px minmax(90px, 1fr) 110px 230px; align-items: center;
    gap: 4px 10px; margin: 4px 0; }
  .scale { position: relative; height: 12px; background: var(--shade); border: 1px solid var(--grid); }
  .scale > i { position: absolute; top: 0; bottom: 0; }
  .got { background: var(--keys); }
  .middle { left: 50%; width: 1px; background: var(--bar); }
  .want { width: 2px; margin-left: -1px; background: var(--accent); top: -3px; bottom: -3px; }
  .numbers { color: var(--muted); font-variant-numeric: tabular-nums; }
  mvae-player { margin-top: 6px; }
  @media (forced-colors: active) {
    .ramp, .scale > i { forced-color-adjust: none; }
    .got { background: Highlight; }
    .want { background: CanvasText; }
    .middle { background: GrayText; }
  }
  @media (max-width: 560px) { .row { grid-template-columns: 1fr 1fr; } }
</style>`;

// ---- An explorer ---------------------------------------------------------------------------------------------

export class Explorer {
  constructor(host, markup) {
    this.host = host;
    host.shadowRoot.innerHTML = `${STYLE}<div class="explorer"><div class="title"></div>${markup}
      <mvae-player class="player"></mvae-player><div class="message" role="status"></div></div>`;
    const parts = [...host.shadowRoot.querySelectorAll("[class]")];
    this.ui = Object.fromEntries(parts.map((part) => [part.className, part]));
    this.data = {};
    // Two views of one explorer tell their requests apart by this.
    this.view = Math.random().toString(36).slice(2, 8);
    this.requests = 0;
    this.sizes = new ResizeObserver(() => this.draw());
    if (this.ui.canvas) this.sizes.observe(this.ui.canvas);
    explorers.add(this);
  }

  close() {
    explorers.delete(this);
    clearTimeout(this.timer);
    this.sizes.disconnect();
  }

  setData(data) {
    this.data = data;
    this.ui.title.textContent = data.title;
    this.build();
    this.paint();
    if (this.dressed) return;
    this.ui.player.setData({ tempo: data.tempo, loop: data.loop, melodies: [melody(this.first())] });
    this.dressed = true;
  }

  // For the explorers to overwrite: new data; the melody that is shown before anything is played; what is played
  // where Python does not respond; a response; the picture.
  build() {}
  first() {
    return "";
  }
  fallBack() {}
  show() {}
  draw() {}

  get live() {
    return Boolean(this.host.sendRequest);
  }

  // Plays a melody: from its start, or, while another one plays, on at the same beat.
  play(clip, title, fromStart = false) {
    const { player } = this.ui;
    player.setData({ title, melodies: [melody(clip)] });
    if (fromStart) player.seek(0);
    if (!player.playing) player.play();
  }

  // ---- Python

  sendRequest(request) {
    if (!this.live) return this.fallBack(request);
    this.waiting = request;
    if (!this.onItsWay) this.sendNext();
  }

  sendNext() {
    const request = this.waiting;
    this.waiting = null;
    this.onItsWay = { ...request, n: `${this.view}${++this.requests}` };
    this.timer = setTimeout(() => this.giveUp(), PATIENCE_MS);
    this.host.sendRequest(this.onItsWay);
  }

  giveUp() {
    const request = this.waiting ?? this.onItsWay;
    this.waiting = this.onItsWay = null;
    this.say("Python does not respond (is it running a cell?). What plays is the nearest of what was computed before.");
    this.fallBack(request);
  }

  receive(response) {
    const mine = response.n === this.onItsWay?.n;
    const request = mine ? this.onItsWay : null;
    if (mine) {
      clearTimeout(this.timer);
      this.onItsWay = null;
      if (this.waiting) this.sendNext();
    }
    this.say(response.error ?? response.note ?? "");
    if (!response.error) this.show(response, request);
  }

  say(text) {
    if (this.ui.message.textContent !== text) this.ui.message.textContent = text;
  }

  // ---- MIDI files as melodies: a drop on `target`, or a button that opens a file

  acceptFiles(target, place) {
    const hover = (on) => (event) => {
      if (!this.data.reads || !this.live || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation();
      target.classList.toggle("dropping", on);
    };
    target.addEventListener("dragover", hover(true));
    target.addEventListener("dragleave", hover(false));
    target.addEventListener("drop", (event) => {
      hover(false)(event);
      const [file] = event.dataTransfer.files;
      if (file) this.loadFile(file, typeof place === "function" ? place(event) : place);
    });
  }

  fileButton(label, place, text = "MIDI…") {
    const button = document.createElement("button");
    button.textContent = text;
    button.title = label;
    button.setAttribute("aria-label", label);
    button.onclick = () => {
      const input = Object.assign(document.createElement("input"), { type: "file", accept: ".mid,.midi,audio/midi" });
      input.onchange = () => input.files[0] && this.loadFile(input.files[0], place);
      input.click();
    };
    return button;
  }

  async loadFile(file, place) {
    this.say(`Reading ${file.name} …`);
    this.host.loadFile(place, file.name, await file.arrayBuffer());
  }

  // ---- Colours

  paint() {
    const name = pageTheme();
    this.colours = { ...globalThis.mvaePalette[name], series: mvaeSeries[name] };
    const { style } = this.ui.explorer;
    for (const [part, colour] of Object.entries(this.colours)) if (part !== "series") style.setProperty(`--${part}`, colour);
    style.colorScheme = name;
    this.draw();
  }

  // A canvas as large as it is seen, cleared, with a pen in pixels of the page.
  cleared(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    const pen = canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.fillStyle = this.colours.paper;
    pen.fillRect(0, 0, width, height);
    return { pen, width, height };
  }
}

// ---- Elements ------------------------------------------------------------------------------------------------

// An element can be defined only once in a page, so it is a thin shell around the newest explorer of its kind.
class Shell extends HTMLElement {
  constructor() {
    super();
    this.attachShadow({ mode: "open" });
  }

  connectedCallback() {
    // While the focus is in here, the keys of JupyterLab's command mode (b: add a cell) must rest.
    this.setAttribute("data-lm-suppress-shortcuts", "true");
    this.setAttribute("role", "group");
    this.open();
  }

  disconnectedCallback() {
    this.explorer.close();
  }

  // Begins with what was shown before (an element can be moved), was given before, or was written by Python. The first
  // version called an explorer `instrument`; its attribute has kept that name, so that either version reads the other's.
  open() {
    const before = this.explorer ?? this.instrument;
    const data = before?.data ?? this.given ?? JSON.parse(this.dataset.instrument);
    before?.close();
    const { Kind, label } = globalThis.mvaeExplorers.kinds[this.localName];
    this.explorer = new Kind(this);
    this.explorer.setData(data);
    this.setAttribute("aria-label", data.title ? `${label}: ${data.title}` : label);
  }

  setData(data) {
    if (this.explorer) this.explorer.setData(data);
    else this.given = data;
  }

  receive(response) {
    this.explorer?.receive(response);
  }
}

// Makes an explorer's element, unless this page has it in a newer version.
export function define(name, label, Kind) {
  globalThis.mvaeExplorers ??= { kinds: {} };
  const { kinds } = globalThis.mvaeExplorers;
  if (kinds[name]?.version >= EXPLORERS_VERSION) return;
  kinds[name] = { version: EXPLORERS_VERSION, label, Kind };
  watchTheme(() => explorers.forEach((explorer) => explorer.paint()));
  const defined = customElements.get(name);
  if (!defined) return customElements.define(name, class extends Shell {});
  // An older script has defined it, perhaps that of a stored output: its shell becomes ours. When an element leaves the
  // page, the shell of the first version closes its `instrument`.
  const { open, setData, receive } = Shell.prototype;
  Object.assign(defined.prototype, { open, setData, receive, instrument: { close() {} } });
  document.querySelectorAll(name).forEach((element) => element.open());
}

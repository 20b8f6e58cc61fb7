// What the instruments have in common: a frame around the players' <mvae-player>, the way to Python and back, colours,
// and melodies as short texts. Each instrument is a class of its own file that `define` makes an element of.
//
// An instrument works in three places. With Python (anywidget), it asks and plays the response: one question is on its way
// at a time, and of those that come meanwhile only the newest waits. In a page without Python it plays what was computed
// before. Where no scripts run, the picture inside the element is seen.
//
// Python (page.py) sets `mvaeInstruments_` = { version, series }, and takes out the lines that are comments.

(() => {
  const { version, series } = globalThis.mvaeInstruments_;
  // A page can hold stored outputs of an older version, and the newest has to win.
  if (globalThis.mvaeInstruments?.version >= version) return;
  const kinds = globalThis.mvaeInstruments?.kinds ?? {};

  // How long Python may take before what was computed before is played in place of its response.
  const PATIENCE_MS = 2000;

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // ---- Melodies as texts: a letter a step ----------------------------------------------------------------------

  const FIRST_LETTER = 35;
  const FIRST_NOTE_ON = 2;
  const MIN_PITCH = 21;
  const STEPS_PER_BEAT = 4;
  const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
  const nameOf = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

  // A text as what a player shows: see player.js.
  function melody(clip, title = "") {
    const notes = [];
    let open = null;
    const close = (step) => {
      if (open) open[2] = step / STEPS_PER_BEAT - open[1];
      open = null;
    };
    for (let step = 0; step < clip.length; step++) {
      const token = clip.charCodeAt(step) - FIRST_LETTER;
      if (token > 0) close(step);
      if (token >= FIRST_NOTE_ON) notes.push((open = [token - FIRST_NOTE_ON + MIN_PITCH, step / STEPS_PER_BEAT, 0]));
    }
    close(clip.length);
    const beats = clip.length / STEPS_PER_BEAT;
    const pitches = notes.map(([pitch]) => pitch);
    const span = notes.length ? ` from ${nameOf(Math.min(...pitches))} to ${nameOf(Math.max(...pitches))}` : "";
    return { title, about: `${notes.length || "no"} notes${span}, ${beats / 4} bars`, beats, notes };
  }

  // The notes of a melody as small bars in a rectangle of a canvas.
  function drawNotes(pen, clip, { left, top, width, height }, colour, [low, high]) {
    const { beats, notes } = melody(clip);
    pen.fillStyle = colour;
    for (const [pitch, start, length] of notes) {
      const y = top + ((high - pitch) / (high - low + 1)) * height;
      const long = Math.max((length / beats) * width - 0.5, 1);
      pen.fillRect(left + (start / beats) * width, y, long, Math.max(height / (high - low + 1), 1.5));
    }
  }

  // The rows that all of these melodies need, at least an octave.
  function rows(clips) {
    const pitches = clips.flatMap((clip) => melody(clip).notes.map(([pitch]) => pitch));
    const low = Math.min(...pitches, 72) - 1;
    return [low, Math.max(...pitches, low + 13) + 1];
  }

  // ---- Colours -------------------------------------------------------------------------------------------------

  // JupyterLab names its theme on the body; elsewhere the reader's system decides.
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => {
    const lab = document.body.dataset.jpThemeLight;
    return (lab ? lab === "false" : darkSystem.matches) ? "dark" : "light";
  };
  const open = new Set();
  const repaint = () => open.forEach((instrument) => instrument.paint());
  darkSystem.addEventListener("change", repaint);
  new MutationObserver(repaint).observe(document.body, { attributeFilter: ["data-jp-theme-light"] });

  const STYLE = `<style>
    :host { display: block; max-width: 760px; margin: 4px 0; }
    .instrument { font: 13px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper);
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
    .row { display: grid; grid-template-columns: 132px minmax(110px, 1fr) 130px 180px; align-items: center;
      gap: 4px 10px; margin: 4px 0; }
    .scale { position: relative; height: 12px; background: var(--shade); border: 1px solid var(--grid); }
    .scale > i { position: absolute; top: 0; bottom: 0; }
    .got { background: var(--keys); }
    .middle { left: 50%; width: 1px; background: var(--bar); }
    .want { width: 2px; margin-left: -1px; background: var(--accent); top: -3px; bottom: -3px; }
    .numbers { color: var(--muted); font-variant-numeric: tabular-nums; }
    mvae-player { margin-top: 6px; }
    @media (max-width: 560px) { .row { grid-template-columns: 1fr 1fr; } }
  </style>`;

  // ---- An instrument -------------------------------------------------------------------------------------------

  class Instrument {
    constructor(host, markup) {
      this.host = host;
      host.shadowRoot.innerHTML = `${STYLE}<div class="instrument"><div class="title"></div>${markup}
        <mvae-player class="player"></mvae-player><div class="message" role="status"></div></div>`;
      const parts = [...host.shadowRoot.querySelectorAll("[class]")];
      this.ui = Object.fromEntries(parts.map((part) => [part.className, part]));
      this.data = {};
      // Two views of one instrument tell their questions apart by this.
      this.view = Math.random().toString(36).slice(2, 8);
      this.asked = 0;
      this.sizes = new ResizeObserver(() => this.draw());
      if (this.ui.canvas) this.sizes.observe(this.ui.canvas);
      open.add(this);
    }

    close() {
      open.delete(this);
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

    // For the instruments to overwrite: new data; the melody that is shown before anything is played; what is played
    // where Python does not respond; a response; the picture.
    build() {}
    first() {
      return "";
    }
    fallBack() {}
    show() {}
    draw() {}

    get live() {
      return Boolean(this.host.ask);
    }

    // Plays a melody: from its start, or, while another one plays, on at the same beat.
    hear(clip, title, fromStart = false) {
      const { player } = this.ui;
      player.setData({ title, melodies: [melody(clip)] });
      if (fromStart) player.seek(0);
      if (!player.playing) player.play();
    }

    // ---- Python

    ask(request) {
      if (!this.live) return this.fallBack(request);
      this.waiting = request;
      if (!this.onItsWay) this.send();
    }

    send() {
      const request = this.waiting;
      this.waiting = null;
      this.onItsWay = { ...request, n: `${this.view}${++this.asked}` };
      this.timer = setTimeout(() => this.giveUp(), PATIENCE_MS);
      this.host.ask(this.onItsWay);
    }

    giveUp() {
      const request = this.waiting ?? this.onItsWay;
      this.waiting = this.onItsWay = null;
      this.say("Python does not respond (is it running a cell?). You hear the nearest of what was computed before.");
      this.fallBack(request);
    }

    take(response) {
      const mine = response.n === this.onItsWay?.n;
      const request = mine ? this.onItsWay : null;
      if (mine) {
        clearTimeout(this.timer);
        this.onItsWay = null;
        if (this.waiting) this.send();
      }
      this.say(response.error ?? response.note ?? "");
      if (!response.error) this.show(response, request);
    }

    say(text) {
      if (this.ui.message.textContent !== text) this.ui.message.textContent = text;
    }

    // ---- MIDI files as melodies: a drop on `target`, or a button that opens a file

    takesFiles(target, place) {
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
        if (file) this.giveFile(file, typeof place === "function" ? place(event) : place);
      });
    }

    fileButton(label, place, text = "MIDI…") {
      const button = document.createElement("button");
      button.textContent = text;
      button.title = label;
      button.setAttribute("aria-label", label);
      button.onclick = () => {
        const input = Object.assign(document.createElement("input"), { type: "file", accept: ".mid,.midi,audio/midi" });
        input.onchange = () => input.files[0] && this.giveFile(input.files[0], place);
        input.click();
      };
      return button;
    }

    async giveFile(file, place) {
      this.say(`Reading ${file.name} …`);
      this.host.giveFile(place, file.name, await file.arrayBuffer());
    }

    // ---- Colours

    paint() {
      const name = theme();
      this.colours = { ...globalThis.mvaePalette[name], series: series[name] };
      const { style } = this.ui.instrument;
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

  // An element can be defined only once in a page, so it is a thin shell around the newest instrument of its kind.
  class Shell extends HTMLElement {
    constructor() {
      super();
      this.attachShadow({ mode: "open" });
    }

    connectedCallback() {
      // While the focus is in here, the keys of JupyterLab's command mode (b: add a cell) must rest.
      this.setAttribute("data-lm-suppress-shortcuts", "true");
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", globalThis.mvaeInstruments.kinds[this.localName].label);
      this.open();
    }

    disconnectedCallback() {
      this.instrument.close();
    }

    open() {
      const data = this.instrument?.data ?? this.given ?? JSON.parse(this.dataset.instrument);
      this.instrument?.close();
      this.instrument = new globalThis.mvaeInstruments.kinds[this.localName].Kind(this);
      this.instrument.setData(data);
    }

    setData(data) {
      if (this.instrument) this.instrument.setData(data);
      else this.given = data;
    }

    take(response) {
      this.instrument?.take(response);
    }
  }

  function define(name, label, Kind) {
    if (kinds[name]?.version >= version) return;
    kinds[name] = { version, label, Kind };
    if (customElements.get(name)) document.querySelectorAll(name).forEach((element) => element.open());
    else customElements.define(name, class extends Shell {});
  }

  globalThis.mvaeInstruments = { version, kinds, define, Instrument, melody, drawNotes, rows, clamp };
})();

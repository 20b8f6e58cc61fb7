// The player: a roll or a strip of them, the controls, and the transport that they drive.

import { download, midiFile, wavFile } from "./files.js";
import { drawRoll } from "./roll.js";
import { MAX_TEMPO, MIN_TEMPO, barAndBeat, beatAt, layOut, pitchLanes } from "./score.js";
import { render } from "./synthesiser.js";
import { pageTheme } from "./theme.js";
import { Transport } from "./transport.js";

const MARKUP = `<style>
  :host { display: block; max-width: 760px; margin: 4px 0; }
  .player { font: 13px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper);
    border: 1px solid var(--bar); border-radius: 6px; padding: 8px; }
  .title { font-weight: 600; margin-bottom: 6px; }
  .title:empty, .message:empty { display: none; }
  .rolls { display: grid; grid-template-columns: repeat(auto-fit, minmax(100px, 1fr)); gap: 6px; }
  .rolls > * { padding: 0; color: inherit; background: none; border: 1px solid var(--grid); border-radius: 4px;
    overflow: hidden; font: inherit; cursor: pointer; }
  .rolls > .current { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
  canvas { display: block; width: 100%; height: 72px; }
  .rolls > div canvas { height: 132px; }
  .rolls > div span { display: none; }
  .controls { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; margin-top: 8px; }
  .controls > button, .tempo { font: inherit; box-sizing: border-box; height: 28px; padding: 0 8px; color: inherit;
    background: var(--shade); border: 1px solid var(--bar); border-radius: 4px; }
  .controls > .play { min-width: 84px; font-weight: 600; }
  .play::before { content: ""; display: inline-block; width: 9px; height: 10px; margin-right: 6px;
    background: currentColor; clip-path: polygon(0 0, 100% 50%, 0 100%); }
  .play.on::before { clip-path: polygon(0 0, 35% 0, 35% 100%, 65% 100%, 65% 0, 100% 0, 100% 100%, 0 100%); }
  .controls > [aria-pressed=true] { color: var(--paper); background: var(--ink); }
  .seek { flex: 1 1 90px; min-width: 70px; margin: 0; accent-color: var(--accent); }
  .where { min-width: 92px; color: var(--muted); }
  .tempo { width: 64px; }
  .message { margin-top: 6px; }
  :focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
  @media (forced-colors: active) {
    .play::before { forced-color-adjust: none; background: ButtonText; }
    .controls > [aria-pressed=true] { forced-color-adjust: none; color: HighlightText; background: Highlight; }
    .rolls > .current { outline: 2px solid Highlight; }
  }
</style>
<div class="player">
  <div class="title"></div>
  <div class="rolls"></div>
  <div class="controls">
    <button class="play" title="Keys: space or k plays, arrows move by a beat, Home, End, l loops"></button>
    <input class="seek" type="range" min="0" step="any" aria-label="Position">
    <span class="where"></span>
    <button class="loop">Loop</button>
    <label title="Quarter notes a minute">Tempo
      <input class="tempo" type="number" min="${MIN_TEMPO}" max="${MAX_TEMPO}" step="any"></label>
    <button class="wav" aria-label="Save as WAV sound">WAV</button>
    <button class="midi" aria-label="Save as MIDI file">MIDI</button>
  </div>
  <div class="message" role="status"></div>
</div>`;

// The players in the page; all change their colours with the page's theme.
export const players = new Set();

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export class Player {
  constructor(host) {
    this.host = host;
    host.shadowRoot.innerHTML = MARKUP;
    const parts = [...host.shadowRoot.querySelectorAll("[class]")];
    const ui = (this.ui = Object.fromEntries(parts.map((part) => [part.className, part])));
    this.score = { title: "", melodies: [] };
    this.canvases = [];
    this.transport = new Transport(() => this.update());
    ui.play.onclick = () => this.toggle();
    ui.seek.oninput = () => this.transport.seek(+ui.seek.value);
    ui.loop.onclick = () => this.setData({ loop: !this.transport.loop });
    ui.tempo.onchange = () => this.takeTempo();
    ui.wav.onclick = () => this.saveWav();
    ui.midi.onclick = () => download(midiFile(this.score), "audio/midi", this.fileName("mid"));
    ui.player.onkeydown = (event) => this.key(event);
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(ui.rolls);
    players.add(this);
    this.paint();
  }

  close() {
    this.transport.pause();
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    players.delete(this);
  }

  // Shows a score, or takes on those parts of it that are given. New notes go on at the beat where the old ones were.
  setData(given) {
    const { tempo = this.transport.tempo } = given;
    const inRange = tempo >= MIN_TEMPO && tempo <= MAX_TEMPO;
    Object.assign(this.score, given, { tempo: inRange ? tempo : this.transport.tempo });
    const { title, melodies, loop = false } = this.score;
    this.lanes = pitchLanes(melodies);
    if (this.canvases.length !== melodies.length) this.buildRolls();
    this.transport.change({ path: layOut(melodies), tempo: this.score.tempo, loop });
    this.ui.title.textContent = title;
    // Each player has a name of its own; the title, or else what it plays.
    const about = this.alone ? melodies[0].about : `${melodies.length} melodies`;
    this.host.setAttribute("aria-label", `Player: ${title || about}`);
    this.ui.tempo.value = this.score.tempo;
    this.ui.loop.setAttribute("aria-pressed", loop);
    this.ui.seek.max = this.transport.path.beats;
    melodies.forEach((melody, i) => {
      const which = this.alone ? "Piano roll" : `Melody ${i + 1} of ${melodies.length}`;
      const roll = this.ui.rolls.children[i];
      roll.setAttribute("aria-label", [which, melody.title, melody.about].filter(Boolean).join(", "));
      roll.lastChild.textContent = melody.title;
      if (this.lanes.length > 1) this.canvases[i].style.height = `${(this.alone ? 72 : 48) * this.lanes.length}px`;
    });
    this.draw();
    this.update();
  }

  get alone() {
    return this.score.melodies.length === 1;
  }

  // A click on a single roll moves the playhead; the rolls of a strip are buttons, each of which plays its melody.
  buildRolls() {
    this.canvases = this.score.melodies.map(() => document.createElement("canvas"));
    const rolls = this.canvases.map((canvas, i) => {
      const roll = document.createElement(this.alone ? "div" : "button");
      if (this.alone) roll.setAttribute("role", "img");
      roll.onclick = this.alone ? (event) => this.seekTo(event) : () => this.playOne(i);
      roll.append(canvas, document.createElement("span"));
      return roll;
    });
    this.ui.rolls.replaceChildren(...rolls);
  }

  seekTo(event) {
    const { left, width } = this.canvases[0].getBoundingClientRect();
    this.transport.seek(beatAt(event.clientX - left, width, this.transport.path.beats));
  }

  // Plays the whole score from where the playhead stands.
  start() {
    this.transport.pause();
    this.transport.only = null;
    this.begin();
  }

  // Plays one melody of a strip from its beginning; or silences it, if it is the one that sounds.
  playOne(index) {
    const { transport } = this;
    const again = transport.playing && transport.melodyAt(transport.position) === index;
    transport.pause();
    if (again) return;
    transport.only = index;
    transport.rest = transport.range.start;
    this.begin();
  }

  begin() {
    this.ui.message.textContent = "";
    this.transport.play();
    // Without a click or a key in this page the audio clock stands still.
    setTimeout(() => {
      if (!this.transport.playing || this.transport.speakers.context.state === "running") return;
      this.transport.pause();
      this.ui.message.textContent = "The browser allows sound only after a click: press Play.";
    }, 1000);
  }

  takeTempo() {
    this.setData({ tempo: +this.ui.tempo.value });
  }

  toggle() {
    if (this.transport.playing) this.transport.pause();
    else this.start();
  }

  key(event) {
    const { key, target } = event;
    // JupyterLab keeps Enter from ending an entry, as it would elsewhere.
    if (key === "Enter" && target === this.ui.tempo) this.takeTempo();
    // Shortcuts of the browser, typing a tempo, and pressing a focused button with the space bar are not for us.
    if (event.ctrlKey || event.metaKey || event.altKey || target === this.ui.tempo) return;
    if (key === " " && target.tagName === "BUTTON") return;
    const { position } = this.transport;
    if (key === " " || key === "k") this.toggle();
    else if (key === "l") this.ui.loop.click();
    else if (key === "ArrowLeft") this.transport.seek(Math.round(position) - 1);
    else if (key === "ArrowRight") this.transport.seek(Math.round(position) + 1);
    else if (key === "Home") this.transport.seek(0);
    else if (key === "End") this.transport.seek(Infinity);
    else return;
    event.preventDefault();
  }

  fileName(extension) {
    const name = this.score.title || this.score.melodies[0].title || "melody";
    return `${name.replace(/[^\p{L}\p{N}]+/gu, "-")}.${extension}`;
  }

  async saveWav() {
    const sampleRate = 44100;
    this.ui.wav.disabled = true;
    const samples = await render(this.score, sampleRate);
    download(wavFile(samples, sampleRate), "audio/wav", this.fileName("wav"));
    this.ui.wav.disabled = false;
  }

  // Brings the page to the transport's state, and again with every frame while it plays.
  update() {
    cancelAnimationFrame(this.frame);
    const { playing, position, path, tempo, loop } = this.transport;
    const index = this.transport.melodyAt(position);
    if (index < 0) return;
    if (this.current !== index) this.draw();
    else this.drawMelody(index);
    const { ui } = this;
    const { start } = path.spans[index];
    const place = barAndBeat(position - start, path.beats - start);
    setText(ui.where, this.alone ? place : `${index + 1} of ${path.spans.length}, ${place}`);
    ui.seek.setAttribute("aria-valuetext", ui.where.textContent);
    ui.seek.value = position;
    ui.play.classList.toggle("on", playing);
    setText(ui.play, playing ? "Pause" : this.alone ? "Play" : "Play all");
    this.tell({ playing, position: playing ? Math.floor(position) : position, tempo, loop });
    if (playing) this.frame = requestAnimationFrame(() => this.update());
  }

  // Whoever listens (Python, through anywidget) gets each change, and while it plays, each beat.
  tell(state) {
    const news = JSON.stringify(state);
    if (news === this.told) return;
    this.told = news;
    this.host.dispatchEvent(new CustomEvent("mvae-change", { detail: state }));
  }

  paint() {
    const theme = pageTheme();
    this.colours = mvaePalette[theme];
    const { style } = this.ui.player;
    for (const [name, colour] of Object.entries(this.colours)) style.setProperty(`--${name}`, colour);
    style.colorScheme = theme;
    this.draw();
  }

  draw() {
    this.current = this.transport.melodyAt(this.transport.position);
    this.canvases.forEach((_, i) => this.drawMelody(i));
  }

  drawMelody(index) {
    const { position, path, playing } = this.transport;
    const beat = index === this.current ? position - path.spans[index].start : null;
    drawRoll(this.canvases[index], this.score.melodies[index], this.lanes, this.colours, beat, playing);
    this.ui.rolls.children[index].classList.toggle("current", !this.alone && index === this.current);
  }
}

// The blender: two melodies, a slider from one to the other, and the whole path as a strip.
//
// data: { title, tempo, loop, names: [2], ways: [name, ...], paths: [[clip, ...] for each way], reads }
// request: { t, way }        response: { clip, t, way }

import { Explorer, define } from "./explorer.js";
import { melody } from "./clips.js";
import { blendWords, fieldPlace } from "./places.js";

const MARKUP = `
  <div class="ends"><span class="start"></span><input class="slider" type="range" min="0" max="1" step="0.01" value="0"
    aria-label="Blend"><span class="finish"></span></div>
  <div class="files"><label>Interpolation <select class="way"></select></label><span class="buttons"></span></div>
  <mvae-player class="strip"></mvae-player>`;

class Blender extends Explorer {
  constructor(host) {
    super(host, MARKUP);
    const { slider, way, strip, start, finish, buttons } = this.ui;
    slider.oninput = () => this.turn();
    way.onchange = () => {
      this.build();
      this.turn();
    };
    strip.addEventListener("mvae-change", ({ detail }) => this.follow(detail));
    buttons.append(this.fileButton("Open a MIDI file as the first melody", "start", "MIDI as first…"), " ");
    buttons.append(this.fileButton("Open a MIDI file as the last melody", "finish", "MIDI as last…"));
    this.acceptFiles(start, "start");
    this.acceptFiles(finish, "finish");
  }

  get path() {
    return this.data.paths[this.ui.way.selectedIndex];
  }

  build() {
    const { names, ways, paths, reads, tempo, loop } = this.data;
    const { way, start, finish, buttons, strip, player } = this.ui;
    const chosen = Math.max(way.selectedIndex, 0);
    way.replaceChildren(...ways.map((name) => Object.assign(document.createElement("option"), { textContent: name })));
    way.selectedIndex = chosen;
    way.disabled = ways.length === 1;
    buttons.hidden = !reads || !this.live;
    const hint = reads && this.live ? "A MIDI file dropped here takes this melody's place" : "";
    [start, finish].forEach((end, index) => Object.assign(end, { textContent: names[index], title: hint }));
    const steps = paths[chosen].length - 1;
    const melodies = paths[chosen].map((clip, index) => melody(clip, `${Math.round((100 * index) / steps)} %`));
    strip.setData({ title: "The whole path", melodies, ...(this.dressed ? {} : { tempo, loop: false }) });
    // The strip in one line, as far as the melodies stay wide enough to be read.
    const columns = paths[chosen].length > 11 ? "" : `repeat(${paths[chosen].length}, 1fr)`;
    strip.shadowRoot.querySelector(".rolls").style.gridTemplateColumns = columns;
    this.label();
    if (this.dressed) player.setData({ title: this.words(this.step), melodies: [melody(this.nearest())] });
    else player.setData({ title: this.words(this.step), tempo, loop });
  }

  first() {
    return this.nearest();
  }

  // The place of the strip that is nearest to where the slider stands, and its melody.
  get step() {
    return fieldPlace(+this.ui.slider.value, this.path.length);
  }

  nearest() {
    return this.path[Math.round(this.step * (this.path.length - 1))];
  }

  words(t) {
    return blendWords(t, this.data.names);
  }

  // The slider says what is played: without Python, the nearest step.
  label() {
    this.ui.slider.setAttribute("aria-valuetext", this.words(this.live ? +this.ui.slider.value : this.step));
  }

  turn() {
    this.label();
    this.mark();
    this.sendRequest({ t: +this.ui.slider.value, way: this.ui.way.selectedIndex });
  }

  // The strip's playhead goes where the slider stands, so that it plays on from there.
  mark() {
    const { strip, slider } = this.ui;
    if (!strip.playing) strip.seek(Math.round(slider.value * (this.path.length - 1)) * melody(this.path[0]).beats);
  }

  fallBack() {
    this.play(this.nearest(), this.words(this.step));
  }

  show({ clip, t, way }, request) {
    if (request) return this.play(clip, this.words(t));
    // Python, or another view of this explorer, has moved it.
    this.ui.slider.value = t;
    if (way !== this.ui.way.selectedIndex && way !== undefined) {
      this.ui.way.selectedIndex = way;
      this.build();
    }
    this.label();
    this.mark();
    if (clip !== undefined) this.ui.player.setData({ title: this.words(t), melodies: [melody(clip)] });
  }

  // While the strip plays, the slider goes with it.
  follow({ playing }) {
    if (!playing) return;
    const { strip, slider, player } = this.ui;
    const index = Math.min(Math.floor(strip.position / melody(this.path[0]).beats), this.path.length - 1);
    slider.value = index / (this.path.length - 1);
    this.label();
    player.setData({ title: this.words(this.step), melodies: [melody(this.path[index])] });
  }
}

define("mvae-blender", "Blender", Blender);

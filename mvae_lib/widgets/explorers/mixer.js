// The mixer: a slider for each attribute of a melody. Each row shows the requested change and the measured one.
//
// data: { title, tempo, loop, names, gaps, reach, clip, positions, alone: [[clip, ...], ...], changes: [[[...]]] }
//   alone[i][p]: only slider i is at positions[p]; changes[i][p][j]: how attribute j has changed by that
// request: { strengths }        response: { clip, strengths, changes: [number or null, ...] }

import { Explorer, define } from "./explorer.js";
import { melody } from "./clips.js";
import { signed } from "./places.js";
import { clamp } from "../numbers.js";

const MARKUP = `<div class="rows"></div>
  <button class="reset">All to 0</button>
  <span class="about" role="status">The line is the requested change, the bar the measured one.</span>`;

class AttributeMixer extends Explorer {
  constructor(host) {
    super(host, MARKUP);
    this.ui.reset.onclick = () => {
      this.sliders.forEach((slider) => (slider.value = 0));
      this.turn(0);
    };
  }

  build() {
    const { names, reach } = this.data;
    this.lines = names.map((name, index) => {
      const line = document.createElement("div");
      line.className = "row";
      line.innerHTML = `<label></label><input type="range" min="${-reach}" max="${reach}" step="0.05" value="0">
        <div class="scale" aria-hidden="true"><i class="got"></i><i class="middle"></i><i class="want"></i></div>
        <span class="numbers"></span>`;
      const [label, slider] = line.children;
      label.textContent = name;
      slider.setAttribute("aria-label", name);
      slider.oninput = () => this.turn(index);
      return line;
    });
    this.ui.rows.replaceChildren(...this.lines);
    this.report(names.map(() => 0));
  }

  first() {
    return this.data.clip;
  }

  get sliders() {
    return this.lines.map((line) => line.children[1]);
  }

  get strengths() {
    return this.sliders.map((slider) => +slider.value);
  }

  turn(index) {
    this.moved = index;
    this.report(null);
    this.sendRequest({ strengths: this.strengths });
  }

  // Without Python there is only what was computed before: one slider at a time, at a few positions.
  fallBack() {
    const { positions, alone, changes } = this.data;
    const wanted = this.strengths[this.moved];
    const distance = (position) => Math.abs(positions[position] - wanted);
    const place = positions.map((_, position) => position).reduce((a, b) => (distance(b) < distance(a) ? b : a));
    this.sliders.forEach((slider, index) => (slider.value = index === this.moved ? positions[place] : 0));
    this.report(changes[this.moved][place]);
    this.ui.about.textContent = "Without Python, one slider at a time, in steps.";
    this.play(alone[this.moved][place], "edited");
  }

  show({ clip, strengths, changes }, request) {
    if (clip === undefined) return;
    if (!request) this.sliders.forEach((slider, index) => (slider.value = strengths[index]));
    // While the slider is on its way, these are the changes of a moment ago: the next response is near.
    this.report(changes);
    const edited = strengths.some((strength) => strength) ? "edited" : "as it was";
    if (request) this.play(clip, edited);
    else this.ui.player.setData({ title: edited, melodies: [melody(clip)] });
  }

  // Puts on the page the requested changes and the measured ones (null: not known yet).
  report(changes) {
    const { gaps, reach } = this.data;
    this.lines.forEach((line, index) => {
      const [, slider, scale, numbers] = line.children;
      const [got, , want] = scale.children;
      const wanted = slider.value * gaps[index];
      const share = (change) => clamp(change / (gaps[index] * reach), -1.15, 1.15) * 42;
      want.style.left = `${50 + share(wanted)}%`;
      if (changes) {
        const measured = changes[index] === null ? 0 : share(changes[index]);
        got.style.left = `${50 + Math.min(measured, 0)}%`;
        got.style.width = `${Math.abs(measured)}%`;
        numbers.dataset.measured = signed(changes[index]);
      }
      numbers.textContent = `requested ${signed(wanted)}, measured ${numbers.dataset.measured}`;
      slider.setAttribute("aria-valuetext", numbers.textContent);
    });
  }
}

define("mvae-mixer", "Attribute mixer", AttributeMixer);

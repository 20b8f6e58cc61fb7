// The pad: a square between four melodies. Where it is pressed, their blend is played.
//
// data: { title, tempo, loop, names: [4, in reading order], grid: [[clip, ...], ...] by rows, reads }
// request: { x, y } in 0 to 1, from the left and from the top        response: { clip, x, y }

import { Explorer, define, drawNotes } from "./explorer.js";
import { melody, rows } from "./clips.js";
import { fieldPlace, nextField, padPlace, padWords } from "./places.js";
import { clamp } from "../numbers.js";

const STEP = 0.05;
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PLACES = ["top left", "top right", "bottom left", "bottom right"];

const CORNERS = (row) => `<div class="${row}" style="display: flex; justify-content: space-between; gap: 8px;
  margin: 4px 0"><span></span><span style="text-align: right"></span></div>`;
const MARKUP = `${CORNERS("upper")}
  <div class="surface"><canvas class="canvas" style="height: 340px" tabindex="0" role="application"
    title="Press anywhere and drag. Keys: arrows go from field to field, Shift and arrows by small steps,
Enter plays, space or k stops"></canvas></div>
  ${CORNERS("lower")}<div class="about" role="status"></div>`;

class MelodyPad extends Explorer {
  constructor(host) {
    super(host, MARKUP);
    const { canvas, surface } = this.ui;
    this.place = { x: 0, y: 0 };
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pressed = true;
      this.go(this.placeOf(event), !this.ui.player.playing);
    };
    canvas.onpointermove = (event) => this.pressed && this.go(this.placeOf(event));
    canvas.onpointerup = canvas.onpointercancel = () => (this.pressed = false);
    canvas.onkeydown = (event) => this.key(event);
    this.acceptFiles(surface, (event) => {
      const { x, y } = this.placeOf(event);
      return String(2 * (y > 0.5) + (x > 0.5));
    });
  }

  get corners() {
    return [...this.ui.upper.children, ...this.ui.lower.children];
  }

  build() {
    const { names, grid, reads } = this.data;
    this.corners.forEach((corner, index) => {
      const label = `Open a MIDI file as the melody at the ${PLACES[index]}`;
      const button = reads && this.live ? [" ", this.fileButton(label, String(index))] : [];
      corner.replaceChildren(names[index], ...button);
    });
    this.ui.canvas.setAttribute("aria-label", `Pad between ${names.map((n, i) => `${n} (${PLACES[i]})`).join(", ")}`);
    this.pitches = rows(grid.flat());
    this.ui.about.textContent ||= "Press anywhere and drag, or use the arrow keys.";
    if (this.dressed) this.ui.player.setData({ melodies: [melody(this.nearest(this.place))] });
  }

  first() {
    return this.nearest(this.place);
  }

  // ---- Where things are: the fields' middles lie at 0, ..., 1

  get fields() {
    return { across: this.data.grid[0].length, down: this.data.grid.length };
  }

  placeOf(event) {
    const { left, top, width, height } = this.ui.canvas.getBoundingClientRect();
    const { across, down } = this.fields;
    return { x: padPlace((event.clientX - left) / width, across), y: padPlace((event.clientY - top) / height, down) };
  }

  nearest({ x, y }) {
    const { across, down } = this.fields;
    return this.data.grid[Math.round(y * (down - 1))][Math.round(x * (across - 1))];
  }

  // Says what is played: this is set with the sound, which can be late, or be that of a field.
  label(place) {
    this.ui.about.textContent = padWords(place, this.data.names);
  }

  // ---- Playing

  go(place, fromStart = false) {
    this.place = place;
    this.draw();
    this.sendRequest({ ...place, fromStart });
  }

  fallBack(request) {
    const { across, down } = this.fields;
    const field = { x: fieldPlace(request.x, across), y: fieldPlace(request.y, down) };
    this.label(field);
    this.play(this.nearest(request), "the nearest field", request.fromStart);
  }

  show({ clip, x, y }, request) {
    if (clip === undefined) return;
    this.label({ x, y });
    if (request) return this.play(clip, "a blend of four", request.fromStart);
    this.place = { x, y };
    this.ui.player.setData({ title: "a blend of four", melodies: [melody(clip)] });
    this.draw();
  }

  key(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { player } = this.ui;
    if (DIRECTIONS[key]) this.step(DIRECTIONS[key], event.shiftKey);
    else if (key === "Enter") this.go(this.place, true);
    else if ((key === " " || key === "k") && player.playing) player.pause();
    else if (key === " " || key === "k") this.go(this.place);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  step([dx, dy], small) {
    const { across, down } = this.fields;
    const { x, y } = this.place;
    const to = (from, direction, count) =>
      small ? clamp(from + direction * STEP, 0, 1) : nextField(from, direction, count);
    this.go({ x: to(x, dx, across), y: to(y, dy, down) });
  }

  // ---- Picture

  draw() {
    if (!this.colours || !this.data.grid) return;
    const { pen, width, height } = this.cleared(this.ui.canvas);
    const { across, down } = this.fields;
    const [wide, high] = [width / across, height / down];
    const here = { column: Math.round(this.place.x * (across - 1)), row: Math.round(this.place.y * (down - 1)) };
    this.data.grid.forEach((line, row) =>
      line.forEach((clip, column) => {
        const chosen = here.row === row && here.column === column;
        pen.fillStyle = chosen ? this.colours.shade : this.colours.paper;
        pen.fillRect(column * wide, row * high, wide, high);
        const box = { left: column * wide + 5, top: row * high + 5, width: wide - 10, height: high - 10 };
        const corner = [0, down - 1].includes(row) && [0, across - 1].includes(column);
        drawNotes(pen, clip, box, corner ? this.colours.keys : this.colours.muted, this.pitches);
      }),
    );
    pen.fillStyle = this.colours.grid;
    for (let column = 1; column < across; column++) pen.fillRect(column * wide, 0, 1, height);
    for (let row = 1; row < down; row++) pen.fillRect(0, row * high, width, 1);
    const [x, y] = [(this.place.x * (across - 1) + 0.5) * wide, (this.place.y * (down - 1) + 0.5) * high];
    pen.beginPath();
    pen.arc(x, y, 9, 0, 7);
    pen.lineWidth = 2.5;
    pen.strokeStyle = this.colours.accent;
    pen.stroke();
  }
}

define("mvae-pad", "Melody pad", MelodyPad);

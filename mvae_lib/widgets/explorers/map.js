// The latent map: a point for each melody. A click plays one, a drag moves through the space between them.
//
// data: { title, tempo, loop, points: [[x, y], ...] in 0 to 1, titles, titleOf, clips, groups or ramp }
//   groups: { label, names, of: [index, ...] }        ramp: { label, low, high, of: [0 to 1, or null, ...] }
// request: { point } or { x, y }        response: { clip, title, x, y }

import { Explorer, define } from "./explorer.js";
import { melody } from "./clips.js";
import { nearestPoint, nextPoint, rampColour, rampGradient, short } from "./places.js";
import { clamp } from "../numbers.js";

const NEAR = 10;
const MARGIN = 14;
const STEP = 0.02;
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const MARKUP = `
  <div class="surface"><canvas class="canvas" style="height: 360px" tabindex="0" role="application"
    aria-label="Map of melodies"
    title="Click a point to play it, drag to move between points. Keys: arrows go to the next point, Shift and arrows
move freely, Enter plays, space or k stops"></canvas></div>
  <div class="legend"></div>
  <div class="about" role="status"></div>`;

class LatentMap extends Explorer {
  constructor(host) {
    super(host, MARKUP);
    const { canvas } = this.ui;
    canvas.onpointerdown = (event) => this.press(event);
    canvas.onpointermove = (event) => this.move(event);
    canvas.onpointerup = canvas.onpointercancel = () => this.release();
    canvas.onkeydown = (event) => this.key(event);
  }

  build() {
    this.place ??= { x: this.data.points[0][0], y: this.data.points[0][1], point: 0 };
    this.legend();
    const hint = "Click a point to play it, drag to move between them; or use the arrow keys and Enter.";
    this.ui.about.textContent ||= hint;
    const count = `${this.data.points.length} melodies`;
    this.ui.canvas.setAttribute("aria-label", `Map of ${count}${this.data.title ? `: ${this.data.title}` : ""}`);
  }

  first() {
    return this.data.clips[0];
  }

  // ---- Where things are

  size() {
    const { clientWidth, clientHeight } = this.ui.canvas;
    return { width: clientWidth - 2 * MARGIN, height: clientHeight - 2 * MARGIN };
  }

  pixels([x, y]) {
    const { width, height } = this.size();
    return [MARGIN + x * width, MARGIN + (1 - y) * height];
  }

  placeOf(event) {
    const { left, top } = this.ui.canvas.getBoundingClientRect();
    const { width, height } = this.size();
    return {
      x: clamp((event.clientX - left - MARGIN) / width, 0, 1),
      y: clamp(1 - (event.clientY - top - MARGIN) / height, 0, 1),
    };
  }

  get inPixels() {
    return this.data.points.map((place) => this.pixels(place));
  }

  // The nearest point and its distance in pixels.
  nearest({ x, y }) {
    return nearestPoint(this.inPixels, this.pixels([x, y]));
  }

  titleOf(point) {
    return this.data.titles[this.data.titleOf[point]];
  }

  describe(point) {
    const { groups, ramp } = this.data;
    let value = "";
    if (groups) value = `, ${groups.names[groups.of[point]]}`;
    if (ramp && ramp.of[point] !== null) {
      value = `, ${ramp.label} ${short(ramp.low + ramp.of[point] * (ramp.high - ramp.low))}`;
    }
    return `${this.titleOf(point)}${value}`;
  }

  // ---- Mouse and finger

  press(event) {
    this.ui.canvas.setPointerCapture(event.pointerId);
    const place = this.placeOf(event);
    const { point, distance } = this.nearest(place);
    this.pressed = { x: event.clientX, y: event.clientY, dragged: false };
    if (distance <= NEAR) this.pick(point);
    else this.moveTo(place, true);
  }

  move(event) {
    const place = this.placeOf(event);
    if (!this.pressed) {
      const { point, distance } = this.nearest(place);
      this.hovered = distance <= NEAR ? point : null;
      if (this.hovered !== null) this.ui.about.textContent = this.describe(this.hovered);
      this.draw();
      return;
    }
    const { x, y } = this.pressed;
    if (!this.pressed.dragged && Math.hypot(event.clientX - x, event.clientY - y) < 5) return;
    if (!this.pressed.dragged) {
      // During a drag, the music goes on.
      this.pressed.dragged = true;
      this.pressed.looped = this.ui.player.player.score.loop ?? false;
      this.ui.player.setData({ loop: true });
    }
    this.moveTo(place);
  }

  release() {
    if (this.pressed?.dragged) this.ui.player.setData({ loop: this.pressed.looped });
    this.pressed = null;
  }

  // ---- Keys

  key(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (DIRECTIONS[key] && event.shiftKey) this.stroll(DIRECTIONS[key]);
    else if (DIRECTIONS[key]) this.step(DIRECTIONS[key]);
    else if (key === "Enter") this.enter();
    else if (key === " " || key === "k") this.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  toggle() {
    if (this.ui.player.playing) this.ui.player.pause();
    else this.enter();
  }

  enter() {
    if (this.place.point >= 0) this.pick(this.place.point);
    else this.moveTo(this.place, true);
  }

  stroll([dx, dy]) {
    const { x, y } = this.place;
    this.moveTo({ x: clamp(x + dx * STEP, 0, 1), y: clamp(y + dy * STEP, 0, 1) });
  }

  step(direction) {
    const here = this.pixels([this.place.x, this.place.y]);
    const point = nextPoint(this.inPixels, here, direction, this.place.point);
    if (point >= 0) this.goTo(point);
  }

  goTo(point) {
    const [x, y] = this.data.points[point];
    this.place = { x, y, point };
    this.ui.about.textContent = this.describe(point);
    this.draw();
  }

  // ---- Sound

  // A point is played at once, for its melody is here; Python gets it, too.
  pick(point) {
    this.goTo(point);
    this.play(this.data.clips[point], this.titleOf(point), true);
    if (this.live) this.sendRequest({ point });
  }

  moveTo({ x, y }, fromStart = false) {
    this.place = { x, y, point: -1 };
    this.draw();
    this.sendRequest({ x, y, fromStart });
  }

  show({ clip, title, x, y, point = -1 }, request) {
    if (!request && point < 0) this.place = { x, y, point };
    if (point >= 0) {
      if (!request) this.goTo(point);
      if (!request && clip) this.ui.player.setData({ title, melodies: [melody(clip)] });
      return;
    }
    this.ui.about.textContent = title;
    if (request) this.play(clip, title, request.fromStart);
    else this.ui.player.setData({ title, melodies: [melody(clip)] });
    this.draw();
  }

  fallBack(request) {
    const point = request.point ?? this.nearest(request).point;
    const fromStart = request.fromStart && this.played !== point;
    this.played = point;
    this.ui.about.textContent = `Nearest: ${this.describe(point)}`;
    this.hovered = point;
    this.draw();
    this.play(this.data.clips[point], this.titleOf(point), fromStart);
  }

  // ---- Picture

  colourOf(point) {
    const { groups, ramp } = this.data;
    if (groups) return this.colours.series[groups.of[point] % this.colours.series.length];
    if (!ramp) return this.colours.keys;
    const share = ramp.of[point];
    if (share === null) return this.colours.grid;
    return rampColour(share);
  }

  // Groups differ in shape, too, for eyes that do not tell the colours apart.
  mark(pen, x, y, shape, radius) {
    pen.beginPath();
    if (shape === 1) pen.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    else if (shape === 2) {
      pen.moveTo(x, y - 1.3 * radius);
      pen.lineTo(x + 1.2 * radius, y + radius);
      pen.lineTo(x - 1.2 * radius, y + radius);
    } else if (shape === 3) {
      pen.moveTo(x, y - 1.4 * radius);
      pen.lineTo(x + 1.4 * radius, y);
      pen.lineTo(x, y + 1.4 * radius);
      pen.lineTo(x - 1.4 * radius, y);
    } else pen.arc(x, y, radius, 0, 7);
    pen.closePath();
  }

  draw() {
    if (!this.colours || !this.data.points) return;
    const { pen, width, height } = this.cleared(this.ui.canvas);
    pen.strokeStyle = this.colours.muted;
    pen.lineWidth = 0.5;
    const shapes = this.data.groups?.of;
    this.data.points.forEach((place, point) => {
      this.mark(pen, ...this.pixels(place), shapes ? shapes[point] % 4 : 0, 3.2);
      pen.fillStyle = this.colourOf(point);
      pen.fill();
      if (this.data.ramp) pen.stroke();
    });
    const ring = (place, radius, colour) => {
      pen.beginPath();
      pen.arc(...this.pixels(place), radius, 0, 7);
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.stroke();
    };
    if (this.hovered !== null && this.hovered !== undefined) ring(this.data.points[this.hovered], 7, this.colours.ink);
    const [x, y] = this.pixels([this.place.x, this.place.y]);
    ring([this.place.x, this.place.y], 8, this.colours.accent);
    pen.fillStyle = this.colours.accent;
    pen.fillRect(0, y - 0.5, width, 0.5);
    pen.fillRect(x - 0.5, 0, 0.5, height);
  }

  legend() {
    const { groups, ramp } = this.data;
    const key = (...parts) => {
      const span = document.createElement("span");
      span.className = "key";
      span.append(...parts);
      return span;
    };
    const canvasOf = (index) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 14, height: 14 });
      canvas.style.cssText = "width: 14px; height: 14px; cursor: default";
      canvas.dataset.group = index;
      return canvas;
    };
    const keys = groups ? groups.names.map((name, index) => key(canvasOf(index), name)) : [];
    if (groups?.label) keys.unshift(key(groups.label));
    if (ramp) {
      const bar = document.createElement("span");
      bar.className = "ramp";
      bar.style.background = rampGradient();
      keys.push(key(ramp.label), key(short(ramp.low), bar, short(ramp.high)));
    }
    this.ui.legend.replaceChildren(...keys);
  }

  paint() {
    super.paint();
    for (const canvas of this.ui.legend.querySelectorAll("canvas")) {
      const pen = canvas.getContext("2d");
      pen.clearRect(0, 0, 14, 14);
      this.mark(pen, 7, 7, canvas.dataset.group % 4, 4);
      pen.fillStyle = this.colours.series[canvas.dataset.group % this.colours.series.length];
      pen.fill();
    }
  }
}

define("mvae-map", "Latent map", LatentMap);

// Where things are on an explorer, and what they are called. Nothing here needs a page.

import { clamp } from "../numbers.js";

// ---- Numbers

// Two digits, without an exponent: 300 rather than 3.0e+2.
export const short = (number) => String(+number.toPrecision(2));

export function signed(number) {
  if (number === null) return "none";
  if (Math.abs(number) < 5e-5) return "0";
  return `${number < 0 ? "−" : "+"}${+Math.abs(number).toPrecision(2)}`;
}

// ---- Colours: from low to high, viridis at five places

const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

export function rampColour(share) {
  const place = share * (RAMP.length - 1);
  const index = Math.min(Math.floor(place), RAMP.length - 2);
  const mixed = RAMP[index].map((from, i) => from + (place - index) * (RAMP[index + 1][i] - from));
  return `rgb(${mixed.map(Math.round).join()})`;
}

export const rampGradient = () => `linear-gradient(90deg, ${RAMP.map((colour) => `rgb(${colour})`).join()})`;

// ---- The map: points in pixels

// The point that is nearest to a place, and its distance; -1 where there is none.
export function nearestPoint(points, [x, y]) {
  let best = { point: -1, distance: Infinity };
  points.forEach(([px, py], point) => {
    const distance = Math.hypot(px - x, py - y);
    if (distance < best.distance) best = { point, distance };
  });
  return best;
}

// The point that lies nearest in a direction (up is dy = 1): going aside counts double. -1 where there is none.
export function nextPoint(points, [x, y], [dx, dy], without) {
  let best = { point: -1, cost: Infinity };
  points.forEach(([px, py], point) => {
    if (point === without) return;
    const along = (px - x) * dx - (py - y) * dy;
    const aside = Math.abs((px - x) * dy + (py - y) * dx);
    if (along > 0.5 && aside <= 2 * along && along + 2 * aside < best.cost) best = { point, cost: along + 2 * aside };
  });
  return best.point;
}

// ---- The pad: a grid whose fields' middles lie at 0, ..., 1

// A share of the pad's width (or height) as a place.
export const padPlace = (share, count) => clamp((share * count - 0.5) / (count - 1), 0, 1);

// The place of the nearest field's middle.
export const fieldPlace = (place, count) => Math.round(place * (count - 1)) / (count - 1);

// The middle of the next field in a direction; from between two fields, the one that lies there.
export function nextField(from, direction, count) {
  if (!direction) return from;
  const field = from * (count - 1);
  const next = direction > 0 ? Math.floor(field + 1 + 1e-6) : Math.ceil(field - 1 - 1e-6);
  return clamp(next / (count - 1), 0, 1);
}

// The shares of the four corners at a place: "35 % A, 21 % B, ...", without those of 0 %.
export function padWords({ x, y }, names) {
  const shares = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
  const parts = names.map((name, index) => [Math.round(100 * shares[index]), name]);
  return parts.filter(([percent]) => percent).map(([percent, name]) => `${percent} % ${name}`).join(", ");
}

// ---- The blender

export function blendWords(t, [from, to]) {
  if (t === 0 || t === 1) return `${t ? to : from}, reconstructed`;
  return `${Math.round(100 * (1 - t))} % ${from}, ${Math.round(100 * t)} % ${to}`;
}

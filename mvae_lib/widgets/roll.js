// The piano roll on a canvas.

import { clamp } from "./numbers.js";
import { BEATS_PER_BAR, rollGeometry } from "./score.js";

// Draws one melody; `beat` is the playhead's place in it, or null where the playhead is elsewhere.
export function drawRoll(canvas, melody, lanes, colours, beat, playing) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "10px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const { left, row, tops, x, y } = rollGeometry(melody.beats, lanes, width, height);
  const box = (colour, ...place) => {
    pen.fillStyle = colour;
    pen.fillRect(...place);
  };
  const write = (text, ...place) => {
    pen.fillStyle = colours.muted;
    pen.fillText(text, ...place);
  };

  box(colours.paper, 0, 0, width, height);
  lanes.forEach(({ low, high }, lane) => {
    for (let pitch = low; pitch <= high; pitch++) {
      if ([1, 3, 6, 8, 10].includes(pitch % 12)) box(colours.shade, left, y(pitch, lane), width - left, row);
      if (pitch % 12 === 0 && left) write(`C${pitch / 12 - 1}`, 4, clamp(y(pitch, lane) + row / 2, 6, height - 6));
    }
  });
  for (let line = 0; line < melody.beats; line++) {
    box(line % BEATS_PER_BAR ? colours.grid : colours.bar, x(line), 0, 1, height);
  }
  for (const [pitch, start, length, , voice = "keys", track = 0] of melody.notes) {
    const sounds = playing && beat !== null && start <= beat && beat < start + length;
    const noteWidth = Math.max(x(start + length) - x(start) - 1, 2);
    const place = [x(start) + 1, y(pitch, track) + 0.5, noteWidth, Math.max(row - 1, 3)];
    box(sounds ? colours.accent : colours[voice], ...place);
  }
  lanes.forEach(({ name }, lane) => {
    if (lane) box(colours.bar, 0, tops[lane], width, 1);
    if (name && left) write(name, left + 4, tops[lane] + 8);
  });
  if (!melody.notes.length) write("no notes", (left + width) / 2 - 20, height / 2);
  if (beat !== null) box(colours.accent, clamp(x(beat) - 1, left, width - 2), 0, 2, height);
}

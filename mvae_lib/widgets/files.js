// Files to keep: WAV from samples, MIDI from a score.

import { clamp } from "./numbers.js";
import { layOut } from "./score.js";

const ascii = (text) => [...text].map((letter) => letter.charCodeAt(0));
const bigEndian = (value, count) => Array.from({ length: count }, (_, i) => (value >> (8 * (count - 1 - i))) & 255);
const littleEndian = (value, count) => bigEndian(value, count).reverse();

// 16-bit mono PCM in a RIFF container.
export function wavFile(samples, sampleRate) {
  const header = [
    ...ascii("RIFF"), ...littleEndian(36 + 2 * samples.length, 4), ...ascii("WAVEfmt "), 16, 0, 0, 0, 1, 0, 1, 0,
    ...littleEndian(sampleRate, 4), ...littleEndian(2 * sampleRate, 4), 2, 0, 16, 0,
    ...ascii("data"), ...littleEndian(2 * samples.length, 4),
  ];
  const view = new DataView(new ArrayBuffer(header.length + 2 * samples.length));
  header.forEach((byte, i) => view.setUint8(i, byte));
  samples.forEach((sample, i) => view.setInt16(header.length + 2 * i, clamp(sample, -1, 1) * 32767, true));
  return view;
}

const TICKS_PER_BEAT = 480;
const CHANNELS = { keys: 0, bass: 1, drums: 9 };

// Seven bits a byte; all bytes but the last have the top bit set.
export function variableLength(value) {
  const bytes = [value & 127];
  while ((value >>= 7)) bytes.unshift((value & 127) | 128);
  return bytes;
}

// A Standard MIDI File of one track; keys (piano), bass and drums have channels of their own.
export function midiFile({ melodies, tempo }) {
  const { notes, beats } = layOut(melodies);
  const ticks = (beat) => Math.round(beat * TICKS_PER_BEAT);
  const events = notes.flatMap(({ pitch, start, length, velocity, voice }) => [
    [ticks(start), 0x90 | CHANNELS[voice], pitch, velocity],
    [ticks(start + length), 0x80 | CHANNELS[voice], pitch, 0],
  ]);
  // Where a pitch is repeated at once, the note-off (0x8.) has to come before the note-on (0x9.).
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const microseconds = bigEndian(Math.round(6e7 / tempo), 3);
  events.unshift([0, 0xff, 0x51, 3, ...microseconds], [0, 0xc0, 0], [0, 0xc1, 33]);
  events.push([Math.max(ticks(beats), events.at(-1)[0]), 0xff, 0x2f, 0]);

  let before = 0;
  const track = events.flatMap(([tick, ...bytes]) => {
    const wait = tick - before;
    before = tick;
    return [...variableLength(wait), ...bytes];
  });
  const header = [...ascii("MThd"), 0, 0, 0, 6, 0, 0, 0, 1, ...bigEndian(TICKS_PER_BEAT, 2)];
  return Uint8Array.from([...header, ...ascii("MTrk"), ...bigEndian(track.length, 4), ...track]);
}

export function download(data, type, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([data], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

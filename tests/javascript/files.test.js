// The bytes of saved files.
import assert from "node:assert/strict";
import { test } from "node:test";

import { midiFile, variableLength, wavFile } from "../../mvae_lib/widgets/files.js";

test("a WAV file has a header of 44 bytes and clipped 16-bit samples", () => {
  const view = wavFile(Float32Array.from([0, 0.5, 1, -1, 2]), 22050);
  const text = (from, to) => String.fromCharCode(...new Uint8Array(view.buffer).slice(from, to));
  assert.equal(view.byteLength, 44 + 10);
  assert.deepEqual([text(0, 4), text(8, 16), text(36, 40)], ["RIFF", "WAVEfmt ", "data"]);
  assert.equal(view.getUint32(4, true), 36 + 10);
  assert.equal(view.getUint16(22, true), 1);
  assert.equal(view.getUint32(24, true), 22050);
  assert.equal(view.getUint32(28, true), 44100);
  assert.equal(view.getUint16(34, true), 16);
  assert.equal(view.getUint32(40, true), 10);
  const samples = [0, 1, 2, 3, 4].map((index) => view.getInt16(44 + 2 * index, true));
  assert.deepEqual(samples, [0, 16383, 32767, -32767, 32767]);
});

test("a variable-length number has seven bits in each byte", () => {
  assert.deepEqual([0, 127, 128, 480, 16383, 16384].map(variableLength), [
    [0], [127], [129, 0], [131, 96], [255, 127], [129, 128, 0],
  ]);
});

test("a MIDI file holds tempo, programs, notes and length", () => {
  const melodies = [{ beats: 4, notes: [[60, 0, 1], [60, 1, 1], [36, 0, 0.25, 100, "drums"]] }];
  const bytes = [...midiFile({ melodies, tempo: 120 })];
  assert.deepEqual(bytes.slice(0, 14), [0x4d, 0x54, 0x68, 0x64, 0, 0, 0, 6, 0, 0, 0, 1, 1, 0xe0]);
  const length = bytes.slice(18, 22).reduce((sum, byte) => 256 * sum + byte);
  assert.equal(bytes.length, 22 + length);
  assert.deepEqual(bytes.slice(22), [
    0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20, // 500,000 microseconds per quarter note
    0, 0xc0, 0, 0, 0xc1, 33,
    0, 0x90, 60, 90, 0, 0x99, 36, 100,
    120, 0x89, 36, 0,
    0x82, 0x68, 0x80, 60, 0, // after 360 ticks; the note-off comes before the note-on of the same pitch
    0, 0x90, 60, 90,
    0x83, 0x60, 0x80, 60, 0,
    0x87, 0x40, 0xff, 0x2f, 0, // two beats of silence
  ]);
});

test("silence is a MIDI file of its length without notes", () => {
  const bytes = [...midiFile({ melodies: [{ beats: 4, notes: [] }], tempo: 60 })];
  assert.deepEqual(bytes.slice(-5), [0x8f, 0x00, 0xff, 0x2f, 0]);
});

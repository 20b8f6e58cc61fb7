// Scores, their time line and the geometry of a roll.
import assert from "node:assert/strict";
import { test } from "node:test";

import { barAndBeat, beatAt, firstFrom, layOut, melodyAt, pitchLanes, placeAfter, rollGeometry } from "../../mvae_lib/widgets/score.js";

const MELODIES = [
  { beats: 4, notes: [[60, 1, 1], [64, 0, 2, 70, "bass"]] },
  { beats: 8, notes: [[36, 0, 0.25, 100, "drums", 2]] },
];

test("melodies are laid out one after the other, in order of time, with the defaults filled in", () => {
  const { notes, spans, beats } = layOut(MELODIES);
  assert.deepEqual(notes, [
    { pitch: 64, start: 0, length: 2, velocity: 70, voice: "bass" },
    { pitch: 60, start: 1, length: 1, velocity: 90, voice: "keys" },
    { pitch: 36, start: 4, length: 0.25, velocity: 100, voice: "drums" },
  ]);
  assert.deepEqual(spans, [{ start: 0, end: 4 }, { start: 4, end: 12 }]);
  assert.equal(beats, 12);
  assert.deepEqual(layOut([]), { notes: [], spans: [], beats: 0 });
});

test("a place in a loop comes round as often as needed; without a loop it stays at the end", () => {
  const range = { start: 4, end: 8 };
  assert.equal(placeAfter(5, 2, range, false), 7);
  assert.equal(placeAfter(5, 9, range, false), 8);
  assert.equal(placeAfter(5, 9, range, true), 6);
  assert.equal(placeAfter(4, 4, range, true), 4);
});

test("the next note and the melody of a beat are found, also past the last", () => {
  const { notes, spans } = layOut(MELODIES);
  assert.deepEqual([0, 0.5, 1, 1.5, 5].map((beat) => firstFrom(notes, beat)), [0, 1, 1, 2, 3]);
  assert.deepEqual([0, 3.9, 4, 12, 99].map((beat) => melodyAt(spans, beat)), [0, 0, 1, 1, 1]);
  assert.equal(melodyAt([], 0), -1);
});

test("bars and beats are counted from one, and the end belongs to the last beat", () => {
  assert.equal(barAndBeat(0, 8), "bar 1, beat 1");
  assert.equal(barAndBeat(6.5, 8), "bar 2, beat 3");
  assert.equal(barAndBeat(8, 8), "bar 2, beat 4");
});

test("a roll has a lane for each track, of at least an octave", () => {
  assert.deepEqual(pitchLanes([{ notes: [[60, 0, 1]] }]), [{ name: "", low: 59, high: 71 }]);
  assert.deepEqual(pitchLanes([{ notes: [] }]), [{ name: "", low: 60, high: 72 }]);
  const melodies = [{ tracks: ["melody", "bass"], notes: [[60, 0, 1], [80, 0, 1], [36, 0, 1, 90, "bass", 1]] }];
  assert.deepEqual(pitchLanes(melodies), [
    { name: "melody", low: 59, high: 84 },
    { name: "bass", low: 35, high: 50 },
  ]);
});

test("lanes fill the height of a roll from the top, and a press finds the beat that is drawn there", () => {
  const lanes = [{ low: 60, high: 69 }, { low: 30, high: 39 }];
  const { x, y, row, tops } = rollGeometry(8, lanes, 426, 200);
  assert.equal(row, 10);
  assert.deepEqual(tops, [0, 100]);
  assert.deepEqual([y(69), y(60), y(39, 1), y(30, 1)], [0, 90, 100, 190]);
  assert.deepEqual([x(0), x(8)], [26, 426]);
  for (const beat of [0, 2.5, 8]) assert.equal(beatAt(x(beat), 426, 8), beat);
  assert.equal(rollGeometry(8, lanes, 200, 100).left, 0);
});

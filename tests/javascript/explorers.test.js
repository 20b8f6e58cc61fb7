// Melodies as texts, and where things are on an explorer.
import assert from "node:assert/strict";
import { test } from "node:test";

import { FIRST_LETTER, melody, rows } from "../../mvae_lib/widgets/explorers/clips.js";
import {
  blendWords, fieldPlace, nearestPoint, nextField, nextPoint, padPlace, padWords, rampColour, short, signed,
} from "../../mvae_lib/widgets/explorers/places.js";

const clip = (tokens) => String.fromCharCode(...tokens.map((token) => FIRST_LETTER + token));

test("a melody is read as Python wrote it", () => {
  const found = melody(clip([1, 41, 0, 0, 1, 0, 43, 43, 0, 0, 0, 2, 89, 1, 1, 0]), "a title");
  assert.deepEqual(found.notes, [[60, 0.25, 0.75], [62, 1.5, 0.25], [62, 1.75, 1], [21, 2.75, 0.25], [108, 3, 0.25]]);
  assert.equal(found.beats, 4);
  assert.equal(found.title, "a title");
  assert.equal(found.about, "5 notes from A0 to C8, 1 bars");
  assert.equal(melody(clip([0, 0, 0, 0])).about, "no notes, 0.25 bars");
});

test("a note is held to the end of the melody", () => {
  assert.deepEqual(melody(clip([0, 41, 0, 0])).notes, [[60, 0.25, 0.75]]);
});

test("music of several tracks comes as its notes and stays as it is", () => {
  const trio = { title: "", about: "3 tracks", beats: 4, notes: [[36, 0, 1, 90, "bass", 1]], tracks: ["melody", "bass"] };
  assert.deepEqual(melody(trio, "a title"), { ...trio, title: "a title" });
});

test("the rows of several melodies hold all their notes", () => {
  const [low, high] = rows([clip([41]), clip([89]), clip([0])]);
  assert.ok(low < 60 && high > 108);
  assert.deepEqual(rows([clip([0])]), [71, 85]);
});

test("numbers have two digits and no exponent", () => {
  assert.deepEqual([300, 0, 3.04, 0.0123, -12.3].map(short), ["300", "0", "3", "0.012", "-12"]);
  assert.deepEqual([2, -3.25, 0, null].map(signed), ["+2", "−3.3", "0", "none"]);
});

test("the ramp goes from dark to light", () => {
  assert.deepEqual([0, 0.125, 1].map(rampColour), ["rgb(68,1,84)", "rgb(64,42,112)", "rgb(253,231,37)"]);
});

const POINTS = [[0, 0], [100, 0], [0, 100], [100, 100]];

test("the nearest point of a map is found, and its distance", () => {
  assert.deepEqual(nearestPoint(POINTS, [97, 4]), { point: 1, distance: 5 });
  assert.deepEqual(nearestPoint([], [0, 0]), { point: -1, distance: Infinity });
});

test("an arrow key goes to the nearest point in its direction, or nowhere", () => {
  assert.equal(nextPoint(POINTS, [0, 100], [1, 0], 2), 3);
  assert.equal(nextPoint(POINTS, [0, 100], [0, 1], 2), 0); // pixels count downwards, the map upwards
  assert.equal(nextPoint(POINTS, [0, 0], [-1, 0], 0), -1);
});

test("the fields of a pad have their middles at 0 to 1", () => {
  assert.deepEqual([0, 0.1, 0.5, 0.9, 1].map((share) => padPlace(share, 5)), [0, 0, 0.5, 1, 1]);
  assert.deepEqual([0, 0.1, 0.13, 1].map((place) => fieldPlace(place, 5)), [0, 0, 0.25, 1]);
});

test("a step on the pad goes to the next field, from between two fields to the one that lies there", () => {
  assert.deepEqual([[0, 1], [0.25, 1], [0.3, 1], [0.3, -1], [1, 1], [0.3, 0]].map(([from, by]) => nextField(from, by, 5)), [
    0.25, 0.5, 0.5, 0.25, 1, 0.3,
  ]);
});

test("places are named by the shares of what is blended", () => {
  const names = ["A", "B", "C", "D"];
  assert.equal(padWords({ x: 0, y: 0 }, names), "100 % A");
  assert.equal(padWords({ x: 0.25, y: 0.5 }, names), "38 % A, 13 % B, 38 % C, 13 % D");
  assert.equal(blendWords(0.45, ["low", "high"]), "55 % low, 45 % high");
  assert.equal(blendWords(1, ["low", "high"]), "high, reconstructed");
});

// When the transport plans which note, by a clock and a synthesiser made by hand.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { layOut } from "../../mvae_lib/widgets/score.js";
import { Transport } from "../../mvae_lib/widgets/transport.js";

const close = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-9, `${value} is not ${expected}`);
let transports = [];

// A transport at tempo 60, so that a beat is a second, with a note on each of the beats of 4-beat melodies.
function make(count = 1, settings = {}) {
  const planned = [];
  const speakers = {
    context: { currentTime: 0 },
    noteOn: (note, when, seconds) => {
      const voice = { when, end: when + seconds, cut: false, stop: () => (voice.cut = true), beat: note.start, seconds };
      planned.push(voice);
      return voice;
    },
  };
  const transport = new Transport(() => {}, () => speakers);
  const melody = { beats: 4, notes: [0, 1, 2, 3].map((beat) => [60, beat, 1]) };
  transport.change({ path: layOut(Array(count).fill(melody)), tempo: 60, ...settings });
  transports.push(transport);
  const at = (time) => {
    for (let now = speakers.context.currentTime; now < time; now += 0.025) {
      speakers.context.currentTime = now;
      if (transport.playing) transport.plan();
    }
    speakers.context.currentTime = time;
    if (transport.playing) transport.plan();
  };
  return { transport, planned, at };
}

afterEach(() => {
  transports.forEach((transport) => transport.pause());
  transports = [];
});

test("notes are planned a moment before they sound, for their time on the audio clock", () => {
  const { transport, planned, at } = make();
  transport.play();
  assert.deepEqual(planned.map(({ beat }) => beat), [0]);
  at(2.5);
  assert.deepEqual(planned.map(({ beat }) => beat), [0, 1, 2]);
  planned.forEach(({ when, beat, seconds }) => {
    close(when, 0.02 + beat);
    close(seconds, 1);
  });
  close(transport.position, 2.48);
});

test("it ends after its last beat, and goes back to the start", () => {
  const { transport, at } = make();
  transport.play();
  at(4.1);
  assert.equal(transport.playing, false);
  assert.equal(transport.position, 0);
});

test("a loop plays each note once in each lap, without a gap", () => {
  const { transport, planned, at } = make(1, { loop: true });
  transport.play();
  at(9.5);
  assert.deepEqual(planned.map(({ beat }) => beat), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]);
  planned.forEach(({ when }, index) => close(when, 0.02 + index));
  close(transport.position, 1.48);
});

test("a new tempo keeps the beat, and what was only planned is planned anew", () => {
  const { transport, planned, at } = make();
  transport.play();
  at(0.95);
  assert.equal(planned.at(-1).beat, 1);
  const before = transport.position;
  transport.change({ tempo: 120 });
  close(transport.position, before);
  assert.equal(planned[1].cut, true);
  assert.equal(planned.at(-1).beat, 1);
  close(planned.at(-1).when, 0.95 + (1 - before) / 2);
  at(1.95);
  close(transport.position, before + 2);
});

test("one melody of a strip plays alone; a strip that shrinks under it plays on", () => {
  const { transport, planned, at } = make(3);
  transport.only = 1;
  transport.play();
  at(4.1);
  assert.deepEqual(planned.map(({ beat }) => beat), [4, 5, 6, 7]);
  assert.equal(transport.playing, false);
  transport.only = 2;
  transport.change({ path: layOut([{ beats: 4, notes: [] }]) });
  assert.equal(transport.only, null);
});

test("a jump into a held note plays the rest of it", () => {
  const { transport, planned } = make();
  transport.seek(1.75);
  transport.play();
  assert.equal(planned.length, 1);
  close(planned[0].seconds, 0.25);
  transport.pause();
  close(transport.position, 1.75);
  assert.ok(planned[0].cut);
});

test("a page that slept leaves out what it has missed", () => {
  const { transport, planned } = make();
  transport.play();
  transport.speakers.context.currentTime = 2.5;
  transport.plan();
  assert.deepEqual(planned.map(({ beat }) => beat), [0]);
});

test("only one transport sounds", () => {
  const one = make().transport;
  const other = make().transport;
  one.play();
  other.play();
  assert.deepEqual([one.playing, other.playing], [false, true]);
});

test("a seek stays inside the path", () => {
  const { transport } = make();
  transport.seek(Infinity);
  assert.equal(transport.position, 4);
  transport.seek(-1);
  assert.equal(transport.position, 0);
});

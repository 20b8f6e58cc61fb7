// The transport: it plays a path of notes on a synthesiser, with loop, tempo and seeking.

import { clamp } from "./numbers.js";
import { firstFrom, layOut, melodyAt, placeAfter } from "./score.js";
import { wakeSpeakers } from "./synthesiser.js";

// A timer is late by tens of milliseconds, the audio clock never: so the timer only looks ahead and plans the notes
// of the next moment. Hidden pages get a timer a second, hence the longer look.
const TIMER_MS = 25;
const lookAhead = () => (globalThis.document?.hidden ? 1.5 : 0.12);

// The transport that sounds, if any: another one that starts silences it.
let sounding = null;

export class Transport {
  // `wake` gives the synthesiser, and is first called by play(): browsers allow no sound before a click.
  constructor(onChange, wake = wakeSpeakers) {
    this.onChange = onChange;
    this.wake = wake;
    this.path = layOut([]);
    this.tempo = 120;
    this.loop = false;
    this.playing = false;
    // The melody of a strip that is played alone; null for the whole path.
    this.only = null;
    this.rest = 0;
    this.voices = [];
  }

  get range() {
    return this.only === null ? { start: 0, end: this.path.beats } : this.path.spans[this.only];
  }

  // Seconds of the audio clock.
  get now() {
    return this.speakers.context.currentTime;
  }

  // In beats from the start of the path.
  get position() {
    if (!this.playing) return this.rest;
    const elapsed = Math.max(this.now - this.anchor.time, 0);
    return placeAfter(this.anchor.beat, (elapsed * this.tempo) / 60, this.range, this.loop);
  }

  // Takes on a new path, tempo or loop without leaving the beat: what already sounds rings on, and what was only
  // planned is planned anew.
  change(settings) {
    const beat = this.position;
    Object.assign(this, settings);
    if (this.only >= this.path.spans.length) this.only = null;
    this.rest = Math.min(beat, this.path.beats);
    if (this.playing) this.anchorAt(this.rest, this.now);
  }

  anchorAt(beat, time) {
    const { now } = this;
    for (const voice of this.voices) if (voice.when > now) voice.stop();
    this.voices = this.voices.filter((voice) => voice.when <= now);
    this.anchor = { beat, time };
    this.lap = 0;
    this.next = firstFrom(this.path.notes, beat);
    this.plan();
  }

  plan() {
    const { now } = this;
    const beatSeconds = 60 / this.tempo;
    const { start, end } = this.range;
    for (;;) {
      const note = this.path.notes[this.next];
      const inside = note && note.start < end;
      const beat = (inside ? note.start : end) + this.lap * (end - start);
      const when = this.anchor.time + (beat - this.anchor.beat) * beatSeconds;
      if (when > now + lookAhead()) break;
      if (inside) {
        this.next += 1;
        // A page that slept has missed these.
        if (when < now - 0.05) continue;
        this.voices.push(this.speakers.noteOn(note, Math.max(when, now), note.length * beatSeconds));
      } else if (this.loop) {
        this.lap += 1;
        this.next = firstFrom(this.path.notes, start);
      } else {
        if (when <= now) this.finish();
        break;
      }
    }
    this.voices = this.voices.filter((voice) => voice.end > now);
  }

  play() {
    this.speakers = this.wake();
    const { now } = this;
    if (this.playing) return;
    sounding?.pause();
    sounding = this;
    const { start, end } = this.range;
    if (this.rest < start || this.rest >= end) this.rest = start;
    this.playing = true;
    this.anchorAt(this.rest, now + 0.02);
    // A held note that was cut by a pause or a seek goes on for the rest of its length.
    for (const note of this.path.notes) {
      const left = note.start + note.length - this.rest;
      if (note.start < this.rest && left > 0 && note.voice !== "drums") {
        this.voices.push(this.speakers.noteOn(note, now + 0.02, (left * 60) / this.tempo));
      }
    }
    this.timer = setInterval(() => this.plan(), TIMER_MS);
    this.onChange();
  }

  pause() {
    if (!this.playing) return;
    this.rest = this.position;
    for (const voice of this.voices) voice.stop();
    this.voices = [];
    this.halt();
  }

  finish() {
    this.rest = 0;
    this.halt();
  }

  halt() {
    this.playing = false;
    clearInterval(this.timer);
    if (sounding === this) sounding = null;
    this.onChange();
  }

  seek(beat) {
    const wasPlaying = this.playing;
    this.pause();
    this.rest = clamp(beat, 0, this.path.beats);
    if (this.only !== null) this.only = this.melodyAt(this.rest);
    if (wasPlaying) this.play();
    else this.onChange();
  }

  melodyAt(beat) {
    return melodyAt(this.path.spans, beat);
  }
}

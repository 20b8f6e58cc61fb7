// The synthesiser: notes as sound, live on the page's speakers or rendered to samples.

import { layOut } from "./score.js";

// The strengths of the overtones, from the fundamental on.
const OVERTONES = { keys: [1, 0.5, 0.33, 0.2, 0.1, 0.07, 0.04], bass: [1, 0.7, 0.2, 0.1, 0.05] };

// A General MIDI drum is a thump of falling pitch, a hiss (noise above a pitch), or both: [hertz, strength, seconds].
const KICK = { thump: [150, 0.9, 0.28] };
const SNARE = { thump: [210, 0.35, 0.12], hiss: [1500, 0.4, 0.17] };
const CLOSED_HAT = { hiss: [7500, 0.25, 0.06] };
const OPEN_HAT = { hiss: [7000, 0.25, 0.32] };
const CYMBAL = { hiss: [5000, 0.28, 0.9] };
const tom = (hertz) => ({ thump: [hertz, 0.7, 0.3] });
const DRUMS = {
  35: KICK, 36: KICK, 37: SNARE, 38: SNARE, 39: SNARE, 40: SNARE, 42: CLOSED_HAT, 44: CLOSED_HAT, 46: OPEN_HAT,
  41: tom(80), 43: tom(95), 45: tom(115), 47: tom(140), 48: tom(165), 50: tom(195),
};

export class Synthesiser {
  constructor(context) {
    this.context = context;
    this.output = new GainNode(context, { gain: 0.5 });
    this.meter = new AnalyserNode(context);
    // The compressor is there so that chords do not clip.
    this.output.connect(new DynamicsCompressorNode(context)).connect(this.meter).connect(context.destination);
    this.waves = {};
    for (const [voice, strengths] of Object.entries(OVERTONES)) {
      this.waves[voice] = new PeriodicWave(context, { imag: [0, ...strengths] });
    }
    this.noise = new AudioBuffer({ length: context.sampleRate, sampleRate: context.sampleRate });
    const samples = this.noise.getChannelData(0);
    // A linear congruential generator, so that two renders of one melody have the same noise.
    for (let i = 0, seed = 1; i < samples.length; i++) {
      seed = (1664525 * seed + 1013904223) >>> 0;
      samples[i] = seed / 2 ** 31 - 1;
    }
  }

  // Plans a note for `when` (seconds of the context's clock). What it returns can be cut short with stop().
  noteOn({ pitch, velocity, voice }, when, seconds) {
    const { context } = this;
    const volume = new GainNode(context, { gain: velocity / 127 });
    volume.connect(this.output);
    const sources =
      voice === "drums" ? this.drum(pitch, when, volume) : [this.tone(voice, pitch, when, seconds, volume)];
    const stop = () => {
      const now = context.currentTime;
      volume.gain.setTargetAtTime(0, now, 0.01);
      sources.forEach((source) => source.stop(now + 0.06));
    };
    return { when, end: when + seconds + 1, stop };
  }

  tone(voice, pitch, when, seconds, output) {
    const { context } = this;
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    const source = new OscillatorNode(context, { frequency, periodicWave: this.waves[voice] });
    // A struck string loses its brightness first, then its loudness.
    const filter = new BiquadFilterNode(context);
    filter.frequency.setValueAtTime(Math.min(frequency * 8, 9000), when);
    filter.frequency.exponentialRampToValueAtTime(Math.max(frequency * 2, 300), when + 0.5);
    const envelope = new GainNode(context, { gain: 0 });
    const release = when + Math.max(seconds - 0.02, 0.04);
    envelope.gain.setValueAtTime(0, when);
    envelope.gain.linearRampToValueAtTime(0.55, when + 0.006);
    envelope.gain.setTargetAtTime(0.2, when + 0.006, 0.25);
    envelope.gain.setTargetAtTime(0, release, 0.03);
    source.connect(filter).connect(envelope).connect(output);
    source.start(when);
    source.stop(release + 0.3);
    return source;
  }

  drum(pitch, when, output) {
    const { context } = this;
    const { thump, hiss } = DRUMS[pitch] ?? CYMBAL;
    const sources = [];
    const sound = (source, filter, strength, seconds) => {
      const envelope = new GainNode(context, { gain: 0 });
      envelope.gain.setValueAtTime(strength, when);
      envelope.gain.exponentialRampToValueAtTime(0.0001, when + seconds);
      source.connect(filter).connect(envelope).connect(output);
      source.start(when);
      source.stop(when + seconds);
      sources.push(source);
    };
    if (thump) {
      const [frequency, ...rest] = thump;
      const source = new OscillatorNode(context, { frequency });
      source.frequency.setValueAtTime(frequency, when);
      source.frequency.exponentialRampToValueAtTime(frequency / 3, when + 0.1);
      sound(source, new GainNode(context), ...rest);
    }
    if (hiss) {
      const [frequency, ...rest] = hiss;
      const source = new AudioBufferSourceNode(context, { buffer: this.noise, loop: true });
      sound(source, new BiquadFilterNode(context, { type: "highpass", frequency }), ...rest);
    }
    return sources;
  }
}

// The page's one live synthesiser, made at the first click: browsers allow no sound before it.
export let speakers = null;

export function wakeSpeakers() {
  speakers ??= new Synthesiser(new AudioContext({ latencyHint: "interactive" }));
  if (speakers.context.state !== "running") speakers.context.resume();
  return speakers;
}

// The whole score as samples in -1 to 1, faster than it sounds.
export async function render(score, sampleRate = 44100) {
  const path = layOut(score.melodies);
  const beat = 60 / score.tempo;
  const context = new OfflineAudioContext(1, Math.ceil((path.beats * beat + 1) * sampleRate), sampleRate);
  const synthesiser = new Synthesiser(context);
  for (const note of path.notes) synthesiser.noteOn(note, note.start * beat, note.length * beat);
  return (await context.startRendering()).getChannelData(0);
}

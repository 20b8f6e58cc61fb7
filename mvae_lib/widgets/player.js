// The course's melody players: a synthesiser, a transport that schedules it, a piano roll, files to keep, and the
// <mvae-player> element that joins them.
//
// No imports and no network, so that a player works wherever its notebook is opened: in JupyterLab with or without a
// kernel, in Notebook 7, in a page that nbconvert wrote. Python (html.py) sets `mvaePalette`, takes out the comment
// lines and puts the rest into each output. So comments here stand on lines of their own.
//
// A score, as Python writes it. Times are in beats (quarter notes) from the start of the melody:
//   { title, tempo, loop, melodies: [{ title, about, beats, notes: [[pitch, start, length, velocity, voice], ...] }] }
// A note may leave out its velocity (then 90) and its voice: "keys", "bass" or "drums" (then "keys").

(() => {
  // Raise it with every change: a page can hold stored outputs of an older version, and the newest has to win.
  const VERSION = 1;
  if (globalThis.mvae?.version >= VERSION) return;

  const BEATS_PER_BAR = 4;
  const MIN_TEMPO = 20;
  const MAX_TEMPO = 400;

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // All melodies of a score, one after the other on one time line: what the transport plays and what files hold.
  function layOut(melodies) {
    const notes = [];
    const spans = [];
    let beats = 0;
    for (const melody of melodies) {
      for (const [pitch, start, length, velocity = 90, voice = "keys"] of melody.notes) {
        notes.push({ pitch, start: beats + start, length, velocity, voice });
      }
      spans.push({ start: beats, end: beats + melody.beats });
      beats += melody.beats;
    }
    notes.sort((a, b) => a.start - b.start);
    return { notes, spans, beats };
  }

  // ---- Synthesiser ---------------------------------------------------------------------------------------------

  // The strengths of the overtones, from the fundamental on.
  const OVERTONES = { keys: [1, 0.5, 0.33, 0.2, 0.1, 0.07, 0.04], bass: [1, 0.7, 0.2, 0.1, 0.05] };

  // General MIDI drums are sums of pitched thumps [from Hz, to Hz, strength, seconds] and filtered noise
  // [filter, Hz, strength, seconds].
  const tom = (hertz) => ({ thump: [hertz, hertz * 0.6, 0.7, 0.3] });
  const KICK = { thump: [150, 45, 0.9, 0.28] };
  const SNARE = { thump: [210, 150, 0.35, 0.12], noise: ["highpass", 1500, 0.4, 0.17] };
  const CLOSED_HAT = { noise: ["highpass", 7500, 0.25, 0.06] };
  const OPEN_HAT = { noise: ["highpass", 7000, 0.25, 0.32] };
  const CYMBAL = { noise: ["highpass", 5000, 0.28, 0.9] };
  const DRUMS = {
    35: KICK, 36: KICK, 37: SNARE, 38: SNARE, 39: SNARE, 40: SNARE, 42: CLOSED_HAT, 44: CLOSED_HAT, 46: OPEN_HAT,
    41: tom(80), 43: tom(95), 45: tom(115), 47: tom(140), 48: tom(165), 50: tom(195),
  };

  class Synthesiser {
    constructor(context) {
      this.context = context;
      this.output = context.createGain();
      this.output.gain.value = 0.5;
      // Chords must not clip.
      const limiter = context.createDynamicsCompressor();
      this.meter = context.createAnalyser();
      this.output.connect(limiter).connect(this.meter).connect(context.destination);
      this.waves = {};
      for (const [voice, strengths] of Object.entries(OVERTONES)) {
        const sines = Float32Array.of(0, ...strengths);
        this.waves[voice] = context.createPeriodicWave(new Float32Array(sines.length), sines);
      }
      this.noise = context.createBuffer(1, context.sampleRate, context.sampleRate);
      const samples = this.noise.getChannelData(0);
      // A linear congruential generator, so that two renders of one melody have the same noise.
      for (let i = 0, seed = 1; i < samples.length; i++) {
        seed = (1664525 * seed + 1013904223) >>> 0;
        samples[i] = seed / 2 ** 31 - 1;
      }
    }

    // Plans a note for `when` (seconds of the context's clock). What it returns can be cut short with stop().
    strike({ pitch, velocity, voice }, when, seconds) {
      const volume = this.context.createGain();
      volume.gain.value = velocity / 127;
      volume.connect(this.output);
      const sources = voice === "drums" ? this.drum(pitch, when, volume) : [this.tone(voice, pitch, when, seconds, volume)];
      const stop = () => {
        const now = this.context.currentTime;
        volume.gain.setTargetAtTime(0, now, 0.01);
        for (const source of sources) source.stop(now + 0.06);
      };
      return { when, end: when + seconds + 1, stop };
    }

    tone(voice, pitch, when, seconds, output) {
      const hertz = 440 * 2 ** ((pitch - 69) / 12);
      const oscillator = this.context.createOscillator();
      oscillator.setPeriodicWave(this.waves[voice]);
      oscillator.frequency.value = hertz;
      // A struck string loses its brightness first, then its loudness.
      const filter = this.context.createBiquadFilter();
      filter.frequency.setValueAtTime(Math.min(hertz * 8, 9000), when);
      filter.frequency.exponentialRampToValueAtTime(Math.max(hertz * 2, 300), when + 0.5);
      const envelope = this.context.createGain();
      const release = when + Math.max(seconds - 0.02, 0.04);
      envelope.gain.setValueAtTime(0, when);
      envelope.gain.linearRampToValueAtTime(0.55, when + 0.006);
      envelope.gain.setTargetAtTime(0.2, when + 0.006, 0.25);
      envelope.gain.setTargetAtTime(0, release, 0.03);
      oscillator.connect(filter).connect(envelope).connect(output);
      oscillator.start(when);
      oscillator.stop(release + 0.3);
      return oscillator;
    }

    drum(pitch, when, output) {
      const { thump, noise } = DRUMS[pitch] ?? CYMBAL;
      const sources = [];
      const sound = (source, last, strength, seconds) => {
        const envelope = this.context.createGain();
        envelope.gain.setValueAtTime(strength, when);
        envelope.gain.exponentialRampToValueAtTime(0.0001, when + seconds);
        last.connect(envelope).connect(output);
        source.start(when);
        source.stop(when + seconds);
        sources.push(source);
      };
      if (thump) {
        const [from, to, strength, seconds] = thump;
        const oscillator = this.context.createOscillator();
        oscillator.frequency.setValueAtTime(from, when);
        oscillator.frequency.exponentialRampToValueAtTime(to, when + 0.1);
        sound(oscillator, oscillator, strength, seconds);
      }
      if (noise) {
        const [type, hertz, strength, seconds] = noise;
        const source = this.context.createBufferSource();
        source.buffer = this.noise;
        source.loop = true;
        const filter = this.context.createBiquadFilter();
        filter.type = type;
        filter.frequency.value = hertz;
        sound(source, source.connect(filter), strength, seconds);
      }
      return sources;
    }
  }

  // The page's one live synthesiser, made at the first click: browsers allow no sound before it.
  let speakers = null;

  function wakeSpeakers() {
    speakers ??= new Synthesiser(new AudioContext({ latencyHint: "interactive" }));
    if (speakers.context.state !== "running") speakers.context.resume();
    return speakers;
  }

  // The whole score as samples in -1 to 1, faster than it sounds.
  async function render(score, sampleRate = 44100) {
    const path = layOut(score.melodies);
    const beat = 60 / score.tempo;
    const context = new OfflineAudioContext(1, Math.ceil((path.beats * beat + 1) * sampleRate), sampleRate);
    const synthesiser = new Synthesiser(context);
    for (const note of path.notes) synthesiser.strike(note, note.start * beat, note.length * beat);
    return (await context.startRendering()).getChannelData(0);
  }

  // ---- Transport -----------------------------------------------------------------------------------------------

  // A timer is late by tens of milliseconds, the audio clock never: so the timer only looks ahead and plans the notes
  // of the next moment. Hidden pages get a timer a second, hence the longer look.
  const TIMER_MS = 25;
  const lookAhead = () => (document.hidden ? 1.5 : 0.12);

  // The transport that sounds, if any: another one that starts silences it.
  let sounding = null;

  class Transport {
    constructor(onChange) {
      this.onChange = onChange;
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

    // In beats from the start of the path.
    get position() {
      if (!this.playing) return this.rest;
      const elapsed = Math.max(speakers.context.currentTime - this.anchor.time, 0);
      const beat = this.anchor.beat + (elapsed * this.tempo) / 60;
      const { start, end } = this.range;
      if (beat < end) return beat;
      return this.loop ? start + ((beat - start) % (end - start)) : end;
    }

    // Runs `change` (new notes, tempo or loop) without leaving the beat: what already sounds rings on, and what was
    // only planned is planned anew.
    keepBeat(change) {
      const beat = this.position;
      change();
      this.rest = Math.min(beat, this.path.beats);
      if (this.playing) this.anchorAt(this.rest, speakers.context.currentTime);
    }

    load(path) {
      this.keepBeat(() => {
        this.path = path;
        if (this.only >= path.spans.length) this.only = null;
      });
    }

    setTempo(tempo) {
      this.keepBeat(() => (this.tempo = tempo));
    }

    setLoop(loop) {
      this.keepBeat(() => (this.loop = loop));
    }

    anchorAt(beat, time) {
      const now = speakers.context.currentTime;
      for (const voice of this.voices) if (voice.when > now) voice.stop();
      this.voices = this.voices.filter((voice) => voice.when <= now);
      this.anchor = { beat, time };
      this.lap = 0;
      this.next = this.firstFrom(beat);
      this.plan();
    }

    firstFrom(beat) {
      const index = this.path.notes.findIndex((note) => note.start >= beat);
      return index < 0 ? this.path.notes.length : index;
    }

    plan() {
      const now = speakers.context.currentTime;
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
          this.voices.push(speakers.strike(note, Math.max(when, now), note.length * beatSeconds));
        } else if (this.loop) {
          this.lap += 1;
          this.next = this.firstFrom(start);
        } else {
          if (when <= now) this.finish();
          break;
        }
      }
      this.voices = this.voices.filter((voice) => voice.end > now);
    }

    play() {
      const now = wakeSpeakers().context.currentTime;
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
          this.voices.push(speakers.strike(note, now + 0.02, (left * 60) / this.tempo));
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
      this.only = null;
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
      const index = this.path.spans.findIndex((span) => beat < span.end);
      return index < 0 ? this.path.spans.length - 1 : index;
    }
  }

  // ---- Files ---------------------------------------------------------------------------------------------------

  // 16-bit mono PCM in a RIFF container.
  function wavFile(samples, sampleRate) {
    const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const ascii = (offset, text) => [...text].forEach((letter, i) => view.setUint8(offset + i, letter.charCodeAt(0)));
    ascii(0, "RIFF");
    view.setUint32(4, 36 + 2 * samples.length, true);
    ascii(8, "WAVEfmt ");
    view.setUint32(16, 16, true);
    view.setUint16(20, 1, true);
    view.setUint16(22, 1, true);
    view.setUint32(24, sampleRate, true);
    view.setUint32(28, 2 * sampleRate, true);
    view.setUint16(32, 2, true);
    view.setUint16(34, 16, true);
    ascii(36, "data");
    view.setUint32(40, 2 * samples.length, true);
    samples.forEach((sample, i) => view.setInt16(44 + 2 * i, Math.round(clamp(sample, -1, 1) * 32767), true));
    return view.buffer;
  }

  // A Standard MIDI File of one track; keys, bass and drums have channels of their own.
  function midiFile(score) {
    const TICKS_PER_BEAT = 480;
    const CHANNELS = { keys: 0, bass: 1, drums: 9 };
    const path = layOut(score.melodies);
    const ticks = (beats) => Math.round(beats * TICKS_PER_BEAT);
    const bigEndian = (value, bytes) => Array.from({ length: bytes }, (_, i) => (value >> (8 * (bytes - 1 - i))) & 255);
    // Seven bits a byte; all bytes but the last have the top bit set.
    const variableLength = (value) => {
      const bytes = [value & 127];
      while ((value >>= 7)) bytes.unshift((value & 127) | 128);
      return bytes;
    };

    const events = [
      [0, 0xff, 0x51, 3, ...bigEndian(Math.round(6e7 / score.tempo), 3)],
      [0, 0xff, 0x58, 4, 4, 2, 24, 8],
      [0, 0xc0, 0],
      [0, 0xc1, 33],
    ];
    const noteEvents = path.notes.flatMap(({ pitch, start, length, velocity, voice }) => [
      [ticks(start), 0x90 | CHANNELS[voice], pitch, velocity],
      [ticks(start + length), 0x80 | CHANNELS[voice], pitch, 0],
    ]);
    // Where a pitch is repeated at once, the note-off (0x8.) has to come before the note-on (0x9.).
    noteEvents.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const lastTick = Math.max(ticks(path.beats), noteEvents.at(-1)?.[0] ?? 0);
    events.push(...noteEvents, [lastTick, 0xff, 0x2f, 0]);

    const track = [];
    let before = 0;
    for (const [tick, ...bytes] of events) {
      track.push(...variableLength(tick - before), ...bytes);
      before = tick;
    }
    const ascii = (text) => [...text].map((letter) => letter.charCodeAt(0));
    const header = [...ascii("MThd"), ...bigEndian(6, 4), 0, 0, 0, 1, ...bigEndian(TICKS_PER_BEAT, 2)];
    return Uint8Array.from([...header, ...ascii("MTrk"), ...bigEndian(track.length, 4), ...track]);
  }

  function download(data, type, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([data], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // ---- Piano roll ----------------------------------------------------------------------------------------------

  // The rows that show all melodies of a strip on one scale: at least an octave, so that one note is not a wall.
  function pitchRange(melodies) {
    const pitches = melodies.flatMap((melody) => melody.notes.map(([pitch]) => pitch));
    if (!pitches.length) return { low: 60, high: 72 };
    const low = pitches.reduce((a, b) => Math.min(a, b)) - 1;
    const high = pitches.reduce((a, b) => Math.max(a, b)) + 1;
    const missing = Math.max(0, 12 - (high - low));
    return { low: low - Math.floor(missing / 2), high: high + Math.ceil(missing / 2) };
  }

  // Room for the names of the Cs, left of a roll that is wide enough.
  const gutter = (width) => (width > 300 ? 26 : 0);

  // Draws one melody; `beat` is the playhead's place in it, or null where the playhead is elsewhere.
  function drawRoll(canvas, melody, { low, high }, colours, beat, playing) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = globalThis.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const left = gutter(width);
    const row = height / (high - low + 1);
    const x = (beats) => left + (beats / melody.beats) * (width - left);
    const y = (pitch) => (high - pitch) * row;
    const box = (colour, ...place) => {
      pen.fillStyle = colour;
      pen.fillRect(...place);
    };

    box(colours.paper, 0, 0, width, height);
    pen.font = "10px system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (let pitch = low; pitch <= high; pitch++) {
      if ([1, 3, 6, 8, 10].includes(pitch % 12)) box(colours.shade, left, y(pitch), width - left, row);
      if (pitch % 12 === 0 && left) {
        pen.fillStyle = colours.muted;
        pen.fillText(`C${pitch / 12 - 1}`, 4, clamp(y(pitch) + row / 2, 6, height - 6));
      }
    }
    for (let line = 0; line < melody.beats; line++) {
      box(line % BEATS_PER_BAR ? colours.grid : colours.bar, x(line), 0, 1, height);
    }
    for (const [pitch, start, length, , voice = "keys"] of melody.notes) {
      const now = playing && beat !== null && start <= beat && beat < start + length;
      const noteWidth = Math.max(x(start + length) - x(start) - 1, 2);
      box(now ? colours.accent : colours[voice], x(start) + 1, y(pitch) + 0.5, noteWidth, Math.max(row - 1, 2));
    }
    if (!melody.notes.length) {
      pen.fillStyle = colours.muted;
      pen.textAlign = "center";
      pen.fillText("no notes", (left + width) / 2, height / 2);
    }
    if (beat !== null) box(colours.accent, clamp(x(beat) - 1, left, width - 2), 0, 2, height);
  }

  // JupyterLab names its theme on the body; elsewhere the reader's system decides.
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");

  function pageIsDark() {
    const lab = document.body.dataset.jpThemeLight;
    return lab === undefined ? darkSystem.matches : lab === "false";
  }

  // ---- Player --------------------------------------------------------------------------------------------------

  const MARKUP = `<style>
    :host { display: block; max-width: 760px; margin: 4px 0; }
    .player { font: 13px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper);
      border: 1px solid var(--bar); border-radius: 6px; padding: 8px; }
    .title { font-weight: 600; margin-bottom: 6px; }
    .title:empty, .message:empty { display: none; }
    .rolls { display: grid; grid-template-columns: repeat(auto-fit, minmax(100px, 1fr)); gap: 6px; }
    .roll { display: block; min-width: 0; padding: 0; color: inherit; background: none; border: 1px solid var(--grid);
      border-radius: 4px; overflow: hidden; font: inherit; cursor: pointer; }
    .roll.current { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
    .roll span { display: block; padding: 2px 4px; font-size: 12px; overflow-wrap: anywhere; }
    canvas { display: block; width: 100%; height: 72px; }
    .alone canvas { height: 132px; }
    .controls { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; margin-top: 8px; }
    .controls button { font: inherit; min-height: 28px; padding: 0 9px; color: inherit; background: var(--shade);
      border: 1px solid var(--bar); border-radius: 4px; cursor: pointer; }
    .controls .play { min-width: 84px; font-weight: 600; }
    .play::before { content: ""; display: inline-block; width: 9px; height: 10px; margin-right: 6px;
      background: currentColor; clip-path: polygon(0 0, 100% 50%, 0 100%); }
    .playing .play::before { clip-path: polygon(0 0, 35% 0, 35% 100%, 65% 100%, 65% 0, 100% 0, 100% 100%, 0 100%); }
    .controls [aria-pressed=true] { color: var(--paper); background: var(--ink); border-color: var(--ink); }
    .seek { flex: 1 1 110px; min-width: 80px; margin: 0; accent-color: var(--accent); }
    .where { min-width: 92px; color: var(--muted); font-variant-numeric: tabular-nums; }
    .tempo { font: inherit; width: 52px; padding: 3px; color: inherit; background: var(--paper);
      border: 1px solid var(--bar); border-radius: 4px; }
    .message { color: var(--muted); margin-top: 6px; }
    :focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
  </style>
  <div class="player">
    <div class="title"></div>
    <div class="rolls"></div>
    <div class="controls">
      <button class="play" type="button" title="Play or pause (space or k)"></button>
      <input class="seek" type="range" min="0" step="any" aria-label="Position" title="Arrow keys move by a beat">
      <output class="where" aria-live="off"></output>
      <button class="loop" type="button" title="Repeat (l)">Loop</button>
      <label title="Quarter notes a minute">Tempo
        <input class="tempo" type="number" min="${MIN_TEMPO}" max="${MAX_TEMPO}" step="any"></label>
      <button class="wav" type="button" aria-label="Save as WAV sound" title="Save as WAV sound">WAV</button>
      <button class="midi" type="button" aria-label="Save as MIDI file" title="Save as MIDI file">MIDI</button>
    </div>
    <div class="message" role="status"></div>
  </div>`;

  class Player {
    // Fills `root` (a shadow root); `onChange` hears of every change of playing, position, tempo and loop.
    constructor(root, onChange) {
      root.innerHTML = MARKUP;
      for (const name of ["player", "title", "rolls", "play", "seek", "where", "loop", "tempo", "wav", "midi", "message"]) {
        this[name] = root.querySelector(`.${name}`);
      }
      this.onChange = onChange;
      this.score = { title: "", tempo: 120, loop: false, melodies: [] };
      this.transport = new Transport(() => this.changed());
      this.end = new AbortController();
      const on = (target, event, handler) => target.addEventListener(event, handler, { signal: this.end.signal });
      on(this.play, "click", () => this.toggle());
      on(this.seek, "input", () => this.transport.seek(+this.seek.value));
      on(this.loop, "click", () => this.setLoop(!this.transport.loop));
      on(this.tempo, "change", () => this.setTempo(+this.tempo.value));
      on(this.wav, "click", () => this.saveWav());
      on(this.midi, "click", () => download(midiFile(this.played), "audio/midi", this.fileName("mid")));
      on(root, "keydown", (event) => this.key(event));
      on(darkSystem, "change", () => this.paint());
      this.themes = new MutationObserver(() => this.paint());
      this.themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
      this.sizes = new ResizeObserver(() => this.draw());
      this.sizes.observe(this.rolls);
    }

    close() {
      this.transport.pause();
      this.end.abort();
      this.themes.disconnect();
      this.sizes.disconnect();
      cancelAnimationFrame(this.frame);
    }

    // Shows a score, or the parts of it that are given. While it plays, the new notes go on at the same beat.
    setData(score) {
      const before = this.score.melodies;
      Object.assign(this.score, score);
      const { title, tempo, loop, melodies } = this.score;
      this.title.textContent = title;
      this.pitches = pitchRange(melodies);
      this.transport.load(layOut(melodies));
      if (this.transport.tempo !== tempo) this.setTempo(tempo);
      if (this.transport.loop !== loop) this.setLoop(loop);
      this.seek.max = this.transport.path.beats;
      const names = (all) => JSON.stringify(all.map((melody) => [melody.title, melody.about]));
      if (!before.length || names(before) !== names(melodies)) this.buildRolls();
      this.paint();
      this.changed();
    }

    get alone() {
      return this.score.melodies.length === 1;
    }

    // The score at the tempo that the reader has chosen.
    get played() {
      return { ...this.score, tempo: this.transport.tempo };
    }

    buildRolls() {
      const { melodies } = this.score;
      this.rolls.classList.toggle("alone", this.alone);
      this.canvases = melodies.map(() => document.createElement("canvas"));
      const rolls = melodies.map((melody, i) => {
        const name = [melody.title, melody.about].filter(Boolean).join(": ");
        if (this.alone) {
          const roll = document.createElement("div");
          this.canvases[i].setAttribute("role", "img");
          this.canvases[i].setAttribute("aria-label", `Piano roll. ${name}`);
          roll.onclick = (event) => this.seekTo(event);
          roll.append(this.canvases[i]);
          return roll;
        }
        const roll = document.createElement("button");
        const caption = document.createElement("span");
        roll.type = "button";
        roll.setAttribute("aria-label", `Melody ${i + 1} of ${melodies.length}. ${name}`);
        caption.textContent = melody.title;
        roll.onclick = () => this.playOne(i);
        roll.append(this.canvases[i], caption);
        return roll;
      });
      for (const roll of rolls) roll.classList.add("roll");
      this.rolls.replaceChildren(...rolls);
    }

    seekTo(event) {
      const { left, width } = this.canvases[0].getBoundingClientRect();
      const share = (event.clientX - left - gutter(width)) / (width - gutter(width));
      this.transport.seek(share * this.transport.path.beats);
    }

    // The whole score, from where the playhead stands.
    start() {
      this.transport.pause();
      this.transport.only = null;
      this.begin();
    }

    // One melody of a strip, from its beginning; once more while it sounds: silence.
    playOne(index) {
      const { transport } = this;
      const again = transport.playing && transport.melodyAt(transport.position) === index;
      transport.pause();
      if (again) return;
      transport.only = index;
      transport.rest = transport.range.start;
      this.begin();
    }

    begin() {
      this.message.textContent = "";
      this.transport.play();
      // Without a click or a key in this page the audio clock stands still.
      setTimeout(() => {
        if (!this.transport.playing || speakers.context.state === "running") return;
        this.transport.pause();
        this.message.textContent = "The browser allows sound only after a click: press Play.";
      }, 1000);
    }

    toggle() {
      if (this.transport.playing) this.transport.pause();
      else this.start();
    }

    setTempo(tempo) {
      if (tempo >= MIN_TEMPO && tempo <= MAX_TEMPO) this.transport.setTempo(tempo);
      this.tempo.value = this.transport.tempo;
      this.changed();
    }

    setLoop(loop) {
      this.transport.setLoop(loop);
      this.changed();
    }

    key(event) {
      // Typing a tempo, pressing a focused button with the space bar, and shortcuts of the browser are not for us.
      const { key, target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || target === this.tempo) return;
      if (key === " " && target.tagName === "BUTTON") return;
      const beat = this.transport.position;
      const actions = {
        " ": () => this.toggle(),
        k: () => this.toggle(),
        l: () => this.setLoop(!this.transport.loop),
        ArrowLeft: () => this.transport.seek(Math.round(beat) - 1),
        ArrowRight: () => this.transport.seek(Math.round(beat) + 1),
        Home: () => this.transport.seek(0),
        End: () => this.transport.seek(Infinity),
      };
      if (!Object.hasOwn(actions, key)) return;
      actions[key]();
      event.preventDefault();
    }

    fileName(extension) {
      const stem = (this.score.title || this.score.melodies[0].title || "melody").replace(/[^\p{L}\p{N}]+/gu, "-");
      return `${stem}.${extension}`;
    }

    async saveWav() {
      this.wav.disabled = true;
      const sampleRate = 44100;
      const samples = await render(this.played, sampleRate);
      download(wavFile(samples, sampleRate), "audio/wav", this.fileName("wav"));
      this.wav.disabled = false;
    }

    changed() {
      const { playing, position, tempo, loop } = this.transport;
      this.player.classList.toggle("playing", playing);
      this.play.textContent = playing ? "Pause" : this.alone ? "Play" : "Play all";
      this.loop.setAttribute("aria-pressed", String(loop));
      this.onChange({ playing, position, tempo, loop });
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => this.tick());
    }

    // One frame: moves the playhead, and redraws only the melody it is in and the one it has left.
    tick() {
      const { transport } = this;
      const { position, path } = transport;
      if (!path.spans.length) return;
      const index = transport.melodyAt(position);
      if (this.current !== index) this.draw();
      else this.drawMelody(index);
      const beat = Math.min(position, path.beats - 1e-6) - path.spans[index].start;
      const place = `bar ${Math.floor(beat / BEATS_PER_BAR) + 1}, beat ${Math.floor(beat % BEATS_PER_BAR) + 1}`;
      const where = this.alone ? place : `${index + 1} of ${path.spans.length}, ${place}`;
      this.seek.value = position;
      if (this.where.textContent !== where) {
        this.where.textContent = where;
        this.seek.setAttribute("aria-valuetext", where);
        this.onChange({ playing: transport.playing, position, tempo: transport.tempo, loop: transport.loop });
      }
      if (transport.playing) this.frame = requestAnimationFrame(() => this.tick());
    }

    paint() {
      this.colours = globalThis.mvaePalette[pageIsDark() ? "dark" : "light"];
      for (const [name, colour] of Object.entries(this.colours)) this.player.style.setProperty(`--${name}`, colour);
      this.player.style.colorScheme = pageIsDark() ? "dark" : "light";
      this.draw();
    }

    draw() {
      this.current = this.transport.melodyAt(this.transport.position);
      this.score.melodies.forEach((_, i) => this.drawMelody(i));
    }

    drawMelody(index) {
      const { position, path, playing } = this.transport;
      const beat = index === this.current ? position - path.spans[index].start : null;
      drawRoll(this.canvases[index], this.score.melodies[index], this.pitches, this.colours, beat, playing);
      this.rolls.children[index].classList.toggle("current", !this.alone && index === this.current);
    }
  }

  // ---- Element -------------------------------------------------------------------------------------------------

  // An element can be defined only once in a page, so it is a thin shell around the newest Player that was loaded.
  class PlayerElement extends HTMLElement {
    constructor() {
      super();
      this.attachShadow({ mode: "open", delegatesFocus: true });
    }

    connectedCallback() {
      // With the focus in here, the keys of JupyterLab's command mode (b: add a cell) must rest.
      this.setAttribute("data-lm-suppress-shortcuts", "true");
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", "Melody player");
      this.open();
    }

    disconnectedCallback() {
      this.player.close();
    }

    open() {
      this.player?.close();
      this.player = new globalThis.mvae.Player(this.shadowRoot, (state) => {
        this.dispatchEvent(new CustomEvent("mvae-change", { detail: state }));
      });
      const score = this.score ?? (this.dataset.score && JSON.parse(this.dataset.score));
      if (score) this.setData(score);
    }

    setData(score) {
      this.score = { ...this.score, ...score };
      this.player?.setData(score);
    }

    play() {
      this.player.start();
    }

    pause() {
      this.player.transport.pause();
    }

    seek(beat) {
      this.player.transport.seek(beat);
    }

    get position() {
      return this.player.transport.position;
    }

    get playing() {
      return this.player.transport.playing;
    }
  }

  // How loud the page is now: the root mean square of the last 2048 samples.
  function loudness() {
    if (!speakers) return 0;
    const samples = new Float32Array(speakers.meter.fftSize);
    speakers.meter.getFloatTimeDomainData(samples);
    return Math.hypot(...samples) / Math.sqrt(samples.length);
  }

  globalThis.mvae = { version: VERSION, Player, render, midiFile, loudness };
  if (customElements.get("mvae-player")) {
    for (const element of document.querySelectorAll("mvae-player")) element.open();
  } else {
    customElements.define("mvae-player", PlayerElement);
  }
})();

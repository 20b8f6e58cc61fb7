// The course's melody players: a synthesiser, a transport that schedules it, a piano roll, files to keep, and the
// <mvae-player> element that joins them.
//
// No imports and no network, so that a player works wherever its notebook is opened: in JupyterLab with or without a
// kernel, in Notebook 7, in a page that nbconvert wrote. Python (page.py) sets `mvaePalette`, takes out the comment
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

  class Synthesiser {
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
    for (const note of path.notes) synthesiser.noteOn(note, note.start * beat, note.length * beat);
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

    // Takes on a new path, tempo or loop without leaving the beat: what already sounds rings on, and what was only
    // planned is planned anew.
    change(settings) {
      const beat = this.position;
      Object.assign(this, settings);
      if (this.only >= this.path.spans.length) this.only = null;
      this.rest = Math.min(beat, this.path.beats);
      if (this.playing) this.anchorAt(this.rest, speakers.context.currentTime);
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
          this.voices.push(speakers.noteOn(note, Math.max(when, now), note.length * beatSeconds));
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
          this.voices.push(speakers.noteOn(note, now + 0.02, (left * 60) / this.tempo));
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
      const index = this.path.spans.findIndex((span) => beat < span.end);
      return index < 0 ? this.path.spans.length - 1 : index;
    }
  }

  // ---- Files ---------------------------------------------------------------------------------------------------

  const ascii = (text) => [...text].map((letter) => letter.charCodeAt(0));
  const bigEndian = (value, count) => Array.from({ length: count }, (_, i) => (value >> (8 * (count - 1 - i))) & 255);
  const littleEndian = (value, count) => bigEndian(value, count).reverse();

  // 16-bit mono PCM in a RIFF container.
  function wavFile(samples, sampleRate) {
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
  function variableLength(value) {
    const bytes = [value & 127];
    while ((value >>= 7)) bytes.unshift((value & 127) | 128);
    return bytes;
  }

  // A Standard MIDI File of one track; keys (piano), bass and drums have channels of their own.
  function midiFile({ melodies, tempo }) {
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
    const low = Math.min(...pitches) - 1;
    return { low, high: Math.max(...pitches, low + 11) + 1 };
  }

  // Room for the names of the Cs, left of a roll that is wide enough.
  const gutter = (width) => (width > 300 ? 26 : 0);

  // Draws one melody; `beat` is the playhead's place in it, or null where the playhead is elsewhere.
  function drawRoll(canvas, melody, { low, high }, colours, beat, playing) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = devicePixelRatio;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "10px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const left = gutter(width);
    const row = height / (high - low + 1);
    const x = (beats) => left + (beats / melody.beats) * (width - left);
    const y = (pitch) => (high - pitch) * row;
    const box = (colour, ...place) => {
      pen.fillStyle = colour;
      pen.fillRect(...place);
    };
    const write = (text, ...place) => {
      pen.fillStyle = colours.muted;
      pen.fillText(text, ...place);
    };

    box(colours.paper, 0, 0, width, height);
    for (let pitch = low; pitch <= high; pitch++) {
      if ([1, 3, 6, 8, 10].includes(pitch % 12)) box(colours.shade, left, y(pitch), width - left, row);
      if (pitch % 12 === 0 && left) write(`C${pitch / 12 - 1}`, 4, clamp(y(pitch) + row / 2, 6, height - 6));
    }
    for (let line = 0; line < melody.beats; line++) {
      box(line % BEATS_PER_BAR ? colours.grid : colours.bar, x(line), 0, 1, height);
    }
    for (const [pitch, start, length, , voice = "keys"] of melody.notes) {
      const sounds = playing && beat !== null && start <= beat && beat < start + length;
      const noteWidth = Math.max(x(start + length) - x(start) - 1, 2);
      box(sounds ? colours.accent : colours[voice], x(start) + 1, y(pitch) + 0.5, noteWidth, Math.max(row - 1, 3));
    }
    if (!melody.notes.length) write("no notes", (left + width) / 2 - 20, height / 2);
    if (beat !== null) box(colours.accent, clamp(x(beat) - 1, left, width - 2), 0, 2, height);
  }

  // JupyterLab names its theme on the body; elsewhere the reader's system decides.
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");

  function pageIsDark() {
    const lab = document.body.dataset.jpThemeLight;
    return lab ? lab === "false" : darkSystem.matches;
  }

  // ---- Player --------------------------------------------------------------------------------------------------

  const MARKUP = `<style>
    :host { display: block; max-width: 760px; margin: 4px 0; }
    .player { font: 13px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper);
      border: 1px solid var(--bar); border-radius: 6px; padding: 8px; }
    .title { font-weight: 600; margin-bottom: 6px; }
    .title:empty, .message:empty { display: none; }
    .rolls { display: grid; grid-template-columns: repeat(auto-fit, minmax(100px, 1fr)); gap: 6px; }
    .rolls > * { padding: 0; color: inherit; background: none; border: 1px solid var(--grid); border-radius: 4px;
      overflow: hidden; font: inherit; cursor: pointer; }
    .rolls > .current { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
    canvas { display: block; width: 100%; height: 72px; }
    .rolls > div canvas { height: 132px; }
    .rolls > div span { display: none; }
    .controls { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; margin-top: 8px; }
    .controls > button, .tempo { font: inherit; box-sizing: border-box; height: 28px; padding: 0 8px; color: inherit;
      background: var(--shade); border: 1px solid var(--bar); border-radius: 4px; }
    .controls > .play { min-width: 84px; font-weight: 600; }
    .play::before { content: ""; display: inline-block; width: 9px; height: 10px; margin-right: 6px;
      background: currentColor; clip-path: polygon(0 0, 100% 50%, 0 100%); }
    .play.on::before { clip-path: polygon(0 0, 35% 0, 35% 100%, 65% 100%, 65% 0, 100% 0, 100% 100%, 0 100%); }
    .controls > [aria-pressed=true] { color: var(--paper); background: var(--ink); }
    .seek { flex: 1 1 90px; min-width: 70px; margin: 0; accent-color: var(--accent); }
    .where { min-width: 92px; color: var(--muted); }
    .tempo { width: 64px; }
    .message { margin-top: 6px; }
    :focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
  </style>
  <div class="player">
    <div class="title"></div>
    <div class="rolls"></div>
    <div class="controls">
      <button class="play" title="Keys: space or k plays, arrows move by a beat, Home, End, l loops"></button>
      <input class="seek" type="range" min="0" step="any" aria-label="Position">
      <span class="where"></span>
      <button class="loop">Loop</button>
      <label title="Quarter notes a minute">Tempo
        <input class="tempo" type="number" min="${MIN_TEMPO}" max="${MAX_TEMPO}" step="any"></label>
      <button class="wav" aria-label="Save as WAV sound">WAV</button>
      <button class="midi" aria-label="Save as MIDI file">MIDI</button>
    </div>
    <div class="message" role="status"></div>
  </div>`;

  // The players in the page; all change their colours with the page's theme.
  const players = new Set();
  const repaint = () => players.forEach((player) => player.paint());
  darkSystem.addEventListener("change", repaint);
  new MutationObserver(repaint).observe(document.body, { attributeFilter: ["data-jp-theme-light"] });

  function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  class Player {
    constructor(host) {
      this.host = host;
      host.shadowRoot.innerHTML = MARKUP;
      const parts = [...host.shadowRoot.querySelectorAll("[class]")];
      const ui = (this.ui = Object.fromEntries(parts.map((part) => [part.className, part])));
      this.score = { title: "", melodies: [] };
      this.canvases = [];
      this.transport = new Transport(() => this.update());
      ui.play.onclick = () => this.toggle();
      ui.seek.oninput = () => this.transport.seek(+ui.seek.value);
      ui.loop.onclick = () => this.setData({ loop: !this.transport.loop });
      ui.tempo.onchange = () => this.takeTempo();
      ui.wav.onclick = () => this.saveWav();
      ui.midi.onclick = () => download(midiFile(this.score), "audio/midi", this.fileName("mid"));
      ui.player.onkeydown = (event) => this.key(event);
      this.sizes = new ResizeObserver(() => this.draw());
      this.sizes.observe(ui.rolls);
      players.add(this);
      this.paint();
    }

    close() {
      this.transport.pause();
      this.sizes.disconnect();
      cancelAnimationFrame(this.frame);
      players.delete(this);
    }

    // Shows a score, or takes on those parts of it that are given. New notes go on at the beat where the old ones were.
    setData(given) {
      const { tempo = this.transport.tempo } = given;
      const inRange = tempo >= MIN_TEMPO && tempo <= MAX_TEMPO;
      Object.assign(this.score, given, { tempo: inRange ? tempo : this.transport.tempo });
      const { title, melodies, loop = false } = this.score;
      this.pitches = pitchRange(melodies);
      if (this.canvases.length !== melodies.length) this.buildRolls();
      this.transport.change({ path: layOut(melodies), tempo: this.score.tempo, loop });
      this.ui.title.textContent = title;
      this.ui.tempo.value = this.score.tempo;
      this.ui.loop.setAttribute("aria-pressed", loop);
      this.ui.seek.max = this.transport.path.beats;
      melodies.forEach((melody, i) => {
        const which = this.alone ? "Piano roll" : `Melody ${i + 1} of ${melodies.length}`;
        const roll = this.ui.rolls.children[i];
        roll.setAttribute("aria-label", [which, melody.title, melody.about].filter(Boolean).join(", "));
        roll.lastChild.textContent = melody.title;
      });
      this.draw();
      this.update();
    }

    get alone() {
      return this.score.melodies.length === 1;
    }

    // A click on a single roll moves the playhead; the rolls of a strip are buttons, each of which plays its melody.
    buildRolls() {
      this.canvases = this.score.melodies.map(() => document.createElement("canvas"));
      const rolls = this.canvases.map((canvas, i) => {
        const roll = document.createElement(this.alone ? "div" : "button");
        if (this.alone) roll.setAttribute("role", "img");
        roll.onclick = this.alone ? (event) => this.seekTo(event) : () => this.playOne(i);
        roll.append(canvas, document.createElement("span"));
        return roll;
      });
      this.ui.rolls.replaceChildren(...rolls);
    }

    seekTo(event) {
      const { left, width } = this.canvases[0].getBoundingClientRect();
      const share = (event.clientX - left - gutter(width)) / (width - gutter(width));
      this.transport.seek(share * this.transport.path.beats);
    }

    // Plays the whole score from where the playhead stands.
    start() {
      this.transport.pause();
      this.transport.only = null;
      this.begin();
    }

    // Plays one melody of a strip from its beginning; or silences it, if it is the one that sounds.
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
      this.ui.message.textContent = "";
      this.transport.play();
      // Without a click or a key in this page the audio clock stands still.
      setTimeout(() => {
        if (!this.transport.playing || speakers.context.state === "running") return;
        this.transport.pause();
        this.ui.message.textContent = "The browser allows sound only after a click: press Play.";
      }, 1000);
    }

    takeTempo() {
      this.setData({ tempo: +this.ui.tempo.value });
    }

    toggle() {
      if (this.transport.playing) this.transport.pause();
      else this.start();
    }

    key(event) {
      const { key, target } = event;
      // JupyterLab keeps Enter from ending an entry, as it would elsewhere.
      if (key === "Enter" && target === this.ui.tempo) this.takeTempo();
      // Shortcuts of the browser, typing a tempo, and pressing a focused button with the space bar are not for us.
      if (event.ctrlKey || event.metaKey || event.altKey || target === this.ui.tempo) return;
      if (key === " " && target.tagName === "BUTTON") return;
      const { position } = this.transport;
      if (key === " " || key === "k") this.toggle();
      else if (key === "l") this.ui.loop.click();
      else if (key === "ArrowLeft") this.transport.seek(Math.round(position) - 1);
      else if (key === "ArrowRight") this.transport.seek(Math.round(position) + 1);
      else if (key === "Home") this.transport.seek(0);
      else if (key === "End") this.transport.seek(Infinity);
      else return;
      event.preventDefault();
    }

    fileName(extension) {
      const name = this.score.title || this.score.melodies[0].title || "melody";
      return `${name.replace(/[^\p{L}\p{N}]+/gu, "-")}.${extension}`;
    }

    async saveWav() {
      const sampleRate = 44100;
      this.ui.wav.disabled = true;
      const samples = await render(this.score, sampleRate);
      download(wavFile(samples, sampleRate), "audio/wav", this.fileName("wav"));
      this.ui.wav.disabled = false;
    }

    // Brings the page to the transport's state, and again with every frame while it plays.
    update() {
      cancelAnimationFrame(this.frame);
      const { playing, position, path, tempo, loop } = this.transport;
      const index = this.transport.melodyAt(position);
      if (index < 0) return;
      if (this.current !== index) this.draw();
      else this.drawMelody(index);
      const { ui } = this;
      const beat = Math.min(position, path.beats - 0.001) - path.spans[index].start;
      const place = `bar ${Math.floor(beat / BEATS_PER_BAR) + 1}, beat ${Math.floor(beat % BEATS_PER_BAR) + 1}`;
      setText(ui.where, this.alone ? place : `${index + 1} of ${path.spans.length}, ${place}`);
      ui.seek.setAttribute("aria-valuetext", ui.where.textContent);
      ui.seek.value = position;
      ui.play.classList.toggle("on", playing);
      setText(ui.play, playing ? "Pause" : this.alone ? "Play" : "Play all");
      this.tell({ playing, position: playing ? Math.floor(position) : position, tempo, loop });
      if (playing) this.frame = requestAnimationFrame(() => this.update());
    }

    // Whoever listens (Python, through anywidget) hears of each change, and while it plays, of each beat.
    tell(state) {
      const news = JSON.stringify(state);
      if (news === this.told) return;
      this.told = news;
      this.host.dispatchEvent(new CustomEvent("mvae-change", { detail: state }));
    }

    paint() {
      const theme = pageIsDark() ? "dark" : "light";
      this.colours = mvaePalette[theme];
      const { style } = this.ui.player;
      for (const [name, colour] of Object.entries(this.colours)) style.setProperty(`--${name}`, colour);
      style.colorScheme = theme;
      this.draw();
    }

    draw() {
      this.current = this.transport.melodyAt(this.transport.position);
      this.canvases.forEach((_, i) => this.drawMelody(i));
    }

    drawMelody(index) {
      const { position, path, playing } = this.transport;
      const beat = index === this.current ? position - path.spans[index].start : null;
      drawRoll(this.canvases[index], this.score.melodies[index], this.pitches, this.colours, beat, playing);
      this.ui.rolls.children[index].classList.toggle("current", !this.alone && index === this.current);
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
      // While the focus is in here, the keys of JupyterLab's command mode (b: add a cell) must rest.
      this.setAttribute("data-lm-suppress-shortcuts", "true");
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", "Melody player");
      this.open();
    }

    disconnectedCallback() {
      this.player.close();
    }

    // Begins with what was shown before (an element can be moved), was given before, or was written by Python.
    open() {
      const score = this.player?.score ?? this.given ?? JSON.parse(this.dataset.score ?? "{}");
      this.player?.close();
      this.player = new mvae.Player(this);
      this.player.setData(score);
    }

    // While it plays, new notes go on at the same beat.
    setData(score) {
      if (this.player) this.player.setData(score);
      else this.given = { ...this.given, ...score };
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

    get playing() {
      return this.player.transport.playing;
    }

    // In beats from the start; in a strip, from the start of the first melody.
    get position() {
      return this.player.transport.position;
    }
  }

  globalThis.mvae = { version: VERSION, Player, render, speakers: () => speakers };
  if (customElements.get("mvae-player")) document.querySelectorAll("mvae-player").forEach((element) => element.open());
  else customElements.define("mvae-player", PlayerElement);
})();

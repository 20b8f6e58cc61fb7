// A score and its time line: what the transport plays, what files hold, what the roll shows. Nothing here needs a page.
//
// A score, as Python writes it. Times are in beats (quarter notes) from the start of the melody:
//   { title, tempo, loop, melodies: [{ title, about, beats, notes, tracks }, ...] }
//   notes: [[pitch, start, length, velocity, voice, track], ...]
// A note may leave out its velocity (then 90), its voice ("keys", "bass" or "drums"; then "keys") and its track (then 0).
// `tracks` names the lanes of music of several tracks; it is left out where there is one.

export const BEATS_PER_BAR = 4;
export const MIN_TEMPO = 20;
export const MAX_TEMPO = 400;

// All melodies of a score, one after the other on one time line.
export function layOut(melodies) {
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

// The place after `elapsed` beats from `beat` on: in a loop it comes round, otherwise it stays at the end.
export function placeAfter(beat, elapsed, { start, end }, loop) {
  const place = beat + elapsed;
  if (place < end) return place;
  return loop ? start + ((place - start) % (end - start)) : end;
}

// The index of the first note that begins at `beat` or later; notes.length where none does.
export function firstFrom(notes, beat) {
  const index = notes.findIndex((note) => note.start >= beat);
  return index < 0 ? notes.length : index;
}

// The index of the melody that `beat` lies in; at the very end, the last.
export function melodyAt(spans, beat) {
  const index = spans.findIndex((span) => beat < span.end);
  return index < 0 ? spans.length - 1 : index;
}

// "bar 2, beat 3"; the end of a melody still belongs to its last beat.
export function barAndBeat(beat, beats) {
  const inside = Math.min(beat, beats - 0.001);
  return `bar ${Math.floor(inside / BEATS_PER_BAR) + 1}, beat ${Math.floor(inside % BEATS_PER_BAR) + 1}`;
}

// The rows of pitch of each lane, on one scale for all melodies of a strip: one lane for each track, at least an octave
// high, so that one note is not a wall; with room for the name of the track, where there are several.
export function pitchLanes(melodies) {
  const names = melodies.find((melody) => melody.tracks)?.tracks ?? [""];
  return names.map((name, lane) => {
    const pitches = melodies.flatMap(({ notes }) =>
      notes.filter(([, , , , , track = 0]) => track === lane).map(([pitch]) => pitch),
    );
    if (!pitches.length) return { name, low: 60, high: 72 };
    const low = Math.min(...pitches) - 1;
    return { name, low, high: Math.max(...pitches, low + 11) + (name ? 4 : 1) };
  });
}

// Room for the names of the Cs, left of a roll that is wide enough.
export const gutter = (width) => (width > 300 ? 26 : 0);

// Where beats and pitches lie in a roll of `width` by `height` pixels with these lanes, the first on top.
export function rollGeometry(beats, lanes, width, height) {
  const left = gutter(width);
  const rows = lanes.reduce((sum, { low, high }) => sum + high - low + 1, 0);
  const row = height / rows;
  let above = 0;
  const tops = lanes.map(({ low, high }) => {
    const top = above * row;
    above += high - low + 1;
    return top;
  });
  return {
    left,
    row,
    tops,
    x: (beat) => left + (beat / beats) * (width - left),
    y: (pitch, lane = 0) => tops[lane] + (lanes[lane].high - pitch) * row,
  };
}

// The beat that a press at `x` pixels means.
export const beatAt = (x, width, beats) => ((x - gutter(width)) / (width - gutter(width))) * beats;

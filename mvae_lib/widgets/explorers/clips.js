// Melodies as short texts, a letter for each step, which is a tenth of what their notes would take.

export const FIRST_LETTER = 35;
const FIRST_NOTE_ON = 2;
const MIN_PITCH = 21;
const STEPS_PER_BEAT = 4;
const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const nameOf = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

// A clip as what a player shows: see score.js. Music that is no melody comes as that already.
export function melody(clip, title = "") {
  if (typeof clip !== "string") return { ...clip, title };
  const notes = [];
  let open = null;
  const close = (step) => {
    if (open) open[2] = step / STEPS_PER_BEAT - open[1];
    open = null;
  };
  for (let step = 0; step < clip.length; step++) {
    const token = clip.charCodeAt(step) - FIRST_LETTER;
    if (token > 0) close(step);
    if (token >= FIRST_NOTE_ON) notes.push((open = [token - FIRST_NOTE_ON + MIN_PITCH, step / STEPS_PER_BEAT, 0]));
  }
  close(clip.length);
  const beats = clip.length / STEPS_PER_BEAT;
  const pitches = notes.map(([pitch]) => pitch);
  const span = notes.length ? ` from ${nameOf(Math.min(...pitches))} to ${nameOf(Math.max(...pitches))}` : "";
  return { title, about: `${notes.length || "no"} notes${span}, ${beats / 4} bars`, beats, notes };
}

// The rows that all of these melodies need, at least an octave.
export function rows(clips) {
  const pitches = clips.flatMap((clip) => melody(clip).notes.map(([pitch]) => pitch));
  const low = Math.min(...pitches, 72) - 1;
  return [low, Math.max(...pitches, low + 13) + 1];
}

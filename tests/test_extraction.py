import mido
import numpy as np
import pytest

from mvae_lib.music.extraction import NoMelodyError, Source, extract_melodies, melody_from_midi, skyline
from mvae_lib.music.melody import NOTE_OFF, Note, canonical, note_on, notes_to_tokens, tokens_to_notes
from mvae_lib.music.midi import notes_to_midi, tokens_to_midi, write_midi

TICKS = 96  # a quarter note, so a step is 24 ticks
STEP = TICKS // 4
BAR = 16 * STEP
CUT = {"cut_at_tempo_changes": True}


def track(notes, name="", channel=0, program=0) -> mido.MidiTrack:
    """A track of (pitch, start, end) in ticks."""
    events = [mido.MetaMessage("track_name", name=name)] if name else []
    events.append(mido.Message("program_change", program=program, channel=channel))
    timed = [(0, event) for event in events]
    for pitch, start, end in notes:
        timed.append((start, mido.Message("note_on", note=pitch, velocity=80, channel=channel)))
        timed.append((end, mido.Message("note_off", note=pitch, channel=channel)))
    return in_time(timed)


def in_time(timed) -> mido.MidiTrack:
    ordered = sorted(timed, key=lambda pair: (pair[0], pair[1].type != "note_off"))
    ticks = [0, *(tick for tick, _ in ordered)]
    return mido.MidiTrack(
        [event.copy(time=tick - before) for (tick, event), before in zip(ordered, ticks, strict=False)]
    )


def metre(tick, numerator, denominator):
    return tick, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def tempo(tick, microseconds):
    return tick, mido.MetaMessage("set_tempo", tempo=microseconds)


@pytest.fixture
def save(tmp_path):
    def save(*tracks, changes=()):
        path = tmp_path / "tune.mid"
        mido.MidiFile(ticks_per_beat=TICKS, tracks=[in_time(changes), *tracks]).save(path)
        return path

    return save


def scale(bars, start=0, pitch=60, step=4) -> list[tuple[int, int, int]]:
    """Notes of `step` steps in ticks, in `bars` bars from the tick `start`; no two bars are the same."""
    length = step * STEP
    return [(pitch + i % 7 + i // 4, start + i * length, start + (i + 1) * length) for i in range(bars * 16 // step)]


def steps(notes) -> list[Note]:
    return [Note(pitch, start // STEP, end // STEP) for pitch, start, end in notes]


def sounds(tokens) -> list[Note]:
    return tokens_to_notes(tokens)


def test_windows_slide_by_one_bar(save):
    notes = scale(4)
    found = extract_melodies(save(track(notes, "flute")), bars=2)
    whole = notes_to_tokens(steps(notes), 64)
    assert np.array_equal(found.tokens, [whole[:32], whole[16:48], whole[32:]])
    assert found.tokens.dtype == np.uint8
    assert found.sources == (Source(0, "flute", 1), Source(0, "flute", 2), Source(0, "flute", 3))
    assert found.reasons == ()


@pytest.mark.parametrize("bars", [1, 2, 3, 4])
def test_a_window_has_the_length_asked_for(save, bars):
    assert extract_melodies(save(track(scale(4))), bars).tokens.shape == (5 - bars, 16 * bars)


def test_a_melody_written_by_us_is_extracted_as_it_was(tmp_path):
    generator = np.random.default_rng(5)
    tokens = canonical(generator.choice([0, 0, 40, 44, 47], 64).astype(np.uint8))
    tokens[0] = 40
    write_midi(tokens_to_midi(tokens, tempo=93), tmp_path / "ours.mid")
    assert np.array_equal(melody_from_midi(tmp_path / "ours.mid"), tokens)
    assert np.array_equal(extract_melodies(tmp_path / "ours.mid", bars=4).tokens, [tokens])


def test_the_file_itself_and_its_midi_object_give_the_same(tmp_path):
    music = tokens_to_midi(notes_to_tokens([Note(60 + i, 4 * i, 4 * i + 3) for i in range(12)], 48))
    write_midi(music, tmp_path / "ours.mid")
    from_file, from_object = extract_melodies(tmp_path / "ours.mid"), extract_melodies(music)
    assert np.array_equal(from_file.tokens, from_object.tokens) and from_file.sources == from_object.sources


def test_at_polyphony_the_highest_note_wins(save):
    chords = [(pitch, start, start + 4 * STEP) for start in range(0, 2 * BAR, 4 * STEP) for pitch in (60, 67, 64)]
    assert {note.pitch for note in sounds(melody_from_midi(save(track(chords))))} == {67}
    (reason,) = extract_melodies(save(track(chords))).reasons
    assert reason.notes == 16 and "begin together with a higher one" in reason


def test_legato_notes_end_where_the_next_begins(save):
    notes = [(72, 0, 10 * STEP), (60, 4 * STEP, 12 * STEP), (65, 8 * STEP, 16 * STEP)]
    assert sounds(melody_from_midi(save(track(notes)))) == [Note(72, 0, 4), Note(60, 4, 8), Note(65, 8, 16)]


def test_one_at_a_time_keeps_the_longer_of_two_equal_notes():
    assert skyline([Note(60, 0, 2), Note(60, 0, 5), Note(55, 0, 9)]) == [Note(60, 0, 5)]
    assert skyline([]) == []


@pytest.mark.parametrize("seed", range(5))
def test_playing_off_the_beat_by_less_than_a_32nd_changes_nothing(save, seed):
    generator = np.random.default_rng(seed)
    exact = scale(4, step=2)
    off = [(p, *(max(0, int(t + generator.integers(-11, 12))) for t in times)) for p, *times in exact]
    assert np.array_equal(melody_from_midi(save(track(off))), notes_to_tokens(steps(exact), 64))


def test_swung_eighths_go_to_the_nearest_16th(save):
    notes = [(60 + i, (i // 2) * TICKS + (i % 2) * 64, (i // 2) * TICKS + (96 if i % 2 else 64)) for i in range(8)]
    assert [note.start for note in sounds(melody_from_midi(save(track(notes))))] == [0, 3, 4, 7, 8, 11, 12, 15]


def test_a_note_shorter_than_a_step_keeps_one(save):
    notes = [(60, 0, 3), (62, 4 * STEP, 4 * STEP + 1), (64, 8 * STEP, 8 * STEP + 5)]
    assert sounds(melody_from_midi(save(track(notes)))) == [Note(60, 0, 1), Note(62, 4, 5), Note(64, 8, 9)]


def test_a_last_note_that_rounds_into_the_next_bar_is_kept(save):
    notes = [*scale(1), (50, BAR - 5, BAR - 1)]
    assert sounds(melody_from_midi(save(track(notes))))[-1] == Note(50, 16, 17)


def test_one_bar_of_silence_ends_a_melody(save):
    first, second = scale(2), scale(3, start=4 * BAR, pitch=50)
    found = extract_melodies(save(track([*first, *second])), bars=2)
    assert [source.bar for source in found.sources] == [1, 5, 6]
    assert len(melody_from_midi(save(track([*first, *second])))) == 48


def test_less_than_a_bar_of_silence_does_not(save):
    notes = [(60, 0, STEP), (62, BAR, BAR + STEP)]
    assert len(melody_from_midi(save(track(notes)))) == 32
    notes = [(60, 0, STEP), (62, BAR + STEP, BAR + 2 * STEP)]
    assert len(melody_from_midi(save(track(notes)))) == 16


def test_a_pickup_is_filled_up_with_silence(save):
    notes = [(55, BAR - 4 * STEP, BAR), *scale(2, start=BAR)]
    found = extract_melodies(save(track(notes)), bars=3)
    assert not found.tokens[0, :12].any() and found.tokens[0, 12] == note_on(55)
    assert found.sources[0].bar == 1


def test_a_melody_that_begins_late_begins_with_its_bar(save):
    found = extract_melodies(save(track(scale(2, start=5 * BAR + 4 * STEP))), bars=3)
    assert [source.bar for source in found.sources] == [6]
    assert not found.tokens[0, :4].any() and found.tokens[0, 4] == note_on(60)
    assert found.tokens[0, 36] == NOTE_OFF


def test_a_note_held_from_before_is_silent_in_a_window(save):
    notes = [(60, 0, BAR + 4 * STEP), (62, BAR + 8 * STEP, 3 * BAR)]
    found = extract_melodies(save(track(notes)), bars=2)
    assert found.tokens[0, 20] == NOTE_OFF
    assert np.array_equal(found.tokens[1], notes_to_tokens([Note(62, 8, 32)], 32))


def test_windows_in_which_no_note_begins_are_dropped(save):
    found = extract_melodies(save(track([(60, 0, 6 * BAR)])), bars=2)
    assert [source.bar for source in found.sources] == [1]


def test_duplicates_are_dropped_and_the_first_source_stays(save):
    bar = scale(1)
    notes = [(pitch, start + i * BAR, end + i * BAR) for i in range(6) for pitch, start, end in bar]
    found = extract_melodies(save(track(notes, "a"), track(notes, "b", channel=1)), bars=2)
    assert found.sources == (Source(0, "a", 1),)


def test_each_instrument_is_a_line_of_its_own(save):
    path = save(
        track(scale(2), "flute"), track(scale(2, pitch=40), "bass", channel=1), track(scale(1), "horn", channel=2)
    )
    found = extract_melodies(path, bars=2)
    assert found.sources == (Source(0, "flute", 1), Source(1, "bass", 1))
    (reason,) = found.reasons
    assert "horn" in reason and "1 of the 2 bars" in reason


def test_a_change_of_metre_splits_the_file(save):
    # Two bars of 4/4, two of 3/4, then 4/4 again, whose bars stand at odd places when counted in quarters.
    waltz = 2 * BAR
    back = waltz + 2 * 12 * STEP
    notes = [*scale(2), *scale(1, start=waltz, pitch=70), *scale(3, start=back, pitch=48)]
    found = extract_melodies(save(track(notes), changes=[metre(0, 4, 4), metre(waltz, 3, 4), metre(back, 4, 4)]))
    assert [source.bar for source in found.sources] == [1, 5, 6]
    assert np.array_equal(found.tokens[0], notes_to_tokens(steps(scale(2)), 32))
    assert found.tokens[1, 0] == note_on(48)
    (reason,) = found.reasons
    assert "3/4 from bar 3 to bar 4" in reason


def test_a_note_a_little_early_belongs_to_the_bar_it_is_meant_for(save):
    notes = [*scale(2, pitch=80), (50, 2 * BAR - 5, 3 * BAR), *scale(1, start=3 * BAR)]
    found = extract_melodies(save(track(notes), changes=[tempo(0, 500_000), tempo(2 * BAR, 400_000)]), **CUT)
    assert found.tokens[1, 0] == note_on(50)
    assert note_on(50) not in found.tokens[0]


def test_the_same_metre_said_again_changes_nothing(save):
    changes = [metre(0, 4, 4), metre(BAR, 4, 4), metre(3 * BAR, 4, 4)]
    assert len(melody_from_midi(save(track(scale(4)), changes=changes))) == 64


def test_two_halves_are_one_bar(save):
    found = extract_melodies(save(track(scale(2)), changes=[metre(0, 2, 2)]))
    assert np.array_equal(found.tokens, [notes_to_tokens(steps(scale(2)), 32)])


def test_a_change_of_tempo_changes_nothing(save):
    path = save(track(scale(5)), changes=[tempo(0, 500_000), tempo(2 * BAR + 7 * STEP, 300_000)])
    assert np.array_equal(melody_from_midi(path), notes_to_tokens(steps(scale(5)), 80))
    assert extract_melodies(path).reasons == ()


def test_a_change_of_tempo_splits_the_file_where_that_is_asked_for(save):
    changes = [tempo(0, 500_000), tempo(BAR, 500_000), tempo(2 * BAR, 300_000)]
    path = save(track(scale(5)), changes=changes)
    found = extract_melodies(path, **CUT)
    assert [source.bar for source in found.sources] == [1, 3, 4]
    assert found.reasons == ()
    whole = notes_to_tokens(steps(scale(5)), 80)
    assert np.array_equal(found.tokens, [whole[:32], whole[32:64], whole[48:]])
    assert np.array_equal(melody_from_midi(path, **CUT), whole[32:])


def test_a_bar_with_a_change_of_tempo_inside_is_then_lost(save):
    found = extract_melodies(save(track(scale(5)), changes=[tempo(2 * BAR + 7 * STEP, 300_000)]), **CUT)
    assert [source.bar for source in found.sources] == [1, 4]
    (reason,) = found.reasons
    assert reason.notes == 4 and "metre or tempo cuts short" in reason


def test_a_bar_that_a_change_of_metre_cuts_short_is_lost(save):
    changes = [metre(0, 4, 4), metre(2 * BAR + 8 * STEP, 4, 4)]
    found = extract_melodies(save(track(scale(5)), changes=changes))
    assert [source.bar for source in found.sources] == [1, 4, 5]
    (reason,) = found.reasons
    assert reason.notes == 2 and "metre cuts short" in reason


def test_half_a_pair_of_bars_of_two_quarters_is_lost(save):
    changes = [metre(0, 2, 4), metre(2 * BAR + 8 * STEP, 4, 4)]
    found = extract_melodies(save(track(scale(4, step=2)), changes=changes))
    assert [source.bar for source in found.sources] == [1, 6]
    assert sum(reason.notes for reason in found.reasons if reason.kind == "bar cut short") == 4


def test_a_metre_in_several_places_has_one_reason(save):
    changes = [metre(0, 3, 4), metre(12 * STEP, 4, 4), metre(12 * STEP + 2 * BAR, 3, 4)]
    found = extract_melodies(save(track(scale(4)), changes=changes))
    (reason,) = found.reasons
    assert "3/4 from bar 1 to bar 1 and in 1 more places" in reason and reason.notes == 3 + 5


def test_no_more_windows_are_kept_than_the_limit(save, monkeypatch):
    monkeypatch.setattr("mvae_lib.music.extraction.MAX_WINDOWS", 3)
    found = extract_melodies(save(track(scale(3)), track(scale(4, pitch=40), channel=1)))
    assert [(source.instrument, source.bar) for source in found.sources] == [(0, 1), (0, 2), (1, 1)]
    assert [(reason.kind, reason.notes) for reason in found.reasons] == [("too many windows", 8)]


def test_notes_outside_the_piano_are_dropped_and_counted(save):
    notes = [*scale(2), (12, 2 * BAR, 2 * BAR + STEP), (120, 2 * BAR, 2 * BAR + STEP)]
    found = extract_melodies(save(track(notes)))
    assert len(found.tokens) == 1
    assert any("2 notes of 10 lie outside A0 to C8" in reason for reason in found.reasons)


NOTHING = {
    "3/4": ([track(scale(6))], [metre(0, 3, 4)], "3/4 throughout"),
    "no notes": ([track([]), track([], channel=1)], [], "no notes"),
    "drums": ([track(scale(4), channel=9)], [], "16 notes of drums"),
    "short": ([track(scale(1), "flute")], [], "flute.*1 of the 2 bars"),
    "too low": ([track(scale(2, pitch=0, step=16))], [], "2 notes of 2 lie outside"),
    "silence": ([track([(60, 0, STEP), (60, 4 * BAR, 4 * BAR + STEP)])], [], "1 of the 2 bars"),
    "drums and 6/8": ([track(scale(4), channel=9), track(scale(4))], [metre(0, 6, 8)], "drums.*6/8 throughout"),
}


@pytest.mark.parametrize(("tracks", "changes", "reason"), NOTHING.values(), ids=NOTHING)
def test_where_nothing_is_found_the_error_names_the_file_and_the_reason(save, tracks, changes, reason):
    path = save(*tracks, changes=changes)
    with pytest.raises(NoMelodyError, match=reason) as caught:
        extract_melodies(path)
    assert str(path) in str(caught.value)


def test_a_message_does_not_grow_with_the_file(save):
    changes = [metre(bar * 12 * STEP, 3 + bar, 4 + bar % 2 * 4) for bar in range(2, 200)]
    with pytest.raises(NoMelodyError, match="more reasons") as caught:
        melody_from_midi(
            save(track([(60, i * BAR, i * BAR + STEP) for i in range(200)]), changes=[metre(0, 3, 4), *changes])
        )
    assert len(str(caught.value)) < 2000


def test_a_window_needs_a_bar():
    with pytest.raises(ValueError, match="at least 1 bar"):
        extract_melodies(notes_to_midi([Note(60, 0, 4)]), bars=0)

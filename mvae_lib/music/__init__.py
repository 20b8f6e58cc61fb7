"""Music as tokens and back: representations, MIDI files, extraction, sound, attributes of a melody. No torch."""

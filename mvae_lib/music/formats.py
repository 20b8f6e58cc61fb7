"""What a file is that was given by mistake for a MIDI file, and how to read it.

Chapter: 01. Source: the first bytes of each format, as its specification gives them.
"""

import re

_AUDIO = "an audio recording ({}): it holds sound and no notes; a transcription program has to write them down first"
_MUSICXML = "a MusicXML score; read it with mvae_lib.read_melody or export it as MIDI from a notation program"

# (where, what stands there, what the file is)
_BEGINNINGS = (
    (0, rb"\x1f\x8b", "a gzip archive; unpack it first, with gunzip or a file manager"),
    (0, rb"Rar!|7z\xbc\xaf|BZh|\xfd7zXZ", "an archive; unpack it first"),
    (0, rb"RIFF....WAVE", _AUDIO.format("WAV")),
    (0, rb"FORM....AIF", _AUDIO.format("AIFF")),
    (0, rb"fLaC", _AUDIO.format("FLAC")),
    (0, rb"OggS", _AUDIO.format("Ogg")),
    (0, rb"ID3|\xff[\xe2\xe3\xf2-\xfb]", _AUDIO.format("MP3")),
    (4, rb"ftyp", _AUDIO.format("MP4")),
    (0, rb"%PDF", "a PDF document; a music scanning program has to read the notes first"),
    (0, rb"\s*(?i:<!doctype html|<html)", "a web page, perhaps one that was saved in place of the file it links to"),
)


def name_format(data: bytes) -> str | None:
    """The format of a file and the way to read it, as the end of a sentence; None where it is not known.

    `data` are the bytes of the file or the first few thousand of them.
    """
    for place, pattern, words in _BEGINNINGS:
        if re.compile(pattern, re.DOTALL).match(data, place):
            return words
    head = data[:8192]
    if head.startswith(b"PK\x03\x04"):
        if re.search(rb"META-INF|\.(music)?xml", head):
            return "a compressed" + _MUSICXML.removeprefix("a").replace("score;", "score (.mxl);")
        if b".mscx" in head:
            return "a MuseScore file; export it as MIDI from MuseScore"
        return "a zip archive; unpack it first"
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace").lstrip()
    if re.search(r"<score-(partwise|timewise)", text):
        return _MUSICXML
    if "<museScore" in text:
        return "a MuseScore file; export it as MIDI from MuseScore"
    if text.startswith("<?xml"):
        return "an XML file that is no MusicXML score"
    if re.search(r"^X:\s*\d+", text, re.MULTILINE) or re.search(r"^M:.*\n(?s:.*)^K:", text, re.MULTILINE):
        return "a text in ABC notation; turn it into a MIDI file first, for example with abc2midi or EasyABC"
    return None

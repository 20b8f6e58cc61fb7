// The <mvae-player> element, which a page, a stored output and the explorers use.

import { Player, players } from "./player.js";
import { render, speakers } from "./synthesiser.js";
import { watchTheme } from "./theme.js";

// Raise it with every change: a page can hold stored outputs of an older version, and the newest has to win.
const VERSION = 2;

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

function install() {
  globalThis.mvae = { version: VERSION, Player, render, speakers: () => speakers };
  watchTheme(() => players.forEach((player) => player.paint()));
  if (customElements.get("mvae-player")) document.querySelectorAll("mvae-player").forEach((element) => element.open());
  else customElements.define("mvae-player", PlayerElement);
}

if (!(globalThis.mvae?.version >= VERSION)) install();

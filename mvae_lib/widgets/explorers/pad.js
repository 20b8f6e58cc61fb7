// The pad: a square between four melodies. Where it is pressed, their blend is heard.
//
// data: { title, tempo, loop, names: [4, in reading order], grid: [[clip, ...], ...] by rows, reads }
// request: { x, y } in 0 to 1, from the left and from the top        response: { clip, x, y }

(() => {
  const { define, Instrument, melody, drawNotes, rows, clamp } = globalThis.mvaeInstruments;
  const STEP = 0.05;
  const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const PLACES = ["top left", "top right", "bottom left", "bottom right"];

  const CORNERS = (row) => `<div class="${row}" style="display: flex; justify-content: space-between; gap: 8px;
    margin: 4px 0"><span></span><span style="text-align: right"></span></div>`;
  const MARKUP = `${CORNERS("upper")}
    <div class="surface"><canvas class="canvas" style="height: 340px" tabindex="0" role="application"
      title="Press anywhere and drag. Keys: arrows go from field to field, Shift and arrows by small steps,
Enter plays, space or k stops"></canvas></div>
    ${CORNERS("lower")}<div class="about" role="status"></div>`;

  class MelodyPad extends Instrument {
    constructor(host) {
      super(host, MARKUP);
      const { canvas, surface } = this.ui;
      this.place = { x: 0, y: 0 };
      canvas.onpointerdown = (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.pressed = true;
        this.go(this.placeOf(event), !this.ui.player.playing);
      };
      canvas.onpointermove = (event) => this.pressed && this.go(this.placeOf(event));
      canvas.onpointerup = canvas.onpointercancel = () => (this.pressed = false);
      canvas.onkeydown = (event) => this.key(event);
      this.takesFiles(surface, (event) => {
        const { x, y } = this.placeOf(event);
        return String(2 * (y > 0.5) + (x > 0.5));
      });
    }

    get corners() {
      return [...this.ui.upper.children, ...this.ui.lower.children];
    }

    build() {
      const { names, grid, reads } = this.data;
      this.corners.forEach((corner, index) => {
        const label = `Open a MIDI file as the melody at the ${PLACES[index]}`;
        const button = reads && this.live ? [" ", this.fileButton(label, String(index))] : [];
        corner.replaceChildren(names[index], ...button);
      });
      this.ui.canvas.setAttribute("aria-label", `Pad between ${names.map((n, i) => `${n} (${PLACES[i]})`).join(", ")}`);
      this.pitches = rows(grid.flat());
      this.ui.about.textContent ||= "Press anywhere and drag, or use the arrow keys.";
      if (this.dressed) this.ui.player.setData({ melodies: [melody(this.nearest(this.place))] });
    }

    first() {
      return this.nearest(this.place);
    }

    // ---- Where things are: the fields' middles lie at 0, ..., 1

    get fields() {
      return { across: this.data.grid[0].length, down: this.data.grid.length };
    }

    placeOf(event) {
      const { left, top, width, height } = this.ui.canvas.getBoundingClientRect();
      const { across, down } = this.fields;
      const share = (part, count) => clamp((part * count - 0.5) / (count - 1), 0, 1);
      return { x: share((event.clientX - left) / width, across), y: share((event.clientY - top) / height, down) };
    }

    nearest({ x, y }) {
      const { across, down } = this.fields;
      return this.data.grid[Math.round(y * (down - 1))][Math.round(x * (across - 1))];
    }

    words({ x, y }) {
      const [a, b, c, d] = this.data.names;
      const share = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
      const parts = [a, b, c, d].map((name, index) => [Math.round(100 * share[index]), name]);
      return parts.filter(([percent]) => percent).map(([percent, name]) => `${percent} % ${name}`).join(", ");
    }

    // ---- Playing

    go(place, fromStart = false) {
      this.place = place;
      this.ui.about.textContent = this.words(place);
      this.draw();
      this.ask({ ...place, fromStart });
    }

    fallBack(request) {
      this.hear(this.nearest(request), "the nearest field", request.fromStart);
    }

    show({ clip, x, y }, request) {
      if (clip === undefined) return;
      if (request) return this.hear(clip, "a blend of four", request.fromStart);
      this.place = { x, y };
      this.ui.about.textContent = this.words(this.place);
      this.ui.player.setData({ title: "a blend of four", melodies: [melody(clip)] });
      this.draw();
    }

    key(event) {
      const { key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { player } = this.ui;
      if (DIRECTIONS[key]) this.step(DIRECTIONS[key], event.shiftKey);
      else if (key === "Enter") this.go(this.place, true);
      else if ((key === " " || key === "k") && player.playing) player.pause();
      else if (key === " " || key === "k") this.go(this.place);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    step([dx, dy], small) {
      const { across, down } = this.fields;
      const { x, y } = this.place;
      const to = (from, direction, count) => {
        if (small) return clamp(from + direction * STEP, 0, 1);
        const field = from * (count - 1);
        // From between two fields to the next one.
        const next = direction > 0 ? Math.floor(field + 1 + 1e-6) : Math.ceil(field - 1 - 1e-6);
        return direction ? clamp(next / (count - 1), 0, 1) : from;
      };
      this.go({ x: to(x, dx, across), y: to(y, dy, down) });
    }

    // ---- Picture

    draw() {
      if (!this.colours || !this.data.grid) return;
      const { pen, width, height } = this.cleared(this.ui.canvas);
      const { across, down } = this.fields;
      const [wide, high] = [width / across, height / down];
      const here = { column: Math.round(this.place.x * (across - 1)), row: Math.round(this.place.y * (down - 1)) };
      this.data.grid.forEach((line, row) =>
        line.forEach((clip, column) => {
          const chosen = here.row === row && here.column === column;
          pen.fillStyle = chosen ? this.colours.shade : this.colours.paper;
          pen.fillRect(column * wide, row * high, wide, high);
          const box = { left: column * wide + 5, top: row * high + 5, width: wide - 10, height: high - 10 };
          const corner = [0, down - 1].includes(row) && [0, across - 1].includes(column);
          drawNotes(pen, clip, box, corner ? this.colours.keys : this.colours.muted, this.pitches);
        }),
      );
      pen.fillStyle = this.colours.grid;
      for (let column = 1; column < across; column++) pen.fillRect(column * wide, 0, 1, height);
      for (let row = 1; row < down; row++) pen.fillRect(0, row * high, width, 1);
      const [x, y] = [(this.place.x * (across - 1) + 0.5) * wide, (this.place.y * (down - 1) + 0.5) * high];
      pen.beginPath();
      pen.arc(x, y, 9, 0, 7);
      pen.lineWidth = 2.5;
      pen.strokeStyle = this.colours.accent;
      pen.stroke();
    }
  }

  define("mvae-pad", "Melody pad", MelodyPad);
})();

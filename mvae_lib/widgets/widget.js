// The glue between a Player in Python (players.py) and its views on the page; anywidget calls render for each view.
export default {
  render({ model, el }) {
    const element = document.createElement("mvae-player");
    element.setData(Object.fromEntries(["title", "tempo", "loop", "melodies"].map((name) => [name, model.get(name)])));
    const listeners = ["title", "tempo", "loop", "melodies"].map((name) => [
      `change:${name}`,
      () => element.setData({ [name]: model.get(name) }),
    ]);
    const commands = {
      play: () => element.play(),
      pause: () => element.pause(),
      seek: ({ beat }) => element.seek(beat),
    };
    listeners.push(["msg:custom", (message) => commands[message.do](message)]);
    for (const [event, listener] of listeners) model.on(event, listener);
    element.addEventListener("mvae-change", ({ detail }) => {
      for (const [name, value] of Object.entries(detail)) model.set(name, value);
      model.save_changes();
    });
    el.append(element);
    return () => {
      for (const [event, listener] of listeners) model.off(event, listener);
    };
  },
};

// The glue between an explorer in Python (base.py) and its views on the page; anywidget calls render for each view.
export default {
  render({ model, el }) {
    const element = document.createElement(model.get("element"));
    element.sendRequest = (request) => {
      model.set("request", request);
      model.save_changes();
    };
    element.loadFile = (place, name, bytes) => model.send({ place, name }, undefined, [bytes]);
    element.setData(model.get("data"));
    const listeners = {
      "change:data": () => element.setData(model.get("data")),
      "change:response": () => element.receive(model.get("response")),
    };
    for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
    el.append(element);
    return () => {
      for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
    };
  },
};

// The connection as a person sees it: the four stops of readyState, a sentence, and the protocol's own words.

import { byId, make, timestamp } from "./dom.js";
import { WORDS, closeCause } from "./connection.js";
import { hush, say } from "./strings.js";

const MOST_EVENTS = 60;
const NOTES = {
  connected: () => ["eventConnected", {}],
  failed: () => ["eventFailed", {}],
  closed: ({ code, reason }) => ["eventClosed", { cause: closeCause(code, reason) }],
  timeout: ({ seconds }) => ["eventTimeout", { seconds }],
  ignored: ({ cause }) => ["eventIgnored", { cause }],
};

export class Panel {
  #ticking = null;

  constructor(url, protocol) {
    this.url = url;
    this.protocol = protocol;
  }

  /** Lights the stop of a readyState and writes it to the list of events. */
  state(readyState) {
    const track = byId("state");
    if (track.dataset.readyState === String(readyState)) return;
    track.dataset.readyState = readyState;
    for (const stop of track.children) {
      const isHere = stop.dataset.stop === String(readyState);
      if (isHere) stop.setAttribute("aria-current", "step");
      else stop.removeAttribute("aria-current");
    }
    this.#event("eventState", { number: readyState, word: WORDS[readyState] }).dataset.readyState = readyState;
  }

  /** Writes something that happened on the socket to the list of events. */
  note(kind, detail) {
    this.#event(...NOTES[kind](detail)).dataset.kind = kind;
  }

  /** Says in which phase the connection is, and what may be pressed in it. */
  phase(phase, detail) {
    document.body.dataset.phase = phase;
    this.#allow(byId("connect"), ["resting", "waiting", "leaving"].includes(phase));
    this.#allow(byId("close"), ["connecting", "open", "waiting"].includes(phase));
    this.#countDown(phase === "waiting" ? detail.until : null);
    if (phase === "connecting") this.#request();
    if (phase === "open") this.#response(detail);
    // While it tries again and again, the sentence stays the one that says why.
    if (phase === "connecting" && detail.attempt > 0) return;
    const sentence = this.#sentence(phase, detail);
    if (sentence) say(byId("notice"), ...sentence);
  }

  /** Says which number the server gave us. */
  welcome(id) {
    say(byId("notice"), "connected", { id });
  }

  #sentence(phase, { by, wasOpen, code, reason }) {
    const cause = code && closeCause(code, reason);
    if (phase === "connecting") return ["connecting", {}];
    if (phase === "leaving") return ["closing", {}];
    if (phase === "resting") return by === "server" ? ["ended", { cause }] : ["closed", {}];
    if (phase !== "waiting") return null;
    if (!navigator.onLine) return ["offline", {}];
    return wasOpen ? ["lost", { code }] : ["failed", {}];
  }

  #allow(button, allowed) {
    // Not `disabled`: that would throw the keyboard focus away from the button just pressed.
    button.ariaDisabled = String(!allowed);
  }

  #countDown(until) {
    clearInterval(this.#ticking);
    byId("waiting").hidden = until === null;
    if (until === null) return hush(byId("countdown"));
    const show = () => {
      const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      say(byId("countdown"), "countdown", { seconds });
    };
    show();
    this.#ticking = setInterval(show, 250);
  }

  #request() {
    const { pathname, search, host } = this.url;
    byId("request").textContent = [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${host}`,
      `Origin: ${location.origin}`,
      "Upgrade: websocket",
      `Sec-WebSocket-Protocol: ${this.protocol}`,
    ].join("\n");
    hush(byId("response"));
    byId("subprotocol").textContent = "–";
  }

  // A script cannot read the answer's head; 101 is what an open socket proves, the rest it tells us.
  #response({ subprotocol, extensions }) {
    const lines = ["HTTP/1.1 101 Switching Protocols"];
    if (subprotocol) lines.push(`Sec-WebSocket-Protocol: ${subprotocol}`);
    if (extensions) lines.push(`Sec-WebSocket-Extensions: ${extensions}`);
    byId("response").textContent = lines.join("\n");
    byId("subprotocol").textContent = subprotocol || "–";
    this.note("connected", {});
  }

  #event(key, values) {
    const events = byId("events");
    const item = make("li", "", timestamp(), " ", say(make("span"), key, values));
    events.prepend(item);
    while (events.children.length > MOST_EVENTS) events.lastElementChild.remove();
    return item;
  }
}

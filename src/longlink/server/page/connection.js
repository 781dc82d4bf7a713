// One conversation with the server over as many sockets as it takes.
//
// What a person wants (to be connected or not) is kept apart from what the current socket does. Every
// occurrence goes through the table below, so "may this happen now?" is answered in one place.

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const OPEN_TIMEOUT_MS = 10_000;
const STABLE_MS = 5_000; // a socket that lived this long proves the server is well
const FULL_BYTES = 4 * 2 ** 20;

export const WORDS = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];

// phase × occurrence → next phase; what is not listed does not happen in that phase.
const NEXT = {
  resting: { connect: "connecting" },
  waiting: { connect: "connecting", wake: "connecting", due: "connecting", leave: "resting" },
  connecting: { opened: "open", lost: "waiting", leave: "leaving" },
  open: { lost: "waiting", ended: "resting", leave: "leaving" },
  leaving: { lost: "resting", ended: "resting", connect: "connecting" },
};

/** Milliseconds to wait before attempt number `attempt` (from 0): doubling, half of it random, at most 15 s. */
export function delay(attempt, random = Math.random) {
  const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
  // The random half keeps the visitors of a restarted server from coming back all at once.
  return most / 2 + (random() * most) / 2;
}

/** True for a close code by which the server says "do not come back": done, not allowed, or its own. */
const isFinal = (code) => code === 1000 || code === 1008 || code >= 4000;

/** `1001 going away`-style words for a close code and the reason that came with it. */
export function closeCause(code, reason) {
  const known = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no code",
    1006: "no closing handshake",
    1007: "invalid text",
    1008: "not allowed",
    1009: "message too big",
    1011: "server error",
    1012: "restarting",
    1013: "try again later",
  };
  const words = reason || known[code] || "";
  return words ? `${code} ${words}` : String(code);
}

export class Connection {
  #phase = "resting";
  #socket = null;
  #attempt = 0;
  #timers = new Map();

  /**
   * Hooks, all called with plain values:
   * `onState(readyState)`, `onPhase(phase, detail)`, `onText(string)`, `onBytes(Blob)`, `onNote(kind, detail)`.
   */
  constructor(url, protocol, hooks) {
    this.url = url;
    this.protocol = protocol;
    this.hooks = hooks;
  }

  get phase() {
    return this.#phase;
  }

  get readyState() {
    return this.#socket ? this.#socket.readyState : WebSocket.CLOSED;
  }

  /** Connects at once, also while waiting for the next attempt. */
  connect() {
    if (this.#step("connect")) this.#open();
  }

  /** Ends the connection with 1000, or the waiting for one, until `connect()` is called. */
  close() {
    if (!this.#step("leave")) return;
    this.#stopTimers();
    if (this.#phase === "resting") return this.hooks.onPhase("resting", { by: "person" });
    this.hooks.onPhase("leaving", {});
    this.#socket.close(1000);
    this.hooks.onState(this.readyState);
  }

  /** Tries at once if it was waiting: the network came back, or somebody looks at the page again. */
  wake({ network = false } = {}) {
    if (network) this.#attempt = 0;
    if (this.#step("wake")) this.#open();
  }

  /** True if the text was handed to an open socket that is not already full. */
  send(text) {
    if (this.#phase !== "open" || this.#socket.bufferedAmount > FULL_BYTES) return false;
    this.#socket.send(text);
    return true;
  }

  #step(occurrence) {
    const next = NEXT[this.#phase][occurrence];
    if (next) this.#phase = next;
    return Boolean(next);
  }

  #open() {
    this.#stopTimers();
    const socket = new WebSocket(this.url, this.protocol);
    socket.binaryType = "blob";
    this.#socket = socket;
    this.hooks.onPhase("connecting", { attempt: this.#attempt });
    this.hooks.onState(socket.readyState);
    this.#after("open", OPEN_TIMEOUT_MS, () => this.#giveUp(socket));
    // A socket that was left behind while closing may still speak; it is no longer ours.
    const ours = (react) => (event) => socket === this.#socket && react(event);
    socket.onopen = ours(() => this.#opened());
    socket.onmessage = ours(({ data }) => this.#received(data));
    socket.onclose = ours((event) => this.#closed(event));
    socket.onerror = ours(() => this.hooks.onNote("failed", {}));
  }

  #giveUp(socket) {
    this.hooks.onNote("timeout", { seconds: OPEN_TIMEOUT_MS / 1000 });
    socket.close();
    this.hooks.onState(this.readyState);
  }

  #opened() {
    // A person may have pressed Close between the server's answer and this turn.
    if (!this.#step("opened")) return;
    this.#stopTimers();
    this.#after("stable", STABLE_MS, () => (this.#attempt = 0));
    this.hooks.onState(this.readyState);
    this.hooks.onPhase("open", { subprotocol: this.#socket.protocol, extensions: this.#socket.extensions });
  }

  #received(data) {
    if (typeof data === "string") this.hooks.onText(data);
    else this.hooks.onBytes(data);
  }

  #closed({ code, reason }) {
    this.#stopTimers();
    const before = this.#phase;
    this.#step(before === "open" && isFinal(code) ? "ended" : "lost");
    this.hooks.onState(WebSocket.CLOSED);
    this.hooks.onNote("closed", { code, reason });
    if (this.#phase === "waiting") return this.#wait(before, code, reason);
    this.hooks.onPhase("resting", { by: before === "leaving" ? "person" : "server", code, reason });
  }

  #wait(before, code, reason) {
    // 1013: the server asked for a pause, so the first delays are skipped.
    if (code === 1013) this.#attempt = Math.max(this.#attempt, 3);
    const pause = delay(this.#attempt);
    this.#attempt += 1;
    this.#after("due", pause, () => this.#step("due") && this.#open());
    this.hooks.onPhase("waiting", { until: Date.now() + pause, wasOpen: before === "open", code, reason });
  }

  #after(name, milliseconds, action) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(action, milliseconds));
  }

  #stopTimers() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

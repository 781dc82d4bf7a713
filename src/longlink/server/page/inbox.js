// Reads the `chat` subprotocol: JSON events as text, and bytes that an event announced.

// What an event must carry to be believed. Unknown types and broken events are reported, never fatal:
// a page that was loaded before the server learned a new event has to go on working.
const SHAPES = {
  welcome: { id: "number", people: "array" },
  joined: { id: "number" },
  left: { id: "number" },
  renamed: { id: "number", name: "string" },
  message: { from: "number", text: "string" },
  binary: { from: "number", size: "number" },
  file: { from: "number", name: "string", size: "number" },
  stats: { people: "number", rate: "number" },
  error: { text: "string" },
};
const ANNOUNCES_BYTES = new Set(["binary", "file"]);

const kindOf = (value) => (Array.isArray(value) ? "array" : value === null ? "null" : typeof value);

/** `{event}` for a well-formed event, `{fault}` with a reason for anything else. */
export function parse(text) {
  let event;
  try {
    event = JSON.parse(text);
  } catch {
    return { fault: "not JSON" };
  }
  if (kindOf(event) !== "object") return { fault: "not an event" };
  if (!Object.hasOwn(SHAPES, event.type)) return { fault: `unknown type ${String(event.type).slice(0, 40)}` };
  const wrong = Object.entries(SHAPES[event.type]).find(([field, kind]) => kindOf(event[field]) !== kind);
  return wrong ? { fault: `${event.type} without ${wrong[0]}` } : { event };
}

export class Inbox {
  #announced = []; // announcements whose bytes have not come yet, oldest first

  /** Hooks: `onEvent(event)`, `onBytes(announcement or null, Blob)`, `onLost(announcement)`, `onFault(reason)`. */
  constructor(hooks) {
    this.hooks = hooks;
  }

  /** Takes a text message of the socket. */
  text(text) {
    const { event, fault } = parse(text);
    if (fault) return this.hooks.onFault(fault);
    if (ANNOUNCES_BYTES.has(event.type)) this.#announced.push(event);
    this.hooks.onEvent(event);
  }

  /** Takes a binary message of the socket: it belongs to the oldest announcement. */
  bytes(blob) {
    this.hooks.onBytes(this.#announced.shift() ?? null, blob);
  }

  /** Forgets announcements whose bytes can no longer come, because the connection is gone. */
  reset() {
    for (const event of this.#announced.splice(0)) this.hooks.onLost(event);
  }
}

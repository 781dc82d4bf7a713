// The conversation: a bounded list of entries that stays at its end while somebody reads the end.

import { byId, make, readableSize, timestamp } from "./dom.js";
import { bytesBody, fileBody, fileName, release, textBody } from "./files.js";
import { hush, say } from "./strings.js";

const MOST_ENTRIES = 500;
const MOST_WEIGHT = 64 * 2 ** 20; // bytes of files and characters of text that are kept
const END_PX = 48; // this close to the end counts as being there
const RUN_S = 120; // messages of one sender within this time share one heading

export class Log {
  #list = byId("log");
  #content = byId("entries");
  #welcome = byId("welcome");
  #newer = byId("newer");
  #entries = []; // {node, weight}
  #weight = 0;
  #unread = 0;
  #last = null; // {from, to, time} of the newest entry if it was somebody's
  #atEnd = true;
  #settling = false;
  #top = 0; // scroll position when it was last looked at

  constructor() {
    this.#newer.addEventListener("click", () => this.#toEnd());
    this.#list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // The box changes height with the window and a phone's keyboard, the content when a picture is there.
    const observer = new ResizeObserver(() => this.#atEnd && this.#toEnd());
    observer.observe(this.#list);
    observer.observe(this.#content);
  }

  /** Adds a line about the conversation itself, such as who joined. */
  note(key, values, time) {
    const line = make("p", "entry note", say(make("span"), key, values), " ", timestamp(time));
    this.#last = null;
    this.#add(line, 0);
  }

  /** Adds a text message; `sender` is `{own, phrase}`: whether it is from this page, and the name to show. */
  message(event, sender) {
    this.#welcome.hidden = true;
    const body = textBody(event.text, event.length);
    this.#add(this.#entry("message", event, sender, body), event.text.length);
  }

  /** Adds an announced file or binary message, waiting for its bytes; returns the entry to fill. */
  awaited(event, sender) {
    this.#welcome.hidden = true;
    const body = make("div", "payload pending");
    const values = { name: event.type === "file" ? fileName(event.name) : "", size: readableSize(event.size) };
    say(body, "receiving", values);
    return this.#add(this.#entry(event.type, event, sender, body), 0);
  }

  /** Puts the bytes of an announced entry in their place; without an entry, adds one of its own. */
  bytes(entry, event, blob) {
    if (!entry) {
      this.#welcome.hidden = true;
      const node = make("div", "entry note bytes", bytesBody(null, blob));
      this.#last = null;
      return this.#add(node, blob.size);
    }
    const body = event.type === "file" ? fileBody(event, blob) : bytesBody(event, blob);
    entry.node.querySelector(".pending").replaceWith(body);
    entry.weight += blob.size;
    // The entry may have been dropped for its age before its bytes came.
    if (!this.#entries.includes(entry)) return release(entry.node);
    this.#weight += blob.size;
    this.#settle();
  }

  /** Says that the bytes of an announced entry will not come. */
  lost(entry, event) {
    const body = entry.node.querySelector(".pending");
    say(body, "lostFile", { name: event.type === "file" ? fileName(event.name) : "" });
  }

  #entry(kind, event, sender, body) {
    const time = timestamp(event.time);
    const heading = make("p", "heading", ...this.#heading(event, sender), time);
    const node = make("article", `entry ${kind} tone-${event.from % 8}`, heading, body);
    Object.assign(node.dataset, { from: event.from, own: sender.own, private: event.to != null });
    node.dataset.follows = this.#continues(event);
    this.#last = { from: event.from, to: event.to ?? null, time: Number(event.time) || 0 };
    return node;
  }

  #heading({ from, to }, { own, phrase }) {
    const parts = [say(make("bdi", "sender"), ...(own ? ["own"] : phrase))];
    // A name can be chosen to look like the operator's; the number shows that it is not.
    if (from !== 0) parts.push(make("span", "number", `#${from}`));
    if (to != null && !own) parts.push(say(make("span", "badge"), "private"));
    return parts;
  }

  #continues({ from, to, time }) {
    const last = this.#last;
    return Boolean(last) && last.from === from && last.to === (to ?? null) && Math.abs(time - last.time) < RUN_S;
  }

  #add(node, weight) {
    const entry = { node, weight };
    this.#entries.push(entry);
    this.#weight += weight;
    this.#content.append(node);
    if (!this.#atEnd && !node.classList.contains("note")) this.#countUnread();
    // A hidden tab has no frames, so what has grown to the double is not left for the next one.
    if (this.#isOver(2)) this.#trim();
    this.#settle();
    return entry;
  }

  #settle() {
    // Scrolling and measuring cost a layout; a thousand messages between two frames share one.
    if (this.#settling) return;
    this.#settling = true;
    requestAnimationFrame(() => {
      this.#settling = false;
      if (this.#isOver(1)) this.#trim();
      if (this.#atEnd) this.#toEnd();
    });
  }

  #isOver(factor) {
    const tooHeavy = this.#weight > factor * MOST_WEIGHT && this.#entries.length > 1;
    return tooHeavy || this.#entries.length > factor * MOST_ENTRIES;
  }

  #trim() {
    const before = this.#content.offsetHeight;
    while (this.#isOver(1)) {
      const { node, weight } = this.#entries.shift();
      this.#weight -= weight;
      release(node);
      node.remove();
    }
    // What is being read stays where it is; not every browser sees to that itself.
    this.#list.scrollTop -= before - this.#content.offsetHeight;
    this.#top = this.#list.scrollTop;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    // Only scrolling up leaves the end; when a picture gets its height, the end leaves us and we follow.
    if (scrollHeight - scrollTop - clientHeight < END_PX) this.#atEnd = true;
    else if (scrollTop < this.#top) this.#atEnd = false;
    this.#top = scrollTop;
    if (this.#atEnd) this.#clearUnread();
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#top = this.#list.scrollTop;
    this.#atEnd = true;
    this.#clearUnread();
  }

  #countUnread() {
    this.#unread += 1;
    this.#newer.hidden = false;
    say(this.#newer, "newer", { count: this.#unread });
  }

  #clearUnread() {
    this.#unread = 0;
    this.#newer.hidden = true;
    hush(this.#newer);
  }
}

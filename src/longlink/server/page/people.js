// Who is here: the list of the server, kept current by its events.

import { byId, make, oneLine, timestamp } from "./dom.js";
import { hush, say } from "./strings.js";

const MOST_SHOWN = 200;

/** The phrase for a person: the name they chose, or "Guest 7". */
export function namePhrase(id, name) {
  const chosen = oneLine(name);
  if (chosen) return ["verbatim", { words: chosen }];
  return id === 0 ? ["operator", {}] : ["guest", { id }];
}

/** Shows a person's name in an element. */
export const sayName = (node, { id, name }) => say(node, ...namePhrase(id, name));

export class People {
  #known = new Map(); // id → {id, name, ip, since}
  #total = 0; // how many there are: a welcome lists only the latest of very many
  #own = null;
  #drawing = false;

  /** Number of people here. */
  get count() {
    return this.#total;
  }

  /** Takes the number of people that the server counted. */
  set count(total) {
    if (total === this.#total) return;
    this.#total = total;
    this.#draw();
  }

  /** Starts over with the list of a welcome, in which we are `own`. */
  reset(own = null, people = []) {
    this.#own = own;
    this.#known.clear();
    for (const person of people) if (Number.isFinite(person?.id)) this.#known.set(person.id, person);
    this.#total = this.#known.size;
    this.#draw();
  }

  /** Adds a person; true if they are new here. */
  join(person) {
    const isNew = !this.#known.has(person.id);
    this.#known.set(person.id, person);
    if (isNew) this.#total += 1;
    this.#draw();
    return isNew;
  }

  /** Removes a person and returns the phrase for their name. */
  leave(id) {
    const name = this.nameOf(id);
    this.#known.delete(id);
    this.#total = Math.max(this.#total - 1, this.#known.size);
    this.#draw();
    return name;
  }

  /** Changes a name and returns the phrase for the one before. */
  rename(id, name) {
    const before = this.nameOf(id);
    const person = this.#known.get(id);
    if (person) person.name = name;
    this.#draw();
    return before;
  }

  /** The phrase for the name of somebody here or gone. */
  nameOf(id) {
    return namePhrase(id, this.#known.get(id)?.name);
  }

  #draw() {
    // A thousand people may arrive between two frames; the list is made once for all of them.
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#show();
    });
  }

  #show() {
    const everybody = [...this.#known.values()];
    // We come first, so that "you" is found at a glance; the others stay in order of arrival.
    everybody.sort((a, b) => (b.id === this.#own) - (a.id === this.#own) || a.id - b.id);
    byId("people").replaceChildren(...everybody.slice(0, MOST_SHOWN).map((person) => this.#item(person)));
    const hidden = this.#total - Math.min(everybody.length, MOST_SHOWN);
    const more = byId("more");
    more.hidden = hidden <= 0;
    if (hidden > 0) say(more, "more", { count: hidden });
    else hush(more);
    byId("count").textContent = String(this.#total);
    byId("nobody").hidden = this.#total > 0;
    byId("people").dispatchEvent(new CustomEvent("counted", { bubbles: true }));
  }

  #item(person) {
    const item = make("li", `tone-${person.id % 8}`, sayName(make("bdi", "sender"), person));
    item.append(make("span", "number", `#${person.id}`));
    item.dataset.id = person.id;
    if (person.id === this.#own) {
      item.dataset.you = "true";
      item.append(say(make("span", "badge"), "you"));
    }
    const since = timestamp(person.since ?? person.time);
    const address = make("span", "address", oneLine(person.ip));
    address.title = address.textContent;
    item.append(address, since);
    return item;
  }
}

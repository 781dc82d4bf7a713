// Elements without markup: everything a person or the server says enters the page as text.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A new element with a class, a text and children; strings among the children become text nodes. */
export function make(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

// Line and direction overrides could make a name or a file name look like another one.
const DECEPTIVE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** One line of somebody else's words, without characters that reorder or break what surrounds it. */
export const oneLine = (words) => String(words ?? "").replace(DECEPTIVE, "").trim();

/** A `<time>` showing the wall clock of a moment given in seconds since 1970. */
export function timestamp(seconds) {
  const moment = new Date((Number.isFinite(seconds) ? seconds : Date.now() / 1000) * 1000);
  const valid = Number.isNaN(moment.getTime()) ? new Date() : moment;
  const node = make("time", "", valid.toLocaleTimeString("en-GB"));
  node.dateTime = valid.toISOString();
  node.title = valid.toLocaleString();
  return node;
}

/** A byte count as people read it: `512 B`, `1.4 kB`, `12 MB`. */
export function readableSize(count) {
  const units = ["B", "kB", "MB", "GB"];
  let value = count;
  let step = 0;
  while (value >= 1000 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${step && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

/** What was remembered under this name, or an empty string where the browser keeps nothing. */
export function recall(name) {
  try {
    return localStorage.getItem(`longlink.${name}`) ?? "";
  } catch {
    return "";
  }
}

/** Remembers a text for the next visit, if the browser allows it. */
export function remember(name, value) {
  try {
    localStorage.setItem(`longlink.${name}`, value);
  } catch {
    // Private windows may refuse storage; the page works without.
  }
}

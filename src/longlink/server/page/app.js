// The page: a connection, an inbox that reads it, and the views that show what came.

import { Chart } from "./chart.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { byId, oneLine } from "./dom.js";
import { Inbox } from "./inbox.js";
import { Log } from "./log.js";
import { Panel } from "./panel.js";
import { People, namePhrase } from "./people.js";
import { language, say, speak } from "./strings.js";

const PROTOCOL = "chat";

const url = new URL("ws", location.href);
url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
url.hash = url.search = "";

const log = new Log();
const people = new People();
const panel = new Panel(url, PROTOCOL);
const chart = new Chart();
const awaited = new Map(); // announcement → its entry in the log
let own = null; // our number, from the welcome until the connection ends
let met = false; // whether there was a conversation before this connection
let unseen = 0;

const react = {
  welcome({ id, people: everybody }) {
    own = id;
    people.reset(id, everybody);
    panel.welcome(id);
    chart.push({ people: everybody.length, rate: 0 });
    if (met) log.note("interrupted", {});
    met = true;
    composer.introduce();
  },
  joined(person) {
    if (people.join(person)) log.note("joined", { name: people.nameOf(person.id) }, person.time);
  },
  left({ id, reason, time }) {
    const name = people.leave(id);
    log.note(reason ? "leftWith" : "left", { name, cause: oneLine(reason) }, time);
  },
  renamed({ id, name, time }) {
    const old = people.rename(id, name);
    log.note("renamed", { old, name: namePhrase(id, name) }, time);
  },
  message(event) {
    log.message(event, senderOf(event));
    countUnseen();
  },
  binary(event) {
    awaited.set(event, log.awaited(event, senderOf(event)));
    countUnseen();
  },
  file(event) {
    react.binary(event);
  },
  stats(event) {
    people.count = event.people;
    chart.push(event);
  },
  error({ text }) {
    composer.refused(text);
  },
};

const inbox = new Inbox({
  onEvent: (event) => react[event.type](event),
  onBytes(event, blob) {
    log.bytes(awaited.get(event), event, blob);
    awaited.delete(event);
  },
  onLost(event) {
    log.lost(awaited.get(event), event);
    awaited.delete(event);
  },
  onFault: (cause) => panel.note("ignored", { cause }),
});

const connection = new Connection(url, PROTOCOL, {
  onState: (readyState) => panel.state(readyState),
  onNote: (kind, detail) => panel.note(kind, detail),
  onText: (text) => inbox.text(text),
  onBytes: (blob) => inbox.bytes(blob),
  onPhase(phase, detail) {
    panel.phase(phase, detail);
    if (phase !== "open" && phase !== "leaving") forget();
  },
});

const composer = new Composer(connection);

/** Who an event is from, for its heading; the `name` of a file event is the file's. */
function senderOf({ type, from, name }) {
  return { own: from === own, phrase: type === "file" ? people.nameOf(from) : namePhrase(from, name) };
}

/** Clears what was true only while connected. */
function forget() {
  own = null;
  inbox.reset();
  people.reset();
  chart.pause();
}

function countUnseen() {
  unseen = document.hidden ? unseen + 1 : 0;
  document.title = unseen ? `(${unseen}) longlink` : "longlink";
}

function showDetails(open) {
  byId("main").dataset.side = open ? "open" : "closed";
  byId("details").setAttribute("aria-expanded", String(open));
  nameDetails();
}

function nameDetails() {
  const open = byId("main").dataset.side === "open";
  const closedLabel = people.count ? "details" : "detailsAway";
  say(byId("details"), open ? "back" : closedLabel, { count: people.count });
}

function chooseLanguage(chosen, options) {
  speak(chosen, options);
  for (const button of byId("language").children) {
    button.ariaPressed = String(button.dataset.language === chosen);
  }
}

function press(id, action) {
  byId(id).addEventListener("click", ({ currentTarget }) => {
    if (currentTarget.ariaDisabled !== "true") action();
  });
}

press("connect", () => connection.connect());
press("now", () => connection.connect());
press("close", () => connection.close());
press("details", () => showDetails(byId("main").dataset.side !== "open"));
byId("people").addEventListener("counted", nameDetails);
byId("language").addEventListener("click", ({ target }) => {
  if (target.dataset.language) chooseLanguage(target.dataset.language, { keep: true });
});
addEventListener("keydown", ({ key }) => key === "Escape" && showDetails(false));
addEventListener("online", () => connection.wake({ network: true }));
addEventListener("pageshow", () => connection.wake());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  countUnseen();
  connection.wake();
});

chooseLanguage(language);
nameDetails();
connection.connect();

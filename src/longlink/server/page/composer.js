// What a person writes: messages and their name.

import { byId, oneLine, recall, remember } from "./dom.js";
import { hush, say } from "./strings.js";

export class Composer {
  #connection;
  #text = byId("text");
  #name = byId("name");
  #problem = byId("problem");

  constructor(connection) {
    this.#connection = connection;
    this.#name.value = recall("name");
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener("keydown", (event) => this.#onKey(event));
    this.#text.addEventListener("input", () => this.#settle());
    this.#name.addEventListener("keydown", (event) => this.#onNameKey(event));
    this.#name.addEventListener("change", () => this.#rename());
  }

  /** Tells a server that just welcomed us the name we go by. */
  introduce() {
    this.#settle();
    if (this.#name.value) this.#event({ type: "name", name: this.#name.value });
  }

  /** Shows why the server refused something. */
  refused(text) {
    this.#complain("serverSays", { text: oneLine(text) });
  }

  #onKey(event) {
    // While an input method composes (Chinese, Japanese …), Enter belongs to it; 229 is Safari's way to say so.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#submit();
  }

  #onNameKey(event) {
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
    // Enter here means "this is my name", not "send the message".
    event.preventDefault();
    this.#name.blur();
    this.#text.focus();
  }

  #submit() {
    const text = this.#text.value;
    if (!text.trim()) this.#complain("empty");
    else if (this.#connection.readyState !== WebSocket.OPEN) this.#complain("notOpen");
    else if (!this.#event({ type: "message", text })) this.#complain("tooFull");
    else {
      this.#text.value = "";
      this.#settle();
    }
    this.#text.focus();
  }

  #rename() {
    this.#name.value = oneLine(this.#name.value);
    remember("name", this.#name.value);
    this.#event({ type: "name", name: this.#name.value });
  }

  #event(event) {
    return this.#connection.send(JSON.stringify(event));
  }

  #complain(key, values) {
    hush(this.#problem); // so that the same complaint is read out again
    say(this.#problem, key, values);
    this.#text.ariaInvalid = String(key === "empty");
  }

  #settle() {
    hush(this.#problem);
    this.#text.ariaInvalid = "false";
    // The box grows with what is written; `field-sizing` does it without script where it exists.
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}

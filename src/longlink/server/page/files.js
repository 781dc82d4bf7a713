// Bytes on the page: pictures are shown, everything else is offered for download.

import { make, oneLine, readableSize } from "./dom.js";
import { say } from "./strings.js";

// Only formats that cannot carry script. SVG can, so it is a download like any other file.
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const PREVIEW_BYTES = 48;
const MOST_CHARACTERS = 8_000;

const urls = new WeakMap(); // element → the blob URL it holds

/** A name that a file may be saved under: one line, no folders, never empty. */
export const fileName = (name) => oneLine(name).replace(/[/\\]/g, "_") || "file";

/** A link that saves bytes under a name. */
function download(blob, name) {
  const link = make("a", "download");
  // The type is not the announced one: a blob URL has the page's origin, and HTML in it would run there.
  link.href = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }));
  link.download = name;
  urls.set(link, link.href);
  return say(link, "download", { name });
}

function picture(blob, mime, name) {
  const image = make("img", "picture");
  image.alt = name;
  image.src = URL.createObjectURL(new Blob([blob], { type: mime }));
  urls.set(image, image.src);
  image.onerror = () => image.replaceWith(say(make("span", "aside"), "unreadable"));
  return image;
}

function sizeLine(blob, promised) {
  const size = readableSize(blob.size);
  const line = make("span", "aside");
  if (promised === undefined || promised === blob.size) return say(line, "verbatim", { words: size });
  return say(line, "wrongSize", { size, promised: readableSize(promised) });
}

/** The body of a file entry whose bytes arrived. */
export function fileBody(event, blob) {
  const name = fileName(event.name);
  const body = make("div", "payload");
  if (PICTURES.has(event.mime)) body.append(picture(blob, event.mime, name));
  const caption = make("p", "caption", download(blob, name), " ", sizeLine(blob, event.size));
  body.append(caption);
  return body;
}

/** The body of a binary message: its size, its first bytes as hex, and a download. */
export function bytesBody(event, blob) {
  const body = make("div", "payload");
  const title = say(make("p"), event ? "bytes" : "unexpected");
  const hex = make("code", "hex");
  const caption = make("p", "caption", download(blob, "message.bin"), " ", sizeLine(blob, event?.size));
  body.append(title, hex, caption);
  preview(blob).then((digits) => (hex.textContent = digits));
  return body;
}

async function preview(blob) {
  const head = new Uint8Array(await blob.slice(0, PREVIEW_BYTES).arrayBuffer());
  const digits = Array.from(head, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return blob.size > PREVIEW_BYTES ? `${digits} …` : digits;
}

/** The text of a message. Of a huge one the beginning, with what came offered as a file; the server may have
 * cut it from `length` characters. */
export function textBody(text, length = text.length) {
  const body = make("div", "text", text.slice(0, MOST_CHARACTERS));
  if (length <= MOST_CHARACTERS) return body;
  const rest = say(make("span", "aside"), "clipped", { count: length - MOST_CHARACTERS });
  const link = say(download(new Blob([text]), "message.txt"), "saveText");
  body.append("… ", make("p", "caption", rest, " ", link));
  return body;
}

/** Gives back the memory of all blob URLs below an element that leaves the page. */
export function release(node) {
  for (const holder of node.querySelectorAll("a, img")) {
    if (urls.has(holder)) URL.revokeObjectURL(urls.get(holder));
  }
}

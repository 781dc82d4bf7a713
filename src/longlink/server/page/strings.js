// Every word of the page, in English and Chinese. An element that shows a phrase remembers which one,
// so a change of language reaches what is already on the screen.

import { recall, remember } from "./dom.js";

const english = {
  skip: "Skip to writing",
  stateLabel: "State of the connection (readyState)",
  tagline: "Everyone here, one conversation",
  language: "Language",
  connect: "Connect",
  close: "Close",
  now: "Try now",
  log: "Messages",
  lead: "Say something, and everyone here reads it at once.",
  alone: "Nobody else around? ",
  second: "Open a second tab",
  aloneEnd: " and talk to yourself.",
  name: "Your name",
  namePlaceholder: "optional",
  text: "Message",
  textPlaceholder: "Write a message",
  hint: "Enter sends, Shift+Enter starts a new line",
  send: "Send",
  side: "People, activity and protocol",
  people: "Here now",
  details: "{count} here",
  detailsAway: "Details",
  back: "Messages",
  nobody: "Connect to see who is here.",
  more: "and {count} more",
  activity: "Last two minutes",
  rate: "messages/s",
  present: "people",
  most: "max {count}",
  chartSummary:
    "Now {rate} messages per second, at most {rateMost}. Now {people} connected, at most {peopleMost}.",
  protocol: "Protocol",
  request: "Request",
  response: "Response",
  events: "What happened, newest first",

  connecting: "Connecting…",
  connected: "Connected as number {id}.",
  closing: "Closing…",
  closed: "You closed the connection.",
  ended: "The server ended it: {cause}.",
  failed: "Server unreachable or full.",
  lost: "Connection lost ({code}).",
  offline: "This device is offline.",
  countdown: "Next try in {seconds} s",

  guest: "Guest {id}",
  you: "you",
  own: "You",
  operator: "Operator",
  private: "only to you",
  joined: "{name} joined",
  left: "{name} left",
  leftWith: "{name} left: {cause}",
  renamed: "{old} is now {name}",
  interrupted: "Messages sent while you were away are not shown.",
  newer: ({ count }) => (count === 1 ? "1 new message" : `${count} new messages`),
  clipped: "{count} more characters",
  saveText: "Save the text",

  receiving: "Receiving {name}, {size}…",
  lostFile: "{name} did not arrive.",
  verbatim: "{words}",
  wrongSize: "{size}, but {promised} were announced",
  download: "Download {name}",
  bytes: "Binary message",
  unexpected: "Binary message that nobody announced",
  unreadable: "This picture cannot be shown.",

  empty: "A message must not be empty.",
  notOpen: "Not connected. Your message stays here until you are.",
  serverSays: "The server says: {text}",
  tooFull: "The connection is busy. Try again in a moment.",

  eventState: "readyState {number} {word}",
  eventConnected: "connected",
  eventFailed: "failed",
  eventClosed: "closed {cause}",
  eventTimeout: "no answer in {seconds} s, giving up",
  eventIgnored: "ignored: {cause}",
};

const chinese = {
  skip: "跳到输入框",
  stateLabel: "连接状态（readyState）",
  tagline: "所有人，同一场对话",
  language: "语言",
  connect: "连接",
  close: "断开",
  now: "立即重试",
  log: "消息",
  lead: "说点什么，在场的人立刻就能看到。",
  alone: "没有别人在？",
  second: "再开一个标签页",
  aloneEnd: "，和自己聊聊。",
  name: "你的名字",
  namePlaceholder: "可不填",
  text: "消息",
  textPlaceholder: "输入消息",
  hint: "Enter 发送，Shift+Enter 换行",
  send: "发送",
  side: "在线、活动与协议",
  people: "在线",
  details: "{count} 人在线",
  detailsAway: "详情",
  back: "返回消息",
  nobody: "连接后即可看到在线的人。",
  more: "另有 {count} 人",
  activity: "最近两分钟",
  rate: "条消息/秒",
  present: "人",
  most: "最高 {count}",
  chartSummary: "当前每秒 {rate} 条消息，最多 {rateMost} 条。当前 {people} 人连接，最多 {peopleMost} 人。",
  protocol: "协议",
  request: "请求",
  response: "响应",
  events: "经过（最新在前）",

  connecting: "正在连接…",
  connected: "已连接，你是 {id} 号。",
  closing: "正在断开…",
  closed: "你已断开连接。",
  ended: "服务器结束了连接：{cause}。",
  failed: "无法连接到服务器，或服务器已满。",
  lost: "连接中断（{code}）。",
  offline: "此设备已离线。",
  countdown: "{seconds} 秒后重试",

  guest: "访客 {id}",
  you: "你",
  own: "你",
  operator: "管理员",
  private: "仅发给你",
  joined: "{name} 加入了",
  left: "{name} 离开了",
  leftWith: "{name} 离开了：{cause}",
  renamed: "{old} 改名为 {name}",
  interrupted: "断线期间的消息不会显示。",
  newer: "{count} 条新消息",
  clipped: "还有 {count} 个字符",
  saveText: "保存文字",

  receiving: "正在接收 {name}，{size}…",
  lostFile: "{name} 未能送达。",
  verbatim: "{words}",
  wrongSize: "{size}，但预告为 {promised}",
  download: "下载 {name}",
  bytes: "二进制消息",
  unexpected: "未预告的二进制消息",
  unreadable: "无法显示此图片。",

  empty: "消息不能为空。",
  notOpen: "尚未连接，消息会保留在这里。",
  serverSays: "服务器提示：{text}",
  tooFull: "连接繁忙，请稍后再试。",

  eventState: "readyState {number} {word}",
  eventConnected: "已连接",
  eventFailed: "连接失败",
  eventClosed: "已关闭 {cause}",
  eventTimeout: "{seconds} 秒内没有回应，放弃",
  eventIgnored: "已忽略：{cause}",
};

export const tables = { en: english, zh: chinese };
const spoken = new WeakMap(); // element → the values of its phrase

/** The language in use: the one chosen here before, or else the browser's. */
export let language = recall("language") in tables ? recall("language") : preferred();

function preferred() {
  const first = navigator.languages.find((tag) => /^(en|zh)\b/i.test(tag)) ?? "en";
  return first.slice(0, 2).toLowerCase();
}

/** A phrase in the language in use; a value that is itself a `[key, values]` phrase is translated too. */
export function phrase(key, values = {}) {
  const entry = tables[language][key];
  if (typeof entry === "function") return entry(values);
  return entry.replace(/\{(\w+)\}/g, (_, slot) => {
    const value = values[slot];
    return Array.isArray(value) ? phrase(...value) : String(value ?? "");
  });
}

/** Makes an element show a phrase, now and after a change of language. */
export function say(node, key, values = {}) {
  node.dataset.t = key;
  spoken.set(node, values);
  const words = phrase(key, values);
  // Writing the same words again would make a screen reader repeat them.
  if (node.textContent !== words) node.textContent = words;
  return node;
}

/** Makes an element show nothing. */
export function hush(node) {
  delete node.dataset.t;
  node.textContent = "";
}

/** Puts the whole page into a language and, if a person chose it, remembers that. */
export function speak(chosen, { keep = false } = {}) {
  language = chosen;
  if (keep) remember("language", chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-t]")) {
    say(node, node.dataset.t, spoken.get(node));
  }
  for (const node of document.querySelectorAll("[data-t-label]")) {
    node.ariaLabel = phrase(node.dataset.tLabel, spoken.get(node));
  }
  for (const node of document.querySelectorAll("[data-t-placeholder]")) {
    node.placeholder = phrase(node.dataset.tPlaceholder);
  }
}

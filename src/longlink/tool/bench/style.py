"""How the report looks: the colours of the product's page, light and dark, wide and narrow."""

from __future__ import annotations

from typing import Final

CSS: Final = """\
:root {
  color-scheme: light dark;
  --ground: #f4f3ee; --surface: #ffffff; --ink: #1d2125; --soft: #5a6169; --rule: #dcd9cf;
  --accent: #0c6b5d; --series: #3d5bb5; --third: #a82a68; --bad: #b3261e; --fill: #d3e9e2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121618; --surface: #1b2023; --ink: #e8eaeb; --soft: #a0a9b0; --rule: #30373c;
    --accent: #4fcfb2; --series: #93abff; --third: #ff9cc8; --bad: #ff9186; --fill: #1d4439;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 24px clamp(12px, 3vw, 32px) 40px; max-width: 1240px;
  background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: 1.35rem; margin: 0; line-height: 1.25; }
h2 { font-size: 1rem; margin: 0 0 2px; }
p { margin: 4px 0; }
.soft { color: var(--soft); }
.bad { color: var(--bad); font-weight: 600; }
.cards { display: grid; gap: 12px; margin: 18px 0;
  grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); }
.cards div, figure, section {
  background: var(--surface); border: 1px solid var(--rule); border-radius: 8px; }
.cards div { padding: 10px 14px; }
.cards b { display: block; font-size: 1.35rem; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.cards div:first-child b { color: var(--accent); }
.charts { display: grid; gap: 16px; margin-top: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
figure, section { margin: 0; padding: 14px 16px 16px; min-width: 0; }
section { margin-top: 16px; }
.plot { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 4px 8px; margin-top: 10px; }
.plot > .up { position: relative; min-width: 4.6em; height: 220px; }
.plot > .up span { position: absolute; right: 0; transform: translateY(50%); }
.plot > svg { width: 100%; height: 220px; overflow: visible; }
.plot > .along { grid-column: 2; position: relative; height: 1.4em; }
.plot > .along span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.plot > .along span:first-child { transform: none; }
.plot > .along span:last-child { transform: translateX(-100%); }
.plot span, td, th { font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; }
svg line { stroke: var(--rule); vector-effect: non-scaling-stroke; }
svg path { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
svg path.area { fill: var(--fill); stroke: none; }
.c0 { stroke: var(--accent); } .c1 { stroke: var(--series); } .c2 { stroke: var(--third); }
.key { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12px; color: var(--soft); }
.key svg { width: 18px; height: 8px; margin-right: 5px; overflow: visible; }
.rows { width: 100%; border-collapse: collapse; margin-top: 8px; }
.rows td, .rows th { padding: 1px 8px 1px 0; text-align: right; white-space: nowrap;
  font-weight: 400; }
.rows td.bar { width: 100%; padding-right: 4px; }
.rows td.bar svg { display: block; width: 100%; height: 13px; }
.rows rect { fill: var(--accent); }
dl { display: grid; grid-template-columns: minmax(7em, auto) minmax(0, 1fr); gap: 2px 14px;
  margin: 8px 0 0; }
@media (max-width: 520px) { .along span:nth-child(even):nth-last-child(even) { display: none; } }
dt { color: var(--soft); }
dd { margin: 0; }
"""

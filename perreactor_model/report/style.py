"""The page's style sheet: one column, system fonts, one accent; light and dark."""

from perreactor_model.report.palette import DARK, LIGHT, variables

STYLE = (
    f"""
:root {{color-scheme: light dark; {variables(LIGHT)}
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;}}
@media (prefers-color-scheme: dark) {{ :root {{{variables(DARK)}}} }}
"""
    + """
* {box-sizing: border-box;}
html {-webkit-text-size-adjust: 100%;}
body {margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 var(--font);
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;}
main, header, footer {max-width: 60rem; margin: 0 auto; padding: 0 1.5rem;}
header {padding-top: 3.5rem;}
footer {padding-top: 2rem; padding-bottom: 4rem; color: var(--muted); font-size: .875rem;}
h1 {font-size: 2.25rem; line-height: 1.2; margin: .25rem 0 .5rem; font-weight: 650;
  letter-spacing: -.015em;}
h2 {font-size: 1.375rem; line-height: 1.3; margin: 0 0 .5rem; font-weight: 640;
  letter-spacing: -.01em;}
h3 {font-size: 1rem; margin: 2rem 0 .25rem; font-weight: 640;}
p {margin: .5rem 0 1rem; max-width: 42rem;}
a {color: var(--accent); text-underline-offset: .15em;}
a:focus-visible, summary:focus-visible, .scroll:focus-visible {outline: 2px solid var(--accent);
  outline-offset: 3px; border-radius: 4px;}
.eyebrow {margin: 0; color: var(--accent); font-weight: 600; font-size: .875rem;}
.lead {color: var(--muted); font-size: 1.0625rem; margin: 0; max-width: none;}
.note {color: var(--muted); font-size: .9375rem;}
nav {margin: 1.75rem 0 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem;
  font-size: .9375rem;}
nav a {text-decoration: none; padding: .25rem 0;}
nav a:hover {text-decoration: underline;}
section {margin-top: 4rem; scroll-margin-top: 1rem;}
.warning {margin: 1.75rem 0 0; padding: 1rem 1.25rem; border-radius: 12px;
  background: var(--warn-tint); color: var(--ink);}
.warning strong {color: var(--warn);}
.warning p {margin: .25rem 0 0; max-width: none;}
.facts {display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  gap: 1.75rem 2rem; margin: 2.5rem 0 0;}
.facts div {min-width: 0;}
.facts dt {color: var(--muted); font-size: .875rem;}
.facts dd {margin: 0; font-size: 1.5rem; line-height: 1.3; font-weight: 620;
  letter-spacing: -.01em;}
.facts dd + dd {font-size: .875rem; line-height: 1.45; font-weight: 400; letter-spacing: 0;
  color: var(--muted); margin-top: .15rem;}
.card {background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 1.25rem; margin: 1.25rem 0;}
figure {margin: 1.25rem 0;}
figcaption {color: var(--muted); font-size: .9375rem; margin-top: .75rem; max-width: 42rem;}
figure svg {display: block; width: 100%; height: auto;}
figure .narrow {display: none;}
video {display: block; width: auto; height: auto; max-width: 100%; max-height: 30rem;
  border-radius: 10px; background: #1c1e26;}
.table-title {margin: 1.5rem 0 .25rem; color: var(--muted); font-size: .9375rem;}
.scroll {overflow-x: auto; margin: 0 0 1.5rem;}
table {border-collapse: collapse; width: 100%; font-size: .9375rem; line-height: 1.4;}
th, td {text-align: right; padding: .55rem 0 .55rem 1.25rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; font-weight: 400;}
thead th {color: var(--muted); font-size: .8125rem; vertical-align: bottom;}
th:first-child {text-align: left; padding-left: 0; white-space: normal; min-width: 9rem;}
tbody th small {display: block; color: var(--muted); font-size: .8125rem;}
tr:last-child > * {border-bottom: 0;}
.compact th, .compact td {padding-top: .35rem; padding-bottom: .35rem;}
.compact tbody th small {display: inline; margin-left: .5rem;}
.swatch {display: inline-block; width: .75em; height: .75em; border-radius: 50%;
  margin-right: .4em; background: var(--swatch, var(--muted));}
.bar {display: inline-block; vertical-align: middle; width: 3rem; height: .4rem;
  margin-right: .6rem; border-radius: 4px; background: var(--line); overflow: hidden;}
.bar i {display: block; height: 100%; background: var(--accent);}
.troubles {padding-left: 1.25rem; max-width: 46rem;}
.troubles li {margin: .4rem 0;}
sup {font-size: .75em; line-height: 0;}
summary {cursor: pointer; padding: .5rem 0; font-weight: 600;}
code, pre {font: .875rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;}
pre {white-space: pre-wrap; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: 1rem 1.25rem; margin: 1rem 0;}
.plain {display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.5rem;
  margin: 1rem 0;}
.plain dt {color: var(--muted);}
.plain dd {margin: 0;}
@media (max-width: 40rem) {
  main, header, footer {padding-left: 1.125rem; padding-right: 1.125rem;}
  header {padding-top: 2rem;}
  h1 {font-size: 1.75rem;}
  section {margin-top: 3rem;}
  .facts {grid-template-columns: 1fr 1fr; gap: 1.25rem;}
  .facts dd {font-size: 1.25rem;}
  .card {padding: .75rem; border-radius: 12px;}
  figure .wide {display: none;}
  figure .narrow {display: block;}
  th, td {padding-left: .9rem;}
  .bar {display: none;}
  th:first-child {min-width: 7.5rem;}
  .compact tbody th small {display: block; margin-left: 0;}
  .plain {grid-template-columns: 1fr; gap: 0;}
  .plain dd {margin-bottom: .75rem;}
}
@media print {
  body {background: #fff;} section {break-inside: avoid-page;} nav, video {display: none;}
}
"""
)

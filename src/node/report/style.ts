/** The page's style: light and dark as the reader's system is, light on paper; narrow screens get one column. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1d2430; --faint: #5c6675; --paper: #fff; --panel: #f5f6f8; --edge: #d5d9e0;
  --c0: #1f6fd1; --c1: #c2410c; --c2: #15803d; --c3: #8b3fb8; --heat: #1f6fd1; --wrong: #c2410c; --on-heat: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --faint: #9aa4b2; --paper: #14181f; --panel: #1c222b; --edge: #343c49;
  --c0: #6cb0ff; --c1: #ff9a5c; --c2: #5fd38a; --c3: #d59bff; --heat: #3f86dc; --wrong: #e07b3e; --on-heat: #fff; } }
@media print { :root { color-scheme: light; --ink: #000; --faint: #444; --paper: #fff; --panel: #fff; --edge: #bbb;
  --c0: #1f6fd1; --c1: #c2410c; --c2: #15803d; --c3: #8b3fb8; --heat: #1f6fd1; --wrong: #c2410c; }
  nav { display: none; } figure, tr, .mistake { break-inside: avoid; } h2 { break-after: avoid; }
  * { print-color-adjust: exact; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .7rem; padding-bottom: .2rem; border-bottom: 1px solid var(--edge); }
h3 { font-size: 1rem; margin: 1.4rem 0 .5rem; }
p { margin: .4rem 0; max-width: 46rem; }
.faint, figcaption, .legend { color: var(--faint); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: 1rem 0; }
a { color: var(--c0); }
a:focus-visible, [tabindex]:focus-visible, summary:focus-visible { outline: 3px solid var(--c0); outline-offset: 2px; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1rem 0; padding: 0; }
.figures div { min-width: 6rem; } .figures dt { color: var(--faint); font-size: .85rem; } .figures dd { margin: 0; font-size: 1.5rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; } .chart { background: var(--panel); border: 1px solid var(--edge); border-radius: 6px; padding: .6rem .8rem; }
.chart.narrow { max-width: 24rem; } figcaption { font-size: .9rem; } svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--edge); stroke-width: 1; } .axis, .tick { stroke: var(--faint); stroke-width: 1; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .line.c1 { stroke-dasharray: 6 3; } .line.c2 { stroke-dasharray: 2 2; }
.line.c0 { stroke: var(--c0); } .line.c1 { stroke: var(--c1); } .line.c2 { stroke: var(--c2); } .line.c3 { stroke: var(--c3); }
.mark.c0 { fill: var(--c0); } .mark.c1 { fill: var(--c1); } .mark.c2 { fill: var(--c2); } .mark.c3 { fill: var(--c3); }
rect.bar { fill: var(--c0); opacity: .75; }
.legend { font-size: .85rem; margin: .2rem 0 0; } .key { margin-right: 1rem; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: 1.4em; margin-right: .4em; vertical-align: .25em; border-top: 3px solid; }
.key.c0::before { border-color: var(--c0); } .key.c1::before { border-color: var(--c1); border-top-style: dashed; }
.key.c2::before { border-color: var(--c2); border-top-style: dotted; } .key.c3::before { border-color: var(--c3); }
.key.bar::before { border-top: .8em solid var(--c0); vertical-align: -.05em; width: .8em; opacity: .75; }
.wide { overflow-x: auto; margin: .6rem 0; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; } th { font-weight: 600; } thead th { border-bottom: 1px solid var(--edge); vertical-align: bottom; }
th[scope=row], .left { text-align: left; } tbody tr:nth-child(even) { background: var(--panel); }
.matrix th, .matrix td { padding: .2rem .35rem; min-width: 2.2rem; } .matrix tbody tr { background: none; }
.matrix td { background: color-mix(in srgb, var(--heat) calc(var(--v) * 100%), transparent); } .matrix td.off { background: color-mix(in srgb, var(--wrong) calc(var(--v) * 100%), transparent); }
.matrix td.strong { color: var(--on-heat); } .matrix td.none { color: var(--faint); }
.map { width: min(36rem, 100%); height: auto; border: 1px solid var(--edge); } .pixels { image-rendering: pixelated; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem; padding: 0; list-style: none; }
.mistake { background: var(--panel); border: 1px solid var(--edge); border-radius: 6px; padding: .6rem; font-size: .9rem; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; margin-bottom: .4rem; max-width: 17rem; } .pair img { display: block; width: 100%; height: auto; }
.stack { display: grid; background: #000; } .stack img { grid-area: 1 / 1; } .stack img:first-child { filter: grayscale(1) brightness(.55); } .stack img:last-child { position: relative; }
pre { background: var(--panel); border: 1px solid var(--edge); border-radius: 6px; padding: .6rem .8rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .88rem; }
summary { cursor: pointer; color: var(--c0); }
`;

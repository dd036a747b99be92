/** The page of `downhill serve`: a place for a picture (or rows), and what the run says of it. Loads nothing from elsewhere. */
export function servePage(): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>downhill</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: #8886; --bar: #3b82c4; }
body { margin: 2rem auto; max-width: 34rem; padding: 0 1rem; }
h1 { font-size: 1.1rem; font-weight: 600; overflow-wrap: anywhere; }
label { display: block; border: 2px dashed var(--line); border-radius: .75rem; padding: 2rem 1rem; text-align: center; cursor: pointer; }
label.over, label:focus-within { border-color: var(--bar); }
input { position: absolute; opacity: 0; width: 1px; height: 1px; }
img { display: block; max-width: 100%; max-height: 16rem; margin: 1rem auto; }
textarea { width: 100%; height: 8rem; font: 13px/1.4 ui-monospace, monospace; box-sizing: border-box; }
ol { list-style: none; padding: 0; }
li { display: grid; grid-template-columns: minmax(6rem, 1fr) 2fr 4.5rem; gap: .5rem; align-items: center; margin: .3rem 0; }
li span { overflow-wrap: anywhere; }
li b { font-weight: 400; text-align: right; font-variant-numeric: tabular-nums; }
li i { height: .7rem; border-radius: .2rem; background: var(--bar); }
pre { white-space: pre-wrap; }
[role=alert] { color: #c43b3b; }
</style>
<h1>downhill</h1>
<main></main>
<p role="alert"></p>
<ol aria-live="polite"></ol>
<script>
const main = document.querySelector("main"), list = document.querySelector("ol"), alert = document.querySelector("[role=alert]");
const make = (tag, props = {}) => Object.assign(document.createElement(tag), props);
const ask = async (body) => {
  alert.textContent = "";
  const response = await fetch("predict", { method: "POST", body }).catch(() => undefined);
  const answer = response ? await response.json() : { error: "The server does not answer." };
  list.replaceChildren();
  if (answer.error) { alert.textContent = answer.error; return; }
  for (const { label, probability, value } of answer.predictions) {
    const item = make("li");
    item.append(make("span", { textContent: label ?? "" }));
    const bar = make("i");
    bar.style.width = 100 * (probability ?? 0) + "%";
    const number = value === undefined ? (100 * probability).toFixed(1) + " %" : String(Number(value.toPrecision(6)));
    item.append(bar, make("b", { textContent: number }));
    list.append(item);
  }
};
const picture = () => {
  const input = make("input", { type: "file", accept: "image/*" }), label = make("label", { textContent: "Drop a picture here, or choose one" });
  const shown = make("img", { alt: "", hidden: true });
  const take = (file) => {
    if (!file) return;
    shown.src = URL.createObjectURL(file);
    shown.hidden = false;
    ask(file);
  };
  input.onchange = () => take(input.files[0]);
  label.append(input);
  addEventListener("dragover", (event) => { event.preventDefault(); label.classList.add("over"); });
  addEventListener("dragleave", () => label.classList.remove("over"));
  addEventListener("drop", (event) => { event.preventDefault(); label.classList.remove("over"); take(event.dataTransfer.files[0]); });
  addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  main.append(label, shown);
};
const rows = () => {
  const text = make("textarea", { placeholder: "a,b\\n1,2", ariaLabel: "Rows as CSV with a line of names, or JSON lines" });
  const button = make("button", { textContent: "Predict", onclick: () => ask(text.value) });
  main.append(make("p", { textContent: "Rows as CSV with a line of names, or JSON lines:" }), text, button);
};
fetch("model").then((response) => response.json()).then(({ run, takes }) => {
  document.querySelector("h1").textContent = document.title = run;
  (takes === "rows" ? rows : picture)();
});
</script>
</html>
`;
}

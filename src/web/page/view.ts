/** What a model says of an input: probabilities of classes, or a value. */
export type Answer = { readonly label?: string; readonly probability?: number; readonly value?: number };

/** Classes with their probabilities, the likeliest first. */
export function ranked(classes: readonly string[], probabilities: ArrayLike<number>): readonly Answer[] {
  return classes
    .map((label, i) => ({ label, probability: probabilities[i] ?? Number.NaN }))
    .sort((a, b) => b.probability - a.probability);
}

export type View = {
  readonly name: string;
  readonly takes: "picture" | "rows";
  readonly classes: readonly string[] | undefined;
  /** For each row, or for the one picture, its answers with the likeliest first. */
  readonly predict: (input: Blob) => Promise<readonly (readonly Answer[])[]>;
};

/** Classes that are shown; the others are behind a button. */
const SHOWN = 10;

/** Builds the page: a place for a picture or for rows, and what the model says of them. */
export function showView({ name, takes, classes, predict }: View): void {
  const title = make("h1", { textContent: name });
  document.title = name;
  const about = make("p", { className: "about", textContent: describe(takes, classes) });
  const fault = make("p", { role: "alert" });
  const answers = make("div", { ariaLive: "polite" });
  let asked = 0;
  const ask = async (input: Blob): Promise<void> => {
    const turn = ++asked;
    fault.textContent = "";
    answers.setAttribute("aria-busy", "true");
    try {
      const found = await predict(input);
      // A later picture may have overtaken this one.
      if (turn === asked) answers.replaceChildren(...found.map(listOf));
    } catch (error) {
      if (turn !== asked) return;
      answers.replaceChildren();
      fault.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      if (turn === asked) answers.removeAttribute("aria-busy");
    }
  };
  document.body.replaceChildren(
    title,
    about,
    ...(takes === "rows" ? rowsInput(ask) : pictureInput(ask)),
    fault,
    answers,
  );
}

function describe(takes: View["takes"], classes: View["classes"]): string {
  const what = takes === "rows" ? "Takes rows of a table." : "Takes a picture.";
  if (classes === undefined) return what;
  const some = classes.slice(0, 6).join(", ");
  return `${what} Knows ${classes.length} classes: ${some}${classes.length > 6 ? ` and ${classes.length - 6} more` : ""}.`;
}

type Ask = (input: Blob) => Promise<void>;

function pictureInput(ask: Ask): readonly HTMLElement[] {
  const input = make("input", { type: "file", accept: "image/*" });
  const label = make("label", { textContent: "Drop a picture here, paste one, or choose a file" });
  const shown = make("img", { alt: "The picture", hidden: true });
  const take = (file: File | null | undefined): void => {
    if (!file) return;
    URL.revokeObjectURL(shown.src);
    shown.src = URL.createObjectURL(file);
    shown.hidden = false;
    void ask(file);
  };
  // A picture that cannot be decoded is told of by its answer.
  shown.addEventListener("error", () => {
    shown.hidden = true;
  });
  input.addEventListener("change", () => {
    take(input.files?.[0]);
    // The same file may be chosen again.
    input.value = "";
  });
  label.append(input);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    label.classList.add("over");
  });
  addEventListener("dragleave", () => label.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    label.classList.remove("over");
    take(event.dataTransfer?.files[0]);
  });
  addEventListener("paste", (event) => take(event.clipboardData?.files[0]));
  return [label, shown];
}

function rowsInput(ask: Ask): readonly HTMLElement[] {
  const text = make("textarea", {
    placeholder: "a,b\n1,2",
    ariaLabel: "Rows as CSV with a line of names, or JSON lines",
    spellcheck: false,
  });
  const button = make("button", { type: "button", textContent: "Predict" });
  button.addEventListener("click", () => void ask(new Blob([text.value])));
  return [make("p", { textContent: "Rows as CSV with a line of names, or JSON lines:" }), text, button];
}

function listOf(answers: readonly Answer[]): HTMLElement {
  const list = make("ol");
  list.append(...answers.slice(0, SHOWN).map(itemOf));
  const rest = answers.slice(SHOWN);
  if (rest.length === 0) return list;
  const more = make("button", { type: "button", textContent: `Show the other ${rest.length}` });
  more.addEventListener("click", () => {
    list.append(...rest.map(itemOf));
    more.remove();
  });
  const both = make("div");
  both.append(list, more);
  return both;
}

function itemOf({ label = "", probability, value }: Answer): HTMLElement {
  const item = make("li");
  const share = make("i");
  share.style.width = `${100 * (probability ?? 0)}%`;
  const number = value === undefined ? `${(100 * (probability ?? 0)).toFixed(1)} %` : `${Number(value.toPrecision(6))}`;
  item.append(make("span", { textContent: label }), share, make("b", { textContent: number }));
  return item;
}

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
): HTMLElementTagNameMap[K] {
  return Object.assign(document.createElement(tag), properties);
}

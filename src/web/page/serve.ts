import { type Answer, ranked, showView } from "./view.ts";

/** The page of `downhill serve`: the server that gave it looks at the inputs. */
type About = { readonly run: string; readonly takes: "picture" | "rows"; readonly classes: readonly string[] | null };
type Row = { readonly value: number } | { readonly label: string; readonly probabilities: readonly number[] };

async function ask<T>(address: string, body?: Blob): Promise<T> {
  const response = await fetch(address, body === undefined ? {} : { method: "POST", body }).catch(() => {
    throw new Error("The server does not answer. Is downhill serve still running?");
  });
  const reply = (await response.json()) as T & { readonly error?: string };
  if (reply.error !== undefined) throw new Error(reply.error);
  return reply;
}

async function show(): Promise<void> {
  const { run, takes, classes } = await ask<About>("model");
  const ofRow = (row: Row): readonly Answer[] => ("value" in row ? [row] : ranked(classes ?? [], row.probabilities));
  showView({
    name: run,
    takes,
    classes: classes ?? undefined,
    async predict(input) {
      if (takes === "picture")
        return [(await ask<{ readonly predictions: readonly Answer[] }>("predict", input)).predictions];
      return (await ask<{ readonly predictions: readonly Row[] }>("predict", input)).predictions.map(ofRow);
    },
  });
}

void show();

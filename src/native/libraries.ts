/** What is known of a BLAS before it is loaded. */
export type Library = {
  readonly name: string;
  /** Names under which the system's loader finds it, the likeliest first. */
  readonly files: readonly string[];
  /** `void f(int)`: how many threads a call may use. */
  readonly setThreads: string | null;
  /** `const char* f(void)`: what was built, whose first two words are name and version. */
  readonly describe: string | null;
  /** `const char* f(void)`: the processor whose kernels it chose. */
  readonly processor: string | null;
  /**
   * Products of at least so many operations go to it. OpenBLAS computes 64 x 16 x 16 in 0.39 us with its AVX-512 kernels and 0.69 with
   * those for AVX2, the call included, the WebAssembly loops in about 0.6. A step of ResNet-20, whose products are mostly of that size,
   * took 103 ms of processor time with this, 106 with twice as much, 123 without a BLAS. The other libraries were not measured.
   */
  readonly minFlops: number;
};

const OPENBLAS = {
  name: "OpenBLAS",
  setThreads: "openblas_set_num_threads",
  describe: "openblas_get_config",
  processor: "openblas_get_corename",
  minFlops: 2 ** 15,
} as const;
const MKL = {
  name: "MKL",
  setThreads: "MKL_Set_Num_Threads",
  describe: null,
  processor: null,
  minFlops: 2 ** 20,
} as const;
const BLIS = {
  name: "BLIS",
  setThreads: "bli_thread_set_num_threads",
  describe: "bli_info_get_version_str",
  processor: null,
  minFlops: 2 ** 20,
} as const;

/** A file that the user names; which library it is shows in its functions. */
export const KNOWN: readonly Omit<Library, "files">[] = [OPENBLAS, MKL, BLIS];

/**
 * The libraries that are looked for, in order. `libblas.so.3` is not among them: it may be the reference implementation, which is
 * slower than WebAssembly.
 */
export const LIBRARIES: Readonly<Partial<Record<NodeJS.Platform, readonly Library[]>>> = {
  linux: [
    { ...OPENBLAS, files: ["libopenblas.so.0", "libopenblasp.so.0", "libopenblas.so", "libopenblas64.so.0"] },
    { ...MKL, files: ["libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so.1", "libmkl_rt.so"] },
    { ...BLIS, files: ["libblis.so.4", "libblis.so.3", "libblis.so.2", "libblis.so"] },
  ],
  // Not tried on a Mac yet.
  darwin: [
    {
      name: "Accelerate",
      files: ["/System/Library/Frameworks/Accelerate.framework/Accelerate"],
      setThreads: null,
      describe: null,
      processor: null,
      minFlops: 2 ** 20,
    },
    { ...OPENBLAS, files: ["/opt/homebrew/opt/openblas/lib/libopenblas.dylib", "libopenblas.dylib"] },
  ],
  // Not tried on Windows yet.
  win32: [
    { ...OPENBLAS, files: ["libopenblas.dll", "openblas.dll"] },
    { ...MKL, files: ["mkl_rt.3.dll", "mkl_rt.2.dll", "mkl_rt.1.dll"] },
    { ...BLIS, files: ["libblis.dll"] },
  ],
};

/** Base of every error that Downhill raises on purpose. `where` is the parameter path, call site, flag or file. */
export class DownhillError extends Error {
  readonly where: string | undefined;
  constructor(message: string, where?: string) {
    super(message);
    this.name = new.target.name;
    this.where = where;
  }
}

/** Shapes or dtypes that do not fit. */
export class ShapeError extends DownhillError {}

/** Misuse of a traced value: branching on it, leaking it, mixing traces. */
export class TraceError extends DownhillError {}

/** A file or data set that is missing, damaged or inconsistent. `where` names the file and, where known, the offset. */
export class DataError extends DownhillError {}

/** A flag, option or hyperparameter with an unknown name or a value out of range. */
export class OptionError extends DownhillError {}

/** A run that cannot go on: a non-finite loss, a lost worker. */
export class TrainingError extends DownhillError {}

/** A callback that threw. `cause` is what it threw. */
export class CallbackError extends TrainingError {
  readonly callback: string;

  constructor(callback: string, message: string, cause: unknown) {
    super(message, callback);
    this.callback = callback;
    this.cause = cause;
  }
}

/** The plan needs more memory than there is. */
export class MemoryError extends DownhillError {}

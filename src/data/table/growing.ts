/** A list of numbers in a typed array that doubles as it fills. */
export class GrowingFloats {
  private data: Float64Array<ArrayBuffer> = new Float64Array(8);
  length = 0;

  push(value: number): void {
    if (this.length === this.data.length) {
      const wider = new Float64Array(2 * this.length);
      wider.set(this.data);
      this.data = wider;
    }
    this.data[this.length++] = value;
  }

  /** Its own copy. */
  take(): Float64Array {
    return this.data.slice(0, this.length);
  }
}

/** The same for whole numbers of 32 bits. */
export class GrowingInts {
  private data: Int32Array<ArrayBuffer> = new Int32Array(8);
  length = 0;

  push(value: number): void {
    if (this.length === this.data.length) {
      const wider = new Int32Array(2 * this.length);
      wider.set(this.data);
      this.data = wider;
    }
    this.data[this.length++] = value;
  }

  take(): Int32Array {
    return this.data.slice(0, this.length);
  }
}

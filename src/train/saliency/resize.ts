import { HostArray } from "../../core/host-array.ts";

/** The last two axes stretched to another size, each pixel a square: as PyTorch's `interpolate`, bilinear, `align_corners=False`. */
export function resizeBilinear(maps: HostArray, height: number, width: number): HostArray {
  const [h, w] = maps.shape.slice(-2) as [number, number];
  const outer = maps.shape.slice(0, -2);
  const count = maps.data.length / (h * w);
  const rows = axis(h, height);
  const columns = axis(w, width);
  const data = new Float32Array(count * height * width);
  for (let n = 0; n < count; n++) {
    const at = (y: number, x: number): number => maps.data[(n * h + y) * w + x] as number;
    rows.forEach(([y0, y1, dy], y) => {
      columns.forEach(([x0, x1, dx], x) => {
        const above = at(y0, x0) * (1 - dx) + at(y0, x1) * dx;
        const below = at(y1, x0) * (1 - dx) + at(y1, x1) * dx;
        data[(n * height + y) * width + x] = above * (1 - dy) + below * dy;
      });
    });
  }
  return new HostArray("f32", [...outer, height, width], data);
}

/** For each new place the two old ones beside it, and how far it is from the first. */
function axis(from: number, to: number): (readonly [first: number, second: number, share: number])[] {
  return Array.from({ length: to }, (_, i) => {
    const place = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const first = Math.min(from - 1, Math.floor(place));
    return [first, Math.min(from - 1, first + 1), place - first] as const;
  });
}

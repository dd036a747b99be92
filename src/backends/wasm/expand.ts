import { expandBinary, expandUnary } from "../../compile/expand-math.ts";
import { type Index, Loops, type Scalar } from "../../ir/loops.ts";

/** Rewrites expressions so that only operations of the machine are left; equal parts stay one node. */
export class Expander {
  readonly loops: Loops = new Loops();
  private readonly memo = new Map<Scalar, Scalar>();

  index(index: Index): Index {
    const { dynamic } = index;
    return dynamic
      ? { ...index, dynamic: { value: this.scalar(dynamic.value), coefficient: dynamic.coefficient } }
      : index;
  }

  scalar(node: Scalar): Scalar {
    const known = this.memo.get(node);
    if (known) return known;
    const made = this.make(node);
    this.memo.set(node, made);
    return made;
  }

  private make(node: Scalar): Scalar {
    const l = this.loops;
    switch (node.kind) {
      case "const":
        return l.constant(node.value, node.lane);
      case "index":
        return l.index(this.index(node.index));
      case "load":
        return l.load(
          node.source,
          node.dtype,
          node.index.map((i) => this.index(i)),
        );
      case "unary": {
        const a = this.scalar(node.a);
        return expandUnary(l, node.op, a) ?? l.unary(node.op, a);
      }
      case "binary": {
        const [a, b] = [this.scalar(node.a), this.scalar(node.b)];
        return expandBinary(l, node.op, a, b) ?? l.binary(node.op, a, b);
      }
      case "select":
        return l.select(this.scalar(node.condition), this.scalar(node.a), this.scalar(node.b));
      case "cast":
        return l.cast(node.to, this.scalar(node.a));
      case "guard":
        return l.guard(
          node.ranges.map((r) => ({ ...r, index: this.index(r.index) })),
          () => this.scalar(node.inside),
          this.scalar(node.outside),
        );
    }
  }
}

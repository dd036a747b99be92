import { expect, test } from "vitest";
import { html } from "./html.ts";

test("what is put into a template is escaped, but for templates inside it", () => {
  const name = `<b title="x" onclick='y'>&amp;`;
  const escaped = "&lt;b title=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;amp;";
  const list = [name, 2].map((each) => html`<li>${each}</li>`);
  expect(html`<ul title="${name}">${list}${undefined}${false && name}</ul>`.text).toBe(
    `<ul title="${escaped}"><li>${escaped}</li><li>2</li></ul>`,
  );
});

test("control characters, which HTML cannot hold, are replaced", () => {
  expect(html`${"a\u0000b\u001bc\td\n"}`.text).toBe("a\ufffdb\ufffdc\td\n");
});

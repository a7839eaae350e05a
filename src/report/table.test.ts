import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { html } from "./html.js";
import { type Table, table } from "./table.js";

interface Row {
  readonly name: string;
  readonly n: number;
  readonly why?: string;
}

const declared: Table<Row> = {
  columns: [
    { heading: "Name", cell: ({ name }) => name },
    { heading: "Number", align: "number", cell: ({ n }) => n, kind: ({ n }) => (n > 1 ? "many" : undefined) },
    { align: "number", cell: ({ n }) => html`<b>${2 * n}</b>` },
  ],
  rows: [
    { name: "a", n: 1 },
    { name: "<b>", n: 2 },
  ],
};

const rowsOf = (given: Table<Row>) =>
  [...parseHTML(table(given).text).document.querySelectorAll("tr")].map((row) => row.outerHTML);

describe("a declared table", () => {
  test("has a heading for each column, a row for each datum, and names each row", () => {
    expect(rowsOf(declared)).toEqual([
      '<tr><th scope="col">Name</th><th scope="col" class="number" colspan="2">Number</th></tr>',
      '<tr><th scope="row">a</th><td class="number">1</td><td class="number"><b>2</b></td></tr>',
      '<tr><th scope="row">&lt;b&gt;</th><td class="number many">2</td><td class="number"><b>4</b></td></tr>',
    ]);
  });

  test("may name rows by another column, mark them, and stand in groups with a caption", () => {
    const { columns } = declared;
    const groups = [
      { heading: "One", rows: [{ name: "a", n: 1 }] },
      { heading: "None", rows: [] },
      { kind: "rest", rows: [{ name: "b", n: 1 }] },
    ];
    const { document } = parseHTML(
      table({ columns, groups, named: 1, caption: "What <it> is", kind: "data x", rowKind: ({ name }) => name }).text,
    );
    expect(document.querySelector("table")?.className).toBe("data x");
    expect(document.querySelector("caption")?.textContent).toBe("What <it> is");
    expect([...document.querySelectorAll("tbody")].map((body) => body.className)).toEqual(["", "rest"]);
    expect(document.querySelector("tr.group th")?.getAttribute("colspan")).toBe("3");
    expect(document.querySelector("tr.a th")?.textContent).toBe("1");
    expect(document.querySelector("tr.b td")?.textContent).toBe("b");
  });

  test("lets a row say something in place of its cells", () => {
    const rows = [{ name: "a", n: 1, why: "failed" }];
    const [, row] = rowsOf({ ...declared, rows, instead: { from: 1, text: ({ why }) => why } });
    expect(row).toBe('<tr><th scope="row">a</th><td colspan="2">failed</td></tr>');
  });

  test("is nothing without rows", () => {
    expect(table({ ...declared, rows: [] }).text).toBe("");
  });
});

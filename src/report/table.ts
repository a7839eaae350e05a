/** @file Data tables, declared: columns say what stands under which heading, and rows are any data. */

import { type Content, html, type Markup } from "./html.js";

export interface Column<Row> {
  /** Absent: the heading before spans this column too. */
  readonly heading?: Content;
  /** Numbers stand at the right, in digits of one width. */
  readonly align?: "number";
  readonly cell: (row: Row) => Content;
  /** Class of a row's cell, for what differs by more than its text. */
  readonly kind?: (row: Row) => string | undefined;
}

/** Rows that belong together, under a heading of their own if they have one. */
export interface Group<Row> {
  readonly heading?: Content;
  /** Class of the group. */
  readonly kind?: string;
  readonly rows: readonly Row[];
}

export type Table<Row> = Layout<Row> & ({ readonly rows: readonly Row[] } | { readonly groups: readonly Group<Row>[] });

interface Layout<Row> {
  readonly columns: readonly Column<Row>[];
  readonly caption?: Content;
  /** Class of the table: `data` by default, which others repeat if they want its looks. */
  readonly kind?: string;
  /** Position of the column that names its row; the first by default. */
  readonly named?: number;
  /** Class of a row. */
  readonly rowKind?: (row: Row) => string | undefined;
  /** Whether every cell carries its column's heading, which narrow screens show where headings are hidden. */
  readonly labelled?: boolean;
  /** A row that only has something to say: it stands in place of all columns from this one. */
  readonly instead?: { readonly from: number; readonly text: (row: Row) => Content };
}

/** A table that scrolls by itself if it is wider than the page. Empty without rows. */
export function table<Row>(declared: Table<Row>): Markup {
  const all = "groups" in declared ? declared.groups : [{ rows: declared.rows }];
  const groups = all.filter(({ rows }) => rows.length > 0);
  if (groups.length === 0) return html``;
  const { columns, caption, kind } = declared;
  return html`<div class="scroll"><table class="${kind ?? "data"}">
${caption !== undefined && html`<caption>${caption}</caption>\n`}<thead><tr>${columns.map(head)}</tr></thead>
${groups.map((group) => body(declared, group))}</table></div>
`;
}

function head<Row>({ heading, align }: Column<Row>, at: number, columns: readonly Column<Row>[]): Content {
  if (heading === undefined) return undefined;
  const after = columns.slice(at + 1);
  const next = after.findIndex((column) => column.heading !== undefined);
  const span = 1 + (next < 0 ? after.length : next);
  const wide = span > 1 && html` colspan="${span}"`;
  return html`<th scope="col"${className(align)}${wide}>${heading}</th>`;
}

function body<Row>(declared: Layout<Row>, { heading, kind, rows }: Group<Row>): Markup {
  const top =
    heading !== undefined &&
    html`<tr class="group"><th colspan="${declared.columns.length}" scope="rowgroup">${heading}</th></tr>\n`;
  return html`<tbody${className(kind)}>
${top}${rows.map((row) => line(declared, row))}</tbody>
`;
}

function line<Row>({ columns, named = 0, rowKind, labelled, instead }: Layout<Row>, row: Row): Markup {
  const text = instead?.text(row);
  const shown = text === undefined ? columns : columns.slice(0, instead?.from);
  const cells = shown.map(({ heading, align, cell, kind }, at) => {
    const classes = className(align, kind?.(row));
    if (at === named) return html`<th scope="row"${classes}>${cell(row)}</th>`;
    return html`<td${classes}${labelled && html` data-label="${heading}"`}>${cell(row)}</td>`;
  });
  const rest = columns.length - shown.length;
  const last = rest > 0 && html`<td colspan="${rest}">${text}</td>`;
  return html`<tr${className(rowKind?.(row))}>${cells}${last}</tr>
`;
}

/** The attribute, if there is something to say. */
function className(...names: readonly (string | undefined)[]): Content {
  const some = names.filter((name) => name !== undefined && name !== "");
  return some.length > 0 && html` class="${some.join(" ")}"`;
}

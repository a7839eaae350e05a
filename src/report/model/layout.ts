/**
 * @file Where each layer of a model stands: from top to bottom, the longest way in one straight column, branches to its
 * right, and what jumps over layers in a lane of its own beside them.
 *
 * Unit by unit: the units of a network hang together in one layer each, so that no picture grows wider than its widest
 * unit, and time grows with the number of layers.
 */

import type { Layer, Outline } from "./outline.js";
import type { Run, Unit } from "./units.js";

/** What is placed: a layer, or a run's copies that are not drawn. */
export type Content =
  | { readonly kind: "layer"; readonly index: number; readonly layer: Layer }
  | { readonly kind: "folded"; readonly run: Run };

export interface Box {
  readonly content: Content;
  /** Of its left upper corner. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Corners of a line of vertical and horizontal pieces, from the bottom of one box to the top of another. */
export interface Edge {
  /** Indices in the outline. */
  readonly from: number;
  readonly to: number;
  readonly corners: readonly (readonly [x: number, y: number])[];
}

export interface Layout {
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
  readonly width: number;
  readonly height: number;
}

export interface Measures {
  readonly boxWidth: number;
  /** Between columns of boxes. */
  readonly columnGap: number;
  readonly laneWidth: number;
  readonly heightOf: (content: Content) => number;
}

const MARGIN = 6;
/** Between a box and the first line below it, between two lines, and between the last line and the next box. */
const ABOVE_TRACKS = 10;
const TRACK = 7;
const BELOW_TRACKS = 14;

/** The layers that are drawn, with the lines between them. */
export function layoutOf(outline: Outline, runs: readonly Run[], measures: Measures): Layout {
  const boxes: Box[] = [];
  const edges: Edge[] = [];
  let right = 0;
  let y = MARGIN;
  let last: Anchor | undefined;
  for (const run of runs) {
    for (const unit of run.units) {
      const placed = placeUnit(outline, unit, { before: last, top: y, measures });
      boxes.push(...placed.boxes);
      edges.push(...placed.edges);
      right = Math.max(right, placed.right);
      y = placed.bottom;
      last = placed.end;
    }
    if (run.times > 1 && last !== undefined) {
      const content = { kind: "folded", run } as const;
      const height = measures.heightOf(content);
      const top = y + ABOVE_TRACKS + BELOW_TRACKS;
      const x = MARGIN + measures.boxWidth / 2;
      boxes.push({ content, x: MARGIN, y: top, width: measures.boxWidth, height });
      const corners = [
        [x, y],
        [x, top],
      ] as const;
      edges.push({ from: last.index, to: run.others.at(-1) ?? last.index, corners });
      y = top + height;
      last = { index: run.others.at(-1) ?? last.index };
    }
  }
  return { boxes, edges, width: Math.max(right, MARGIN + measures.boxWidth) + MARGIN, height: y + MARGIN };
}

/** The layer that the next unit hangs on, at the bottom of what is placed, in the first column. */
interface Anchor {
  readonly index: number;
}

interface Placing {
  readonly before: Anchor | undefined;
  readonly top: number;
  readonly measures: Measures;
}

/** A layer's place in the grid of its unit; the anchor has rank 0. */
interface Cell {
  readonly rank: number;
  readonly column: number;
}

interface Wire {
  readonly from: number;
  readonly to: number;
}

function placeUnit(outline: Outline, unit: Unit, { before, top, measures }: Placing) {
  const members = new Set(unit);
  if (before !== undefined) members.add(before.index);
  const wires: readonly Wire[] = unit.flatMap((to) =>
    (outline[to]?.inputs ?? []).filter((from) => members.has(from)).map((from) => ({ from, to })),
  );
  const ranks = ranksOf(unit, wires, before);
  const grid = gridOf(unit, wires, ranks, before);
  const routes = routesOf(wires, grid);
  const { boxWidth, columnGap, laneWidth, heightOf } = measures;

  const boxColumns = new Set([0, ...[...grid.cells.values()].map(({ column }) => column)]);
  const columns = Math.max(0, ...boxColumns, ...routes.map(({ column }) => column));
  const centres: number[] = [];
  let x = MARGIN;
  for (let column = 0; column <= columns; column++) {
    const isBoxes = boxColumns.has(column);
    const gap = column === 0 ? 0 : isBoxes ? columnGap : 0;
    const width = isBoxes ? boxWidth : laneWidth;
    centres.push(x + gap + width / 2);
    x += gap + width;
  }
  const centre = (column: number): number => centres[column] ?? 0;

  const contentOf = (index: number): Content | undefined => {
    const layer = outline[index];
    return layer === undefined ? undefined : { kind: "layer", index, layer };
  };
  const heights = new Map<number, number>();
  for (const index of unit) {
    const rank = grid.cells.get(index)?.rank ?? 0;
    const content = contentOf(index);
    if (content !== undefined) heights.set(rank, Math.max(heights.get(rank) ?? 0, heightOf(content)));
  }

  // Below each rank one track for each layer that lines run sideways from.
  const tracks = new Map<number, number[]>();
  for (const { gap, from } of routes.flatMap(({ sideways, wire }) =>
    sideways.map((gap) => ({ gap, from: wire.from })),
  )) {
    const there = tracks.get(gap) ?? [];
    if (!there.includes(from)) tracks.set(gap, [...there, from]);
  }
  const lastRank = Math.max(0, ...ranks.values());
  const firstRank = before === undefined ? 1 : 0;
  const tops = new Map<number, number>();
  const bottoms = new Map<number, number>([[0, top]]);
  let y = top;
  for (let rank = 1; rank <= lastRank; rank++) {
    if (rank > firstRank) {
      y += ABOVE_TRACKS + TRACK * Math.max(0, (tracks.get(rank - 1)?.length ?? 0) - 1) + BELOW_TRACKS;
    }
    tops.set(rank, y);
    y += heights.get(rank) ?? 0;
    bottoms.set(rank, y);
  }
  const trackY = (gap: number, from: number): number =>
    (bottoms.get(gap) ?? top) + ABOVE_TRACKS + TRACK * Math.max(0, tracks.get(gap)?.indexOf(from) ?? 0);

  const boxes = unit.flatMap((index): Box[] => {
    const content = contentOf(index);
    const cell = grid.cells.get(index);
    if (content === undefined || cell === undefined) return [];
    const height = heightOf(content);
    return [{ content, x: centre(cell.column) - boxWidth / 2, y: tops.get(cell.rank) ?? y, width: boxWidth, height }];
  });
  const bottomOf = (index: number): number => {
    const box = boxes.find(({ content }) => content.kind === "layer" && content.index === index);
    return box === undefined ? top : box.y + box.height;
  };
  const edges = routes.map(({ wire, column, from, to }): Edge => {
    const corners: (readonly [number, number])[] = [[centre(from.column), bottomOf(wire.from)]];
    const turn = (at: number, gap: number): void => {
      const [lastX = 0] = corners.at(-1) ?? [];
      if (centre(at) === lastX) return;
      const level = trackY(gap, wire.from);
      corners.push([lastX, level], [centre(at), level]);
    };
    turn(column, from.rank);
    turn(to.column, to.rank - 1);
    corners.push([centre(to.column), tops.get(to.rank) ?? y]);
    return { ...wire, corners };
  });
  const end = unit.at(-1);
  return { boxes, edges, right: x, bottom: y, end: end === undefined ? before : { index: end } };
}

/** How far each layer stands from the anchor, by the longest way; the unit's last layer below all others. */
function ranksOf(unit: Unit, wires: readonly Wire[], before: Anchor | undefined): ReadonlyMap<number, number> {
  const ranks = new Map<number, number>();
  if (before !== undefined) ranks.set(before.index, 0);
  for (const index of unit) {
    const feeding = wires.filter(({ to }) => to === index).map(({ from }) => ranks.get(from) ?? 0);
    ranks.set(index, 1 + Math.max(0, ...feeding));
  }
  const end = unit.at(-1);
  if (end !== undefined) {
    const others = unit.filter((index) => index !== end).map((index) => ranks.get(index) ?? 0);
    ranks.set(end, Math.max(ranks.get(end) ?? 1, 1 + Math.max(0, ...others)));
  }
  return ranks;
}

interface Grid {
  readonly cells: ReadonlyMap<number, Cell>;
  /** Which layer a place in a column belongs to: the one that stands there, or the one whose line passes. */
  readonly owners: Owners;
}

/** Places by column and rank. */
class Owners {
  readonly #owners = new Map<string, number>();
  readonly #columns = new Map<number, Set<number>>();

  of(column: number, rank: number): number | undefined {
    return this.#owners.get(`${column},${rank}`);
  }

  /** Columns in which an owner has places, in the order in which it took them. */
  columnsOf(owner: number): readonly number[] {
    return [...(this.#columns.get(owner) ?? [])];
  }

  take(column: number, from: number, to: number, owner: number): void {
    this.#columns.set(owner, (this.#columns.get(owner) ?? new Set()).add(column));
    for (let rank = from; rank <= to; rank++) this.#owners.set(`${column},${rank}`, owner);
  }

  /** Whether nobody but `owner` has any place from rank `from` to rank `to`. */
  isFree(column: number, from: number, to: number, owner: number): boolean {
    for (let rank = from; rank <= to; rank++) {
      const there = this.of(column, rank);
      if (there !== undefined && there !== owner) return false;
    }
    return true;
  }
}

/** Columns: the longest way in the first, each other chain in the first that is free beside it. */
function gridOf(
  unit: Unit,
  wires: readonly Wire[],
  ranks: ReadonlyMap<number, number>,
  before: Anchor | undefined,
): Grid {
  const rankOf = (index: number): number => ranks.get(index) ?? 0;
  const cells = new Map<number, Cell>();
  const owners = new Owners();
  const feeding = (index: number): readonly number[] => wires.filter(({ to }) => to === index).map(({ from }) => from);
  const place = (chain: readonly number[], column: number): void => {
    for (const [i, index] of chain.entries()) {
      const rank = rankOf(index);
      const next = chain[i + 1];
      cells.set(index, { rank, column });
      owners.take(column, rank, next === undefined ? rank : rankOf(next) - 1, index);
      owners.take(column, rank, rank, index);
    }
  };
  if (before !== undefined) cells.set(before.index, { rank: 0, column: 0 });
  const trunk: number[] = [];
  for (let index = unit.at(-1); index !== undefined && index !== before?.index; ) {
    trunk.unshift(index);
    index = feeding(index).toSorted((a, b) => rankOf(b) - rankOf(a) || a - b)[0];
  }
  place(trunk, 0);
  for (const start of unit) {
    if (cells.has(start)) continue;
    const chain = [start];
    for (let next = follower(start); next !== undefined; next = follower(next)) chain.push(next);
    const last = chain.at(-1) ?? start;
    const readers = wires.filter(({ from }) => from === last).map(({ to }) => rankOf(to));
    const until = Math.max(rankOf(last), Math.min(...readers, rankOf(last) + 1) - 1);
    let column = 1;
    while (!owners.isFree(column, rankOf(start), until, start)) column++;
    place(chain, column);
  }
  return { cells, owners };

  /** The unplaced layer right below that reads this one, where there is one. */
  function follower(index: number): number | undefined {
    return wires.find(({ from, to }) => from === index && !cells.has(to) && rankOf(to) === rankOf(index) + 1)?.to;
  }
}

interface Route {
  readonly wire: Wire;
  readonly from: Cell;
  readonly to: Cell;
  /** The column in which the line goes down past the ranks between. */
  readonly column: number;
  /** Ranks below which it runs sideways. */
  readonly sideways: readonly number[];
}

/** A way for each wire; of those that leave one layer, the long ones share a lane. */
function routesOf(wires: readonly Wire[], { cells, owners }: Grid): readonly Route[] {
  const length = ({ from, to }: Wire): number => (cells.get(to)?.rank ?? 0) - (cells.get(from)?.rank ?? 0);
  return wires
    .toSorted((a, b) => length(b) - length(a))
    .flatMap((wire): Route[] => {
      const [from, to] = [cells.get(wire.from), cells.get(wire.to)];
      if (from === undefined || to === undefined) return [];
      const [first, last] = [from.rank + 1, to.rank - 1];
      const isFree = (column: number): boolean => owners.isFree(column, first, last, wire.from);
      let column = to.column;
      if (first <= last) {
        column = [from.column, ...owners.columnsOf(wire.from), to.column].find(isFree) ?? 1;
        while (!isFree(column)) column++;
        owners.take(column, first, last, wire.from);
      }
      const sideways = [...(column === from.column ? [] : [from.rank]), ...(column === to.column ? [] : [to.rank - 1])];
      return [{ wire, from, to, column, sideways }];
    });
}

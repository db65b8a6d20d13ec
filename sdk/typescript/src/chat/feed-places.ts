// Where the loaded rows of the list stand among all of them: pages say it, and frames move rows between two pages. Rows
// that are not loaded take up places too, so that a view can go to any of them.
import type { FeedItem, Page } from "../types.js";
import { byNeed, compareNeed, firstAfter } from "./feed-order.js";
import { firstIndex } from "./first-index.js";

export class FeedPlaces {
  /** The loaded rows, sorted by need. Another array after each change. */
  items: readonly FeedItem[] = [];
  /** Of all rows, loaded or not. */
  total = 0;
  private readonly rows = new Map<string, FeedItem>();
  /** The place of each item, ascending. */
  private places: readonly number[] = [];

  row(id: string): FeedItem | undefined {
    return this.rows.get(id);
  }

  /** The place of a loaded row by its index in `items`. */
  placeAt(index: number): number {
    return this.places[index] ?? -1;
  }

  placeOf(id: string): number | undefined {
    const row = this.rows.get(id);
    return row && this.places[this.indexOf(row)];
  }

  /** The loaded row at a place. */
  at(place: number): FeedItem | undefined {
    const i = firstFrom(this.places, place);
    return this.places[i] === place ? this.items[i] : undefined;
  }

  /** The first place of a stretch without a loaded row; `to` if there is none. */
  firstGap(from: number, to: number): number {
    let place = from;
    for (let i = firstFrom(this.places, from); place < to && this.places[i] === place; i += 1) place += 1;
    return Math.min(place, to);
  }

  /** Where a row that is not loaded would stand. */
  placeFor(item: FeedItem): number {
    const i = firstAfter(this.items, item);
    return (this.places[i - 1] ?? -1) + 1;
  }

  /** The new state of a row, which moves to where it belongs. */
  put(item: FeedItem): void {
    const known = this.rows.get(item.session.id);
    const [items, places] = [[...this.items], [...this.places]];
    if (known) {
      const i = this.indexOf(known);
      items.splice(i, 1);
      const [place] = places.splice(i, 1) as [number];
      const j = firstAfter(items, item);
      if (j !== i) for (let k = i; k < places.length; k += 1) (places[k] as number) -= 1;
      const next = j === i ? place : (places[j - 1] ?? -1) + 1;
      if (j !== i) for (let k = j; k < places.length; k += 1) (places[k] as number) += 1;
      items.splice(j, 0, item);
      places.splice(j, 0, next);
    } else {
      const j = firstAfter(items, item);
      items.splice(j, 0, item);
      places.splice(j, 0, (places[j - 1] ?? -1) + 1);
      pushDown(places, j + 1);
    }
    this.set(items, places);
  }

  /** A row that is not loaded has moved up to a place, or is new there. */
  makeRoom(place: number, isNew: boolean): void {
    const places = [...this.places];
    const i = firstFrom(places, place);
    if (isNew) for (let k = i; k < places.length; k += 1) (places[k] as number) += 1;
    else if (places[i] === place) {
      places[i] = place + 1;
      pushDown(places, i + 1);
    }
    if (isNew) this.total += 1;
    this.set([...this.items], places);
  }

  /** A row is no longer in the list. */
  remove(id: string): void {
    const row = this.rows.get(id);
    if (!row) return;
    const i = this.indexOf(row);
    const places = this.places.map((place, k) => (k > i ? place - 1 : place));
    places.splice(i, 1);
    this.total = Math.max(0, this.total - 1);
    this.set(this.items.filter((_, k) => k !== i), places);
  }

  /**
   * What a page from a place on says. Rows that would stand within it are gone, or somewhere else by now; those for which `isNewer` holds
   * have changed since the hub wrote it, and keep their state and order.
   */
  page(from: number, reply: Pick<Page<FeedItem>, "data" | "total">, isNewer: (id: string) => boolean): void {
    const data = [...new Map(reply.data.map((item) => [item.session.id, item])).values()];
    const [to, total] = [from + data.length, Math.max(0, Math.floor(Number(reply.total)) || 0)];
    const inPage = new Set(data.map(({ session }) => session.id));
    const newer = this.items.filter(({ session }) => isNewer(session.id));
    const others = this.items.flatMap((item, i) => {
      const { id } = item.session;
      return isNewer(id) || inPage.has(id) ? [] : [{ item, place: this.places[i] as number }];
    });
    const before = others.filter(({ item, place }) => from > 0 && isBefore(item, place, data[0], from));
    const after = others.filter(({ item, place }) => to < total && isAfter(item, place, data.at(-1), to));
    // They make room for the page: it is known where that stands.
    let limit = from - 1;
    for (const one of before.reverse()) {
      one.place = Math.min(one.place, limit);
      limit = one.place - 1;
    }
    limit = to;
    for (const one of after) {
      one.place = Math.max(one.place, limit);
      limit = one.place + 1;
    }
    const own = data.flatMap((item, i) => (isNewer(item.session.id) && this.rows.has(item.session.id) ? [] : [{ item, place: from + i }]));
    const all = [...before.reverse(), ...own, ...after].filter(({ place }) => place >= 0 && place < total);
    this.total = total;
    this.set(all.map(({ item }) => item), all.map(({ place }) => place));
    for (const item of newer) this.put(item);
  }

  private set(items: FeedItem[], places: readonly number[]): void {
    this.items = items.sort(byNeed);
    this.places = places;
    this.rows.clear();
    for (const item of items) this.rows.set(item.session.id, item);
    this.total = Math.max(this.total, (places.at(-1) ?? -1) + 1);
  }

  private indexOf(row: FeedItem): number {
    return firstAfter(this.items, row, true);
  }
}

function isBefore(item: FeedItem, place: number, first: FeedItem | undefined, from: number): boolean {
  const order = first ? compareNeed(item, first) : 0;
  return order < 0 || (order === 0 && place < from);
}

function isAfter(item: FeedItem, place: number, last: FeedItem | undefined, to: number): boolean {
  const order = last ? compareNeed(item, last) : 0;
  return order > 0 || (order === 0 && place >= to);
}

/** The index of the first place that is not before another one. */
function firstFrom(places: readonly number[], place: number): number {
  return firstIndex(places.length, (i) => (places[i] as number) >= place);
}

/** Places that would be taken twice move down, as far as there are gaps to take them up. */
function pushDown(places: number[], from: number): void {
  for (let i = from; i < places.length && (places[i] as number) <= (places[i - 1] ?? -1); i += 1) places[i] = (places[i - 1] as number) + 1;
}

/**
 * @file What asking an endpoint will take, before anything is sent: images, cost, time, and the best that can come of
 * it.
 */

import type { EndpointConfig } from "./config.js";

export interface PlannedQueries {
  /** Images that the verdict needs: triggers, placebos, other keys' triggers. */
  readonly images: number;
  readonly decoys: number;
  /** Of all of these, how many the transcript holds already. */
  readonly asked: number;
  /** Of those, how many will be asked again. */
  readonly again: number;
  /** Queries that were sent in earlier runs, and count against the budget. */
  readonly paid: number;
}

export interface QueryPlan extends PlannedQueries {
  /** Images that will be sent now. */
  readonly toSend: number;
  /** How many of the images are beyond the budget and will not be asked. */
  readonly beyondBudget: number;
  /** At the cost a query that the description says; undefined where it says none. */
  readonly cost: number | undefined;
  readonly currency: string;
  /** Seconds at least, at the rate that the description allows; undefined where it allows any. */
  readonly seconds: number | undefined;
}

export function planQueries({ file }: EndpointConfig, planned: PlannedQueries): QueryPlan {
  const { images, decoys, asked, again, paid } = planned;
  const { budget = Number.POSITIVE_INFINITY, costPerQuery, currency, perMinute } = file;
  const left = Math.max(0, budget - paid);
  // The transcript may hold images that are not asked this time.
  const fresh = Math.max(0, images + decoys - asked);
  const within = Math.min(fresh, left);
  const checks = Math.min(again, left - within);
  const toSend = checks + within;
  return {
    ...planned,
    again: checks,
    toSend,
    beyondBudget: fresh - within,
    cost: costPerQuery === undefined ? undefined : costPerQuery * toSend,
    currency,
    seconds: perMinute === undefined ? undefined : (60 * toSend) / perMinute,
  };
}

/** @file What a mark or an attack may cost. */

/** Two points: more than this, and the attacker has damaged what was to be stolen, the owner what was to be sold. */
export const ACCEPTABLE_DROP = 0.02;

export const FIELDS: Record<string, unknown>[];
export const form: unknown;
export const shown: unknown;
export function hostile(payload?: string): unknown;

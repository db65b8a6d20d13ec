// The administration of a space: its people, agents and API keys, the audit log, and whether public keys are attested.
export { type AttestationCheck, type AttestationState, checkAttestation, isSpaceKey, type SpaceKey } from "./attestation.js";
export { AuditLog } from "./audit-log.js";
export { auditIdAt, Manage, PAGE_SIZE } from "./manage.js";
export type * from "./types.js";

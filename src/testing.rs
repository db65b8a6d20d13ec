//! Internals for the tests, the fuzz targets and the benchmarks; no other program uses them.

pub use crate::audit::FailedAccount;
pub use crate::auth::{JwtConfig, JwtSecrets, Jwts, Secret, credential, secret};
pub use crate::context::Context;
pub use crate::domain::rate::{Bucket, Rate};
pub use crate::http::openapi_text;
pub use crate::hub::subscriber::{Connection, DeliveryCount, EndReason, Subscriber};
pub use crate::hub::{EventBatch, Hub};
pub use crate::metrics::{Metrics, ScrapeValues};
pub use crate::store::sql::{
    COUNTS, DUE_MESSAGES, ENDED_SESSION, FEW_SESSIONS, FIRST_ENTRIES, LIST_STATE, LIST_STATE_OF, LOOK_UPS,
    PENDING_MESSAGES, SESSIONS_TO_ANNOUNCE, Scoped, TITLE_AT, UNACKNOWLEDGED, UNLISTED, UNLISTED_OF_SPACE,
    UNLISTED_TOTAL,
};
pub use crate::supervisor::Supervisor;
pub use crate::timeline::Idempotency;
pub use crate::ws::state::{Effect, ProtocolState};

//! The report of a run: expectations, and what is written where.

mod baseline;
mod durable_floor;
mod html;
mod series;
mod thresholds;

//! The report of a run: expectations, and what is written where.

mod series;
mod thresholds;

//! Options of a search for the highest rate.

use std::time::Duration;

use clap::Args;
use serde::{Serialize, Serializer};

use super::{percent, seconds};
use crate::threshold::Threshold;

#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RampArgs {
    /// Find the highest rate that keeps this, such as 'p99<5ms' or 'reply.p99<8ms', beginning with --rate
    #[arg(long, value_name = "EXPRESSION", value_parser = Threshold::parse)]
    #[serde(serialize_with = "as_text")]
    pub(crate) target: Option<Threshold>,
    /// Seconds of each step of that
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) step: Duration,
    /// Seconds before each step that do not count
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub(crate) step_warmup: Duration,
    /// How close the highest rate that keeps it and the lowest that does not must be
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    pub(crate) precision: f64,
}

fn as_text<S: Serializer>(target: &Option<Threshold>, serializer: S) -> Result<S::Ok, S::Error> {
    target.as_ref().map(Threshold::to_string).serialize(serializer)
}

//! What the log cannot tell of itself: the lines that are missing in it.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter},
};

use crate::telemetry::lines;

/// Counts the log lines that were lost.
#[derive(Clone, Copy, Debug)]
pub struct LogCounter;

impl Collector for LogCounter {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help =
            "Log lines that standard error did not take, or that came in faster than it takes them";
        ConstCounter::new(lines::lost()).encode(encoder.encode_descriptor(
            "log_lines_lost",
            help,
            None,
            MetricType::Counter,
        )?)
    }
}

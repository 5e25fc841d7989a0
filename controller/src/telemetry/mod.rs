//! What operators see of the process: its log, its metrics and its health.

mod health;
mod http;
mod logging;
mod measured_engine;
mod metrics;
mod observer;

pub use health::Health;
pub use http::{serve_metrics, serve_probes};
pub use logging::{LogFormat, LogOptions, LoggingError, start_logging};
pub use measured_engine::MeasuredEngines;
pub use metrics::{Metrics, MetricsError, Outcome, ReconcileOutcome};
pub use observer::Observer;

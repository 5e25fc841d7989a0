//! What an operator can set: the flags of `longshore controller`, which the Helm chart writes.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use crate::telemetry::LogOptions;

/// How the controller runs.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ControllerOptions {
    /// Look only at resources of this namespace, instead of every namespace
    #[arg(long, env = "LONGSHORE_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: Option<String>,

    /// Name of this installation: with the cluster's identity it marks what this controller has made
    #[arg(long, env = "LONGSHORE_RELEASE", value_name = "NAME", default_value = "longshore")]
    pub release: String,

    /// How many resources are worked on at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,

    /// How long an engine may be silent that something is to be removed from, before that is left until it answers again
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub engine_patience: Duration,

    /// Address for /healthz and /readyz, where the kubelet must reach it
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    pub probe_address: SocketAddr,

    /// Address for /metrics, which needs no authentication: bind it where only those who may see it can reach it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub metrics_address: SocketAddr,

    /// The log.
    #[command(flatten)]
    pub log: LogOptions,
}

fn duration(text: &str) -> Result<Duration, String> {
    longshore_crds::parse_duration(text).ok_or_else(|| "write a time such as 90s, 10m or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: ControllerOptions,
    }

    #[test]
    fn metrics_stay_on_the_machine_unless_asked_otherwise() {
        let options = Command::parse_from(["controller"]).options;
        assert!(options.metrics_address.ip().is_loopback());
        assert_eq!(options.concurrency, 16);
    }

    #[test]
    fn no_concurrency_is_refused() {
        assert!(Command::try_parse_from(["controller", "--concurrency", "0"]).is_err());
    }
}

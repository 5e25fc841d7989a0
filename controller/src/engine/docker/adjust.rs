//! What can be changed of a container that is made: read, and set.

use bollard::models::{
    ContainerUpdateBody, HostConfig, RestartPolicy as ApiRestartPolicy, RestartPolicyNameEnum as ApiRestart,
};

use super::connection::Connection;
use super::containers;
use super::failure::Failure;
use crate::app::{Adjustable, Bytes, ContainerId, EngineRestart, MilliCpu};
use crate::engine::EngineError;

/// How many billionths of a processor are a thousandth.
const NANO_IN_MILLI: u64 = 1_000_000;

/// What stands for no bound of processes, where no value stands for "as it is".
const ANY_NUMBER: i64 = -1;

pub(super) async fn unpause(connection: &Connection, id: &ContainerId) -> Result<(), EngineError> {
    match connection.docker().unpause_container(&id.0).await.map_err(Failure::from) {
        // "Container … is not paused": it is so already.
        Err(failure) if failure.message().contains("is not paused") => Ok(()),
        Err(failure) => Err(connection.error(failure)),
        Ok(()) => Ok(()),
    }
}

/// What the host cannot do an engine leaves out without an error, so that it is looked at afterwards.
pub(super) async fn adjust(connection: &Connection, id: &ContainerId, to: &Adjustable) -> Result<(), EngineError> {
    let updated = connection.docker().update_container(&id.0, body(to)).await;
    updated.map_err(|error| connection.error(error))?;
    let now = containers::inspect(connection, id).await?.and_then(|container| container.detail?.adjustable);
    match now.and_then(|now| now.difference(to)) {
        Some(difference) => Err(EngineError::Other(format!(
            "the engine has taken the change and has not made it: {difference} is still to be done"
        ))),
        None => Ok(()),
    }
}

fn body(to: &Adjustable) -> ContainerUpdateBody {
    ContainerUpdateBody {
        restart_policy: Some(restart_policy(to.restart)),
        memory: bytes(to.memory),
        memory_swap: bytes(to.memory_and_swap),
        memory_reservation: bytes(to.reserved_memory),
        nano_cpus: to.cpu.and_then(nano_cpus),
        cpu_shares: to.cpu_shares.and_then(|shares| i64::try_from(shares).ok()),
        pids_limit: Some(to.pids.and_then(|pids| i64::try_from(pids).ok()).unwrap_or(ANY_NUMBER)),
        ..ContainerUpdateBody::default()
    }
}

/// The part of a container's making that can be changed afterwards.
pub(super) fn host_config(of: &Adjustable) -> HostConfig {
    HostConfig {
        restart_policy: Some(restart_policy(of.restart)),
        memory: bytes(of.memory),
        memory_swap: bytes(of.memory_and_swap),
        memory_reservation: bytes(of.reserved_memory),
        nano_cpus: of.cpu.and_then(nano_cpus),
        cpu_shares: of.cpu_shares.and_then(|shares| i64::try_from(shares).ok()),
        pids_limit: of.pids.and_then(|pids| i64::try_from(pids).ok()),
        ..HostConfig::default()
    }
}

/// What an inspection tells of it. Nothing, 0 and a negative number all mean no bound.
pub(super) fn of_host_config(host: &HostConfig) -> Adjustable {
    let positive = |amount: Option<i64>| amount.and_then(|amount| u64::try_from(amount).ok()).filter(|some| *some > 0);
    let nano = positive(host.nano_cpus).or_else(|| {
        let (quota, period) = (positive(host.cpu_quota)?, positive(host.cpu_period).unwrap_or(DEFAULT_PERIOD));
        Some(quota.saturating_mul(1000 * NANO_IN_MILLI) / period)
    });
    Adjustable {
        restart: host.restart_policy.as_ref().map(restart).unwrap_or_default(),
        memory: positive(host.memory).map(Bytes),
        memory_and_swap: positive(host.memory_swap).map(Bytes),
        reserved_memory: positive(host.memory_reservation).map(Bytes),
        cpu: nano.map(|nano| MilliCpu(nano.div_ceil(NANO_IN_MILLI))),
        cpu_shares: positive(host.cpu_shares),
        pids: positive(host.pids_limit),
    }
}

/// The kernel's own period of a quota of processor time, in microseconds.
const DEFAULT_PERIOD: u64 = 100_000;

fn bytes(amount: Option<Bytes>) -> Option<i64> {
    amount.and_then(|Bytes(bytes)| i64::try_from(bytes).ok())
}

fn nano_cpus(MilliCpu(milli): MilliCpu) -> Option<i64> {
    i64::try_from(milli.checked_mul(NANO_IN_MILLI)?).ok()
}

fn restart_policy(restart: EngineRestart) -> ApiRestartPolicy {
    let (name, most) = match restart {
        EngineRestart::No => (ApiRestart::NO, None),
        EngineRestart::Always => (ApiRestart::ALWAYS, None),
        EngineRestart::UnlessStopped => (ApiRestart::UNLESS_STOPPED, None),
        EngineRestart::OnFailure { most } => (ApiRestart::ON_FAILURE, (most > 0).then_some(i64::from(most))),
    };
    ApiRestartPolicy { name: Some(name), maximum_retry_count: most }
}

fn restart(policy: &ApiRestartPolicy) -> EngineRestart {
    match policy.name {
        Some(ApiRestart::ALWAYS) => EngineRestart::Always,
        Some(ApiRestart::UNLESS_STOPPED) => EngineRestart::UnlessStopped,
        Some(ApiRestart::ON_FAILURE) => {
            let most = policy.maximum_retry_count.and_then(|most| u32::try_from(most).ok());
            EngineRestart::OnFailure { most: most.unwrap_or_default() }
        }
        Some(ApiRestart::NO | ApiRestart::EMPTY) | None => EngineRestart::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_is_read() {
        let asked = Adjustable {
            restart: EngineRestart::OnFailure { most: 3 },
            memory: Some(Bytes(64 << 20)),
            memory_and_swap: Some(Bytes(64 << 20)),
            reserved_memory: Some(Bytes(32 << 20)),
            cpu: Some(MilliCpu(500)),
            cpu_shares: Some(256),
            pids: Some(9),
        };
        assert_eq!(of_host_config(&host_config(&asked)), asked);
        assert_eq!(of_host_config(&host_config(&Adjustable::default())), Adjustable::default());
    }

    #[test]
    fn a_quota_of_time_is_a_limit_too_and_no_bound_has_several_names() {
        let host = HostConfig {
            cpu_quota: Some(50_000),
            pids_limit: Some(-1),
            memory_swap: Some(-1),
            ..HostConfig::default()
        };
        let expected = Adjustable { cpu: Some(MilliCpu(500)), ..Adjustable::default() };
        assert_eq!(of_host_config(&host), expected);
    }
}

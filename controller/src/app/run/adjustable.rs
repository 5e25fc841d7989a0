//! What anybody can change of a container that is made, with `docker update`: compared with what was asked, and set
//! back.

use std::fmt;

use longshore_crds::RestartPolicy;

use super::{Bytes, MilliCpu, Settings};
use crate::app::ContainerSpec;

/// What a processor's whole time is in shares (cgroups v1; the engine's runtime translates it for v2).
const SHARES_OF_A_PROCESSOR: u64 = 1024;
const LEAST_SHARES: u64 = 2;
const MOST_SHARES: u64 = 262_144;

/// What an engine changes of a container that is made. What is absent is not bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adjustable {
    /// When the engine starts the container again.
    pub restart: EngineRestart,
    /// The memory that it never gets more of.
    pub memory: Option<Bytes>,
    /// The same with what is swapped out; absent too where the host does not count that.
    pub memory_and_swap: Option<Bytes>,
    /// The memory that is left to it when the host runs short.
    pub reserved_memory: Option<Bytes>,
    /// The processors that it never gets more of.
    pub cpu: Option<MilliCpu>,
    /// Its share of busy processors, of 1024 for each.
    pub cpu_shares: Option<u64>,
    /// How many processes and threads it has at most.
    pub pids: Option<u64>,
}

/// When an engine starts a container again, by its own names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineRestart {
    /// Never.
    #[default]
    No,
    /// Whenever it has ended, unless somebody has stopped it since the engine was started.
    Always,
    /// Whenever it has ended, unless somebody has stopped it.
    UnlessStopped,
    /// When it has ended with another code than 0.
    OnFailure {
        /// So many times at most; 0 for any number.
        most: u32,
    },
}

/// As `docker update --restart` takes it.
impl fmt::Display for EngineRestart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => formatter.write_str("no"),
            Self::Always => formatter.write_str("always"),
            Self::UnlessStopped => formatter.write_str("unless-stopped"),
            Self::OnFailure { most: 0 } => formatter.write_str("on-failure"),
            Self::OnFailure { most } => write!(formatter, "on-failure:{most}"),
        }
    }
}

impl Adjustable {
    /// As a container is made that is asked for so.
    pub fn of(spec: &ContainerSpec) -> Self {
        let bounds = &spec.bounds;
        Self {
            restart: match (spec.restart_policy, spec.retries) {
                (RestartPolicy::Always, _) => EngineRestart::Always,
                // A maximum of 0 would mean to the engine that there is none.
                (RestartPolicy::OnFailure, Some(0)) | (RestartPolicy::Never, _) => EngineRestart::No,
                (RestartPolicy::OnFailure, retries) => EngineRestart::OnFailure { most: retries.unwrap_or_default() },
            },
            memory: bounds.memory,
            // None is swapped out, as in core/v1.
            memory_and_swap: bounds.memory,
            reserved_memory: bounds.reserved_memory,
            cpu: bounds.cpu,
            cpu_shares: bounds.reserved_cpu.map(shares),
            pids: bounds.pids,
        }
    }

    /// Whether an engine can set a container that is so to what is wanted. It takes the absence of a value for
    /// "as it is" (Docker Engine 20.10 to 29), so that a bound can be moved and not be lifted; but for that of
    /// processes, which has a value for none.
    pub fn can_become(&self, wanted: &Self) -> bool {
        let is_lifted = |before: bool, after: bool| before && !after;
        !is_lifted(self.memory.is_some(), wanted.memory.is_some())
            && !is_lifted(self.reserved_memory.is_some(), wanted.reserved_memory.is_some())
            && !is_lifted(self.cpu.is_some(), wanted.cpu.is_some())
            && !is_lifted(self.cpu_shares.is_some(), wanted.cpu_shares.is_some())
    }

    /// What differs from this to what is wanted, in words: `restart policy no → always`; `None` when nothing does.
    pub fn difference(&self, wanted: &Self) -> Option<String> {
        let mut now = self.clone();
        // Where swap is not counted, nobody can set it; where memory differs, that says enough.
        if now.memory_and_swap.is_none() || now.memory != wanted.memory {
            now.memory_and_swap = wanted.memory_and_swap;
        }
        now.told().difference(&wanted.told())
    }

    fn told(&self) -> Settings {
        let mut told = Settings::default();
        told.add("restart policy", &self.restart.to_string());
        told.set("memory limit", self.memory.as_ref());
        told.set("memory and swap limit", self.memory_and_swap.as_ref());
        told.set("memory request", self.reserved_memory.as_ref());
        told.set("processor limit", self.cpu.as_ref());
        told.set("processor shares", self.cpu_shares.as_ref());
        told.set("process limit", self.pids.as_ref());
        told
    }
}

/// As the kubelet reckons them.
fn shares(MilliCpu(milli): MilliCpu) -> u64 {
    (milli.saturating_mul(SHARES_OF_A_PROCESSOR) / 1000).clamp(LEAST_SHARES, MOST_SHARES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Bounds;

    const MIB: u64 = 1 << 20;

    fn bounded(bounds: Bounds) -> Adjustable {
        Adjustable::of(&ContainerSpec { bounds, ..ContainerSpec::default() })
    }

    #[test]
    fn what_was_edited_is_told_from_what_it_is_to_what_it_should_be() {
        let wanted = bounded(Bounds { memory: Some(Bytes(64 * MIB)), pids: Some(9), ..Bounds::default() });
        let edited = Adjustable {
            restart: EngineRestart::OnFailure { most: 3 },
            memory: Some(Bytes(32 * MIB)),
            pids: None,
            ..wanted.clone()
        };
        let told = "memory limit 32Mi \u{2192} 64Mi, process limit none \u{2192} 9, restart policy on-failure:3 \u{2192} always";
        assert_eq!(edited.difference(&wanted).as_deref(), Some(told));
        assert_eq!(wanted.difference(&wanted), None);
    }

    #[test]
    fn a_host_that_does_not_count_swap_is_not_taken_for_an_edit() {
        let wanted = bounded(Bounds { memory: Some(Bytes(64 * MIB)), ..Bounds::default() });
        assert_eq!(Adjustable { memory_and_swap: None, ..wanted.clone() }.difference(&wanted), None);
        let edited = Adjustable { memory_and_swap: Some(Bytes(128 * MIB)), ..wanted.clone() };
        let told = "memory and swap limit 128Mi \u{2192} 64Mi";
        assert_eq!(edited.difference(&wanted).as_deref(), Some(told));
    }

    #[test]
    fn a_bound_can_be_moved_and_not_be_lifted_but_for_that_of_processes() {
        let (free, bound) = (Adjustable::default(), |bounds| bounded(bounds));
        assert!(free.can_become(&bound(Bounds { memory: Some(Bytes(64 * MIB)), ..Bounds::default() })));
        assert!(bound(Bounds { pids: Some(9), ..Bounds::default() }).can_become(&free));
        for lifted in [
            Bounds { memory: Some(Bytes(64 * MIB)), ..Bounds::default() },
            Bounds { reserved_memory: Some(Bytes(64 * MIB)), ..Bounds::default() },
            Bounds { cpu: Some(MilliCpu(500)), ..Bounds::default() },
            Bounds { reserved_cpu: Some(MilliCpu(500)), ..Bounds::default() },
        ] {
            assert!(!bound(lifted.clone()).can_become(&free), "{lifted:?}");
        }
    }

    #[test]
    fn shares_are_those_of_the_kubelet() {
        assert_eq!([1, 250, 1000, 1_000_000].map(|milli| shares(MilliCpu(milli))), [2, 256, 1024, 262_144]);
    }
}

//! What a container may use of its engine's host.

use longshore_crds::{Logs, Quantity, Run};

use super::amount::{AmountError, count};
use super::{Bytes, MilliCpu, Settings, refused};
use crate::app::Block;

/// The least memory that Docker Engine 20.10 to 29 makes a container with.
const LEAST_MEMORY: Bytes = Bytes(6 << 20);

/// The least part of a processor that Docker Engine 20.10 to 29 takes for a limit.
const LEAST_CPU: MilliCpu = MilliCpu(10);

/// What a container may use; what is absent is not bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The memory that it never gets more of, swap included.
    pub memory: Option<Bytes>,
    /// The processors that it never gets more of.
    pub cpu: Option<MilliCpu>,
    /// How many processes and threads it has at most.
    pub pids: Option<u64>,
    /// How many GPUs of NVIDIA it gets.
    pub gpus: Option<u64>,
    /// The memory that is left to it when the host runs short.
    pub reserved_memory: Option<Bytes>,
    /// Its share of busy processors.
    pub reserved_cpu: Option<MilliCpu>,
    /// How large a file of its log gets.
    pub log_size: Option<Bytes>,
    /// How many files of its log are kept.
    pub log_files: Option<u32>,
}

impl Bounds {
    pub(crate) fn of(run: &Run) -> Result<Self, Block> {
        let resources = run.resources.clone().unwrap_or_default();
        let limits = resources.limits.unwrap_or_default();
        let requests = resources.requests.unwrap_or_default();
        let logs = run.logs.clone().unwrap_or_default();
        let bounds = Self {
            memory: read("resources.limits.memory", limits.memory.as_ref(), Bytes::parse)?,
            cpu: read("resources.limits.cpu", limits.cpu.as_ref(), MilliCpu::parse)?,
            pids: read("resources.limits.longshore.dev/pids", limits.pids.as_ref(), count)?,
            gpus: read("resources.limits.nvidia.com/gpu", limits.nvidia_gpus.as_ref(), count)?.filter(|gpus| *gpus > 0),
            reserved_memory: read("resources.requests.memory", requests.memory.as_ref(), Bytes::parse)?,
            reserved_cpu: read("resources.requests.cpu", requests.cpu.as_ref(), MilliCpu::parse)?,
            log_size: read("logs.maxSize", logs.max_size.as_ref(), Bytes::parse)?,
            log_files: log_files(&logs)?,
        };
        bounds.refuse_impossible()?;
        Ok(bounds)
    }

    fn refuse_impossible(&self) -> Result<(), Block> {
        at_least(LEAST_MEMORY, self.memory, "resources.limits.memory")?;
        at_least(LEAST_MEMORY, self.reserved_memory, "resources.requests.memory")?;
        at_least(LEAST_CPU, self.cpu, "resources.limits.cpu")?;
        at_least(1, self.pids, "resources.limits.longshore.dev/pids")?;
        at_least(Bytes(1), self.log_size, "logs.maxSize")?;
        at_most(self.memory, self.reserved_memory, "resources.requests.memory")?;
        at_most(self.cpu, self.reserved_cpu, "resources.requests.cpu")
    }

    pub(crate) fn settings(&self, settings: &mut Settings) {
        settings.set("memory limit", self.memory.as_ref());
        settings.set("processor limit", self.cpu.as_ref());
        settings.set("process limit", self.pids.as_ref());
        settings.set("GPUs", self.gpus.as_ref());
        settings.set("memory request", self.reserved_memory.as_ref());
        settings.set("processor request", self.reserved_cpu.as_ref());
        settings.set("size of a log file", self.log_size.as_ref());
        settings.set("log files", self.log_files.as_ref());
    }
}

fn log_files(logs: &Logs) -> Result<Option<u32>, Block> {
    match logs.max_files {
        Some(_) if logs.max_size.is_none() => {
            Err(refused("logs.maxFiles", "says how many files of maxSize are kept: name maxSize too"))
        }
        Some(files) => match u32::try_from(files) {
            Ok(files) if files > 0 => Ok(Some(files)),
            _ => Err(refused("logs.maxFiles", format!("{files} files cannot be kept; it is 1 at least"))),
        },
        None => Ok(None),
    }
}

fn read<T>(
    field: &str,
    quantity: Option<&Quantity>,
    parse: impl Fn(&Quantity) -> Result<T, AmountError>,
) -> Result<Option<T>, Block> {
    quantity.map(|quantity| parse(quantity).map_err(|error| refused(field, error))).transpose()
}

fn at_least<T: Copy + PartialOrd + std::fmt::Display>(least: T, amount: Option<T>, field: &str) -> Result<(), Block> {
    match amount {
        Some(amount) if amount < least => {
            Err(refused(field, format!("{amount} is too little; it is {least} at least")))
        }
        _ => Ok(()),
    }
}

/// A request is never more than the limit (core/v1's own rule).
fn at_most<T: Copy + PartialOrd + std::fmt::Display>(
    limit: Option<T>,
    request: Option<T>,
    field: &str,
) -> Result<(), Block> {
    match (limit, request) {
        (Some(limit), Some(request)) if request > limit => {
            Err(refused(field, format!("{request} is more than the limit, {limit}")))
        }
        _ => Ok(()),
    }
}

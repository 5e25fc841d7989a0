//! What containers of the engine in memory print.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;

use super::container::{LogLine, Phase};
use super::{MemoryEngine, Operation};
use crate::app::ContainerId;
use crate::engine::{EngineError, LogChunk, LogOptions};

/// A container's log, from the options on.
pub(super) fn read(
    engine: MemoryEngine,
    id: ContainerId,
    options: LogOptions,
) -> BoxStream<'static, Result<LogChunk, EngineError>> {
    let opened = async move {
        engine.enter(Operation::Logs, &id.0).await?;
        let log = engine.printed(&id).ok_or_else(|| EngineError::NotFound(format!("No such container: {id}")))?;
        let next = log.lines.len();
        let first = stream::iter(chunks(select(log.lines, &options)));
        let rest = if options.follow {
            stream::unfold(Some(Follower { engine, id, next }), follow)
                .flat_map(|chunks| stream::iter(chunks.into_iter().map(Ok)))
                .boxed()
        } else {
            stream::empty().boxed()
        };
        Ok(first.map(Ok).chain(rest).boxed())
    };
    stream::once(opened)
        .flat_map(|opened: Result<BoxStream<'static, _>, EngineError>| match opened {
            Ok(log) => log,
            Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
        })
        .boxed()
}

/// What a container has printed so far.
struct Printed {
    lines: Vec<LogLine>,
    /// Whether its program has ended for good, so that nothing more comes.
    is_over: bool,
}

impl MemoryEngine {
    fn printed(&self, id: &ContainerId) -> Option<Printed> {
        let now: Timestamp = self.clock.now();
        self.look(|state| {
            let container = state.container(id)?;
            let lines = container.log.iter().filter(|line| line.at <= now);
            Some(Printed {
                lines: lines.cloned().collect(),
                is_over: matches!(container.phase, Phase::Created | Phase::Exited),
            })
        })
    }
}

/// Someone who reads on.
struct Follower {
    engine: MemoryEngine,
    id: ContainerId,
    /// How many lines it has seen.
    next: usize,
}

/// The next lines, as soon as there are some; `None` when no more will come.
async fn follow(follower: Option<Follower>) -> Option<(Vec<LogChunk>, Option<Follower>)> {
    let mut follower = follower?;
    loop {
        let mut changes = follower.engine.changes.subscribe();
        let mut ticks = follower.engine.clock.changes();
        if follower.engine.is_down() {
            return None;
        }
        let printed = follower.engine.printed(&follower.id)?;
        if printed.lines.len() > follower.next {
            let new = chunks(printed.lines[follower.next..].to_vec());
            follower.next = printed.lines.len();
            return Some((new, Some(follower)));
        }
        if printed.is_over {
            return None;
        }
        // Either arm may be dropped: the log is read anew whichever comes first.
        tokio::select! {
            _ = changes.changed() => {}
            _ = ticks.changed() => {}
        }
    }
}

/// The lines that the options ask for.
fn select(mut lines: Vec<LogLine>, options: &LogOptions) -> Vec<LogLine> {
    lines.retain(|line| options.since.is_none_or(|since| line.at >= since));
    let skipped = options.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
    lines.split_off(skipped)
}

fn chunks(lines: Vec<LogLine>) -> Vec<LogChunk> {
    lines
        .into_iter()
        .map(|line| LogChunk { is_stderr: line.is_stderr, bytes: Bytes::from(format!("{}\n", line.text)) })
        .collect()
}

//! What containers print.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::connection::Connection;
use super::failure::Failure;
use crate::app::ContainerId;
use crate::engine::{EngineError, LogChunk, LogOptions};

/// The engine takes whole seconds here, since bollard does. So where a time is given the engine is asked to put its
/// own before each piece, and what is older within the same second is left out.
pub(super) fn logs(
    connection: &Connection,
    id: &ContainerId,
    options: &LogOptions,
) -> BoxStream<'static, Result<LogChunk, EngineError>> {
    let since = options.since;
    let whole_seconds = since.map_or(0, |since| i32::try_from(since.as_second()).unwrap_or(i32::MAX));
    let tail = options.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
    let query = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .follow(options.follow)
        .since(whole_seconds)
        .timestamps(since.is_some())
        .tail(&tail)
        .build();
    let endpoint = connection.endpoint().to_owned();
    connection
        .patient()
        .logs(&id.0, Some(query))
        .filter_map(move |output| {
            let chunk = match output {
                Ok(output) => piece(output, since).map(Ok),
                Err(error) => Some(Err(Failure::from(error).into_error(&endpoint))),
            };
            std::future::ready(chunk)
        })
        .boxed()
}

/// The piece of the log, without the time before it where one was asked for.
fn piece(output: LogOutput, since: Option<Timestamp>) -> Option<LogChunk> {
    let is_stderr = matches!(output, LogOutput::StdErr { .. });
    let bytes = output.into_bytes();
    let bytes = match since {
        None => bytes,
        Some(since) => not_before(since, &bytes)?,
    };
    Some(LogChunk { is_stderr, bytes })
}

/// What stands after the time, unless the time is earlier. What has no time before it is kept as it is.
fn not_before(since: Timestamp, bytes: &Bytes) -> Option<Bytes> {
    let timed = bytes.iter().position(|byte| *byte == b' ').and_then(|space| {
        let time: Timestamp = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
        Some((time, bytes.slice(space + 1..)))
    });
    match timed {
        None => Some(bytes.clone()),
        Some((time, rest)) => (time >= since).then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &'static str, since: Option<&str>) -> Option<LogChunk> {
        let output = LogOutput::StdErr { message: Bytes::from_static(message.as_bytes()) };
        piece(output, since.map(|since| since.parse().unwrap()))
    }

    fn stderr(text: &'static str) -> LogChunk {
        LogChunk { is_stderr: true, bytes: Bytes::from_static(text.as_bytes()) }
    }

    #[test]
    fn without_a_time_everything_is_told_as_it_is() {
        assert_eq!(read("listening on 80\n", None), Some(stderr("listening on 80\n")));
    }

    #[test]
    fn what_is_older_within_the_same_second_is_left_out() {
        let since = Some("2026-11-24T14:00:00.5Z");
        assert_eq!(read("2026-11-24T14:00:00.400000000Z old\n", since), None);
        assert_eq!(read("2026-11-24T14:00:00.500000000Z new\n", since), Some(stderr("new\n")));
    }
}

//! Answers that are one JSON object to a line.

use futures::{Stream, StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use super::failure::Failure;

/// No line of an engine comes near this size.
const LONGEST_LINE: usize = 1024 * 1024;

/// The lines of an answer's body.
pub(super) fn json_lines<Line: DeserializeOwned>(body: Incoming) -> impl Stream<Item = Result<Line, Failure>> {
    let bytes = body.into_data_stream().map_err(std::io::Error::other);
    let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LONGEST_LINE));
    lines.map(|line| match line {
        Ok(line) => serde_json::from_str(&line).map_err(|error| Failure::Unintelligible(error.to_string())),
        Err(LinesCodecError::Io(error)) => Err(Failure::unreachable(&error)),
        Err(LinesCodecError::MaxLineLengthExceeded) => {
            Err(Failure::Unintelligible("a line of more than 1 MiB".to_owned()))
        }
    })
}

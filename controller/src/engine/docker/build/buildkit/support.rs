//! What BuildKit in an engine can make and hold, by the engine's image store: seen with 20.10 and 29.

use super::super::session::LARGEST_SECRET;
use crate::app::CacheExport;
use crate::app::{EngineInfo, ImageStore};
use crate::engine::{Attestations, BuildRequest, EngineError, frontend};

/// The Docker Engine whose BuildKit, 0.10 and later, honours `SOURCE_DATE_EPOCH`.
const FIRST_WITH_EPOCH: u32 = 23;

/// What an error says on an engine whose own front end reads no here-documents (BuildKit before 0.10 or so).
const NO_HEREDOC: &str = "unknown instruction: ";

/// Refuses what BuildKit in this engine would leave out without a word, or trip over in its own.
///
/// Docker Engine 20.10 was seen to leave out attestations and annotations and to know neither a registry as the place
/// of a cache nor an image for several platforms; newer ones with a graph driver's store are built the same way. With
/// containerd's store all of it was seen to work on 29.
pub(super) fn check(request: &BuildRequest, engine: &EngineInfo) -> Result<(), EngineError> {
    let goes_to_a_registry = |export: &CacheExport| matches!(export, CacheExport::Registry { .. });
    let of_containerd = [
        (request.platforms.len() > 1, "an image for several platforms", "platforms"),
        (request.attestations != Attestations::default(), "attestations", "attestations"),
        (!request.annotations.is_empty(), "annotations", "annotations"),
        (request.cache_to.iter().any(goes_to_a_registry), "a build's cache in a registry", "cacheTo"),
    ];
    let wanted = of_containerd.iter().find(|(is_wanted, ..)| *is_wanted);
    if let (ImageStore::GraphDriver, Some((_, what, field))) = (engine.image_store, wanted) {
        return Err(EngineError::Unsupported(format!(
            "Docker Engine {} cannot make {what} ({field}), since it keeps its images with a graph driver; leave it out, \
             or use an engine with containerd's image store",
            engine.version
        )));
    }
    if request.source_date_epoch.is_some() && is_older_than(engine, FIRST_WITH_EPOCH) {
        return Err(EngineError::Unsupported(format!(
            "Docker Engine {} cannot give an image a time (sourceDateEpoch); leave it out, or use Docker Engine \
             {FIRST_WITH_EPOCH} or later",
            engine.version
        )));
    }
    secrets_are_small(request)
}

/// Whether a Docker Engine is older than this release; one that does not say what it is, is not.
fn is_older_than(engine: &EngineInfo, release: u32) -> bool {
    let major = engine.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < release)
}

fn secrets_are_small(request: &BuildRequest) -> Result<(), EngineError> {
    use secrecy::ExposeSecret;
    let too_large = request.secrets.iter().find(|(_, value)| value.expose_secret().len() > LARGEST_SECRET);
    match too_large {
        Some((id, value)) => Err(EngineError::Unsupported(format!(
            "the build secret {id} has {} bytes, and BuildKit takes at most {LARGEST_SECRET}; give the step what it \
             needs by several secrets, or a key that opens the rest",
            value.expose_secret().len()
        ))),
        None => Ok(()),
    }
}

/// What a reader should know beyond an error's own words.
pub(super) fn hint(message: &str, request: &BuildRequest) -> &'static str {
    let text = request.context.dockerfile().text();
    let has_heredoc = text.windows(2).any(|window| window == b"<<");
    if has_heredoc && message.contains(NO_HEREDOC) && !frontend::names_one(text) {
        " (the engine's own BuildKit may be too old for here-documents, <<EOF: let the Dockerfile begin with \
         # syntax=docker/dockerfile:1)"
    } else {
        ""
    }
}

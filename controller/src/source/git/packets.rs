//! What a git server says, packet by packet (<https://git-scm.com/docs/gitprotocol-common>).

use bytes::{Bytes, BytesMut};
use gix_packetline::PacketLineRef;
use gix_packetline::blocking_io::encode;
use gix_packetline::decode::{Stream, streaming};
use reqwest::Response;

use super::ssh::SshConnection;
use crate::source::SourceError;
use crate::source::error::quoted;
use crate::source::limits::for_people;
use crate::source::web::no_answer;

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Data(Bytes),
    /// The end of a message.
    Flush,
    /// The end of a part of a message.
    Delimiter,
}

/// Where packets come from.
pub(super) enum Wire {
    Web(Response),
    Ssh(SshConnection),
    #[cfg(test)]
    Memory(Vec<Bytes>),
}

/// Reads packets.
pub(super) struct Packets {
    pub(super) stream: Wire,
    /// The server's address, for messages.
    address: String,
    buffer: BytesMut,
    left: u64,
    most: u64,
    what: &'static str,
}

impl Packets {
    pub(super) fn new(stream: Wire, address: String) -> Self {
        Self { stream, address, buffer: BytesMut::new(), left: 0, most: 0, what: "" }
    }

    /// How much may come from now on, and what it is.
    pub(super) fn limit(&mut self, most: u64, what: &'static str) {
        (self.left, self.most, self.what) = (most, most, what);
    }

    /// The next packet; an error when there is none, since a message says where it ends.
    pub(super) async fn next(&mut self) -> Result<Packet, SourceError> {
        loop {
            let wrong = |_| not_git(&self.address);
            if let Stream::Complete { line, bytes_consumed } = streaming(&self.buffer).map_err(wrong)? {
                let packet = match line {
                    PacketLineRef::Data(data) => {
                        let length = data.len();
                        let mut whole = self.buffer.split_to(bytes_consumed).freeze();
                        return Ok(Packet::Data(whole.split_off(bytes_consumed - length)));
                    }
                    PacketLineRef::Flush | PacketLineRef::ResponseEnd => Packet::Flush,
                    PacketLineRef::Delimiter => Packet::Delimiter,
                };
                let _ = self.buffer.split_to(bytes_consumed);
                return Ok(packet);
            }
            let Some(chunk) = self.chunk().await? else { return Err(self.ended()) };
            self.left = self.left.checked_sub(chunk.len() as u64).ok_or_else(|| {
                SourceError::TooLarge(format!(
                    "{} sent {} of more than {}, which is the limit",
                    self.address,
                    self.what,
                    for_people(self.most)
                ))
            })?;
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// The next packet as a line of text, without its end; `None` where a message or a part of it ends. What the
    /// server calls an error is one.
    pub(super) async fn line(&mut self) -> Result<Option<String>, SourceError> {
        match self.next().await? {
            Packet::Data(data) => {
                let text = String::from_utf8_lossy(&data);
                let text = text.trim_end_matches('\n');
                match text.strip_prefix("ERR ") {
                    Some(problem) => Err(self.refused(problem)),
                    None => Ok(Some(text.to_owned())),
                }
            }
            Packet::Flush | Packet::Delimiter => Ok(None),
        }
    }

    /// What an error that the server named means.
    pub(super) fn refused(&self, problem: &str) -> SourceError {
        let sentence = format!("{} refuses; it says: {}", self.address, quoted(problem));
        let lower = problem.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if has(&["not our ref", "not valid", "unadvertised", "no such ref", "couldn't find"]) {
            SourceError::ReferenceNotFound(sentence)
        } else if has(&["denied", "not allowed", "permission", "forbidden", "unauthorized"]) {
            SourceError::Denied(sentence)
        } else if has(&["not found", "not exported", "no such", "does not exist"]) {
            SourceError::NotFound(sentence)
        } else {
            SourceError::Unreachable(sentence)
        }
    }

    /// It sent something that is no part of git's protocol.
    pub(super) fn not_git(&self) -> SourceError {
        not_git(&self.address)
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
        match &mut self.stream {
            Wire::Web(response) => {
                let url = response.url().clone();
                response.chunk().await.map_err(|error| no_answer(&url, &error))
            }
            Wire::Ssh(connection) => connection.chunk().await,
            #[cfg(test)]
            Wire::Memory(chunks) => Ok(if chunks.is_empty() { None } else { Some(chunks.remove(0)) }),
        }
    }

    fn ended(&self) -> SourceError {
        if let Wire::Ssh(connection) = &self.stream {
            return connection.ended();
        }
        SourceError::Unreachable(format!("what {} sent ends too early", self.address))
    }
}

fn not_git(address: &str) -> SourceError {
    SourceError::Invalid(format!(
        "{address} does not answer as a git server does; is it the address that git clone takes?"
    ))
}

/// Writes packets.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn line(mut self, text: &str) -> Self {
        // Writing to memory does not fail, and no line that is written here is too long: names have an end.
        let _ = encode::text_to_write(text.as_bytes(), &mut self.0);
        self
    }

    pub(super) fn lines(self, texts: impl IntoIterator<Item = String>) -> Self {
        texts.into_iter().fold(self, |message, text| message.line(&text))
    }

    pub(super) fn delimiter(mut self) -> Self {
        let _ = encode::delim_to_write(&mut self.0);
        self
    }

    pub(super) fn flush(mut self) -> Self {
        let _ = encode::flush_to_write(&mut self.0);
        self
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(chunks: &[&'static str]) -> Packets {
        let chunks = chunks.iter().map(|chunk| Bytes::from_static(chunk.as_bytes())).collect();
        let mut packets = Packets::new(Wire::Memory(chunks), "the server".to_owned());
        packets.limit(100, "something");
        packets
    }

    #[tokio::test]
    async fn packets_are_read_wherever_they_are_cut() {
        let mut packets = packets(&["00", "0ahello\n000", "1", "0000"]);
        assert_eq!(packets.next().await, Ok(Packet::Data(Bytes::from_static(b"hello\n"))));
        assert_eq!(packets.next().await, Ok(Packet::Delimiter));
        assert_eq!(packets.next().await, Ok(Packet::Flush));
        assert!(matches!(packets.next().await, Err(SourceError::Unreachable(_))));
    }

    #[tokio::test]
    async fn what_is_no_packet_is_refused() {
        assert!(matches!(packets(&["<html>"]).next().await, Err(SourceError::Invalid(_))));
        assert!(matches!(packets(&["0003"]).next().await, Err(SourceError::Invalid(_))));
    }

    #[tokio::test]
    async fn packets_have_an_end() {
        let mut packets = packets(&["0005a", "0005b"]);
        packets.limit(8, "a list");
        assert!(packets.next().await.is_ok());
        let error = packets.next().await.unwrap_err();
        assert_eq!(error.to_string(), "the server sent a list of more than 8 bytes, which is the limit");
    }

    #[tokio::test]
    async fn an_error_that_the_server_names_is_one() {
        let error = packets(&["0019ERR not our ref 12ab\n"]).line().await.unwrap_err();
        let expected = "the server refuses; it says: not our ref 12ab";
        assert_eq!(error, SourceError::ReferenceNotFound(expected.to_owned()));
    }

    #[test]
    fn messages_are_written_as_packets() {
        let message = Message::default().line("command=fetch").delimiter().line("done").flush();
        assert_eq!(message.bytes(), b"0012command=fetch\n00010009done\n0000");
    }
}

//! `moby.filesync.v1.FileSync`: the files of the context and the Dockerfile, of which an engine takes those that it
//! does not have yet.
//!
//! The protocol is `fsutil`'s: we tell what there is, each thing with its mode, size and time, in the order of the
//! names; the engine compares that with what it has of the last build under the same shared key and asks for files by
//! their place in the order; we send those, each ended by an empty piece; the engine says that it is done, and so do
//! we.

use std::sync::Arc;

use bollard_buildkit_proto::fsutil::types::Packet;
use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::moby::filesync::packet::file_sync_server::FileSync;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::Sent;
use super::selection::Wanted;
use super::synced::{SyncedEntry, SyncedFolder};
use crate::build::{ContextError, ReadContext};

/// The names by which BuildKit's Dockerfile front end asks for the two folders.
const CONTEXT: &str = "context";
const DOCKERFILE: &str = "dockerfile";

/// The bytes of one piece of a file.
const PIECE: usize = 64 << 10;
/// How many packets are made ahead of the engine: at most two mebibytes are held in memory.
const PACKETS_AHEAD: usize = 32;

/// The folders that an engine may have.
pub(super) struct SyncedFolders {
    context: Arc<SyncedFolder>,
    dockerfile: Arc<SyncedFolder>,
    sent: Sent,
}

impl SyncedFolders {
    pub(super) fn of(context: &Arc<ReadContext>, epoch: Option<i64>, sent: Sent) -> Self {
        Self {
            context: Arc::new(SyncedFolder::of_context(context, epoch)),
            dockerfile: Arc::new(SyncedFolder::of_dockerfile(context, epoch)),
            sent,
        }
    }

    fn find(&self, name: &str) -> Result<Arc<SyncedFolder>, Status> {
        match name {
            CONTEXT => Ok(Arc::clone(&self.context)),
            DOCKERFILE => Ok(Arc::clone(&self.dockerfile)),
            _ => Err(Status::not_found("there are only the folders context and dockerfile")),
        }
    }

    /// Answers what an engine asks for of a folder.
    pub(super) fn answer<Asked>(&self, wanted: Wanted, asked: Asked) -> Result<ReceiverStream<Answer>, Status>
    where
        Asked: Stream<Item = Result<Packet, Status>> + Send + Unpin + 'static,
    {
        let folder = self.find(&wanted.folder)?;
        let sent = self.sent.clone();
        let (answers, receiver) = mpsc::channel(PACKETS_AHEAD);
        tokio::task::spawn_blocking(move || {
            let sending = wanted.select(&folder).map_err(Ended::Refused).and_then(|selected| {
                let asked = Questions::listen(asked, &folder, &selected);
                Sender { folder: &folder, selected: &selected, answers: &answers, sent: &sent }.send(asked)
            });
            match sending {
                Ok(()) | Err(Ended::Gone) => {}
                Err(Ended::Refused(status)) => drop(answers.blocking_send(Err(status))),
                Err(Ended::Context(error)) => {
                    let message = error.to_string();
                    sent.fail(message.clone());
                    let packet = Packet { data: message.clone().into_bytes(), ..packet(PacketType::PacketErr) };
                    drop(answers.blocking_send(Ok(packet)));
                    drop(answers.blocking_send(Err(Status::aborted(message))));
                }
            }
        });
        Ok(ReceiverStream::new(receiver))
    }
}

type Answer = Result<Packet, Status>;

#[tonic::async_trait]
impl FileSync for SyncedFolders {
    type DiffCopyStream = ReceiverStream<Answer>;
    type TarStreamStream = BoxStream<'static, Answer>;

    async fn diff_copy(&self, request: Request<Streaming<Packet>>) -> Result<Response<Self::DiffCopyStream>, Status> {
        let wanted = Wanted::from_headers(request.metadata());
        Ok(Response::new(self.answer(wanted, request.into_inner())?))
    }

    async fn tar_stream(&self, _: Request<Streaming<Packet>>) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("only DiffCopy is answered"))
    }
}

/// What an engine asks for, after it was looked at.
enum Question {
    /// The file at this place of the selection.
    File(usize),
    /// Nothing more.
    Done,
    /// Something that makes no sense.
    Nonsense(&'static str),
}

/// Why the sending ended early.
enum Ended {
    /// The engine went away.
    Gone,
    /// The engine asked for what is not there.
    Refused(Status),
    /// A file is not what it was.
    Context(ContextError),
}

struct Questions(mpsc::UnboundedReceiver<Question>);

impl Questions {
    /// Listens to what is asked. Each file is asked for at most once, so there are never more questions than files.
    fn listen<Asked>(mut asked: Asked, folder: &SyncedFolder, selected: &[usize]) -> Self
    where
        Asked: Stream<Item = Result<Packet, Status>> + Send + Unpin + 'static,
    {
        let mut can_be_asked: Vec<bool> = selected.iter().map(|index| folder.entries()[*index].is_file()).collect();
        let (questions, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(packet)) = asked.next().await {
                let question = match packet.r#type() {
                    PacketType::PacketReq => {
                        let place = usize::try_from(packet.id).unwrap_or(usize::MAX);
                        match can_be_asked.get_mut(place).map(std::mem::take) {
                            Some(true) => Question::File(place),
                            _ => Question::Nonsense("there is no such file, or it was asked for before"),
                        }
                    }
                    PacketType::PacketFin => Question::Done,
                    PacketType::PacketErr => Question::Nonsense("the engine could not take the files"),
                    PacketType::PacketStat | PacketType::PacketData => Question::Nonsense("files are sent, not taken"),
                };
                let is_last = !matches!(question, Question::File(_));
                if questions.send(question).is_err() || is_last {
                    return;
                }
            }
        });
        Self(receiver)
    }
}

/// Sends a folder, on a thread that may block.
struct Sender<'a> {
    folder: &'a SyncedFolder,
    selected: &'a [usize],
    answers: &'a mpsc::Sender<Answer>,
    sent: &'a Sent,
}

impl Sender<'_> {
    fn send(&self, mut asked: Questions) -> Result<(), Ended> {
        for index in self.selected {
            let stat = self.folder.entries()[*index].stat.clone();
            self.answer(Packet { stat: Some(stat), ..packet(PacketType::PacketStat) })?;
        }
        self.answer(packet(PacketType::PacketStat))?;
        loop {
            match asked.0.blocking_recv() {
                Some(Question::File(place)) => self.send_file(place)?,
                Some(Question::Done) => return self.answer(packet(PacketType::PacketFin)),
                Some(Question::Nonsense(why)) => return Err(Ended::Refused(Status::invalid_argument(why))),
                None => return Err(Ended::Gone),
            }
        }
    }

    fn send_file(&self, place: usize) -> Result<(), Ended> {
        let entry: &SyncedEntry = &self.folder.entries()[self.selected[place]];
        let of_file = Packet { id: u32::try_from(place).unwrap_or(u32::MAX), ..packet(PacketType::PacketData) };
        let mut file = self.folder.open(entry).map_err(Ended::Context)?;
        // The last piece is held back until all of the file was seen to be what was digested.
        let mut waiting: Option<Vec<u8>> = None;
        loop {
            let mut piece = vec![0; PIECE];
            let count = file.next_piece(&mut piece).map_err(Ended::Context)?;
            piece.truncate(count);
            if let Some(data) = waiting.take() {
                let bytes = data.len();
                self.answer(Packet { data, ..of_file.clone() })?;
                if self.folder.is_context {
                    self.sent.add(bytes);
                }
            }
            if count == 0 {
                return self.answer(of_file);
            }
            waiting = Some(piece);
        }
    }

    /// Waits for the engine to take what was sent before.
    fn answer(&self, packet: Packet) -> Result<(), Ended> {
        self.answers.blocking_send(Ok(packet)).map_err(|_| Ended::Gone)
    }
}

fn packet(kind: PacketType) -> Packet {
    Packet { r#type: kind.into(), ..Packet::default() }
}

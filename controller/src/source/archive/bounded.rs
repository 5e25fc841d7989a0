//! A reader that gives no more than it may.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::source::limits::for_people;
use crate::source::stop::Stop;
use crate::source::{SourceError, SourceLimits};

/// What an entry's headers may have on average, long names and extended headers included.
const HEADERS: u64 = 4096;
/// What is free of the limit on how much an archive may grow.
const FREE: u64 = 16 << 20;

/// How much of an archive may be read, and what was wrong when more was asked for.
pub(super) struct Bounds {
    /// The bytes of the archive that were read.
    packed: Cell<u64>,
    /// The bytes that came out of it.
    unpacked: Cell<u64>,
    /// The bytes that may come out until the next part begins.
    part: Cell<u64>,
    expansion: u64,
    /// The bytes that may come out in all.
    most: u64,
    problem: Cell<Option<SourceError>>,
    stop: Stop,
}

impl Bounds {
    pub(super) fn new(limits: &SourceLimits, stop: Stop) -> Rc<Self> {
        Rc::new(Self {
            packed: Cell::new(0),
            unpacked: Cell::new(0),
            part: Cell::new(0),
            expansion: limits.expansion,
            most: limits.bytes.saturating_add(limits.files.saturating_mul(HEADERS)).saturating_add(FREE),
            problem: Cell::new(None),
            stop,
        })
    }

    /// A part begins that has so many bytes at most.
    pub(super) fn begin_part(&self, most: u64) {
        self.part.set(most);
    }

    /// Why reading ended, if it was for one of the limits.
    pub(super) fn problem(&self) -> Option<SourceError> {
        self.problem.take()
    }

    fn refuse(&self, problem: SourceError) -> io::Error {
        self.problem.set(Some(problem));
        io::Error::other("over a limit")
    }

    fn took(&self, bytes: u64) -> io::Result<()> {
        let Some(left) = self.part.get().checked_sub(bytes) else {
            return Err(self.refuse(SourceError::Invalid(
                "the archive has a header or a name that is longer than any should be".to_owned(),
            )));
        };
        self.part.set(left);
        self.unpacked.set(self.unpacked.get() + bytes);
        if self.unpacked.get() > self.most {
            return Err(self.refuse(SourceError::TooLarge(format!(
                "the archive has more than {} when it is unpacked, which is the limit",
                for_people(self.most)
            ))));
        }
        let most = self.packed.get().saturating_mul(self.expansion).saturating_add(FREE);
        if self.unpacked.get() > most {
            return Err(self.refuse(SourceError::TooLarge(format!(
                "the archive grows to more than {} times its size when it is unpacked, and to more than {}; that is the limit",
                self.expansion,
                for_people(FREE)
            ))));
        }
        Ok(())
    }
}

/// Counts what is read of the archive itself.
pub(super) struct Packed<R>(pub(super) R, pub(super) Rc<Bounds>);

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Err(stopped) = self.1.stop.check() {
            return Err(self.1.refuse(stopped));
        }
        let read = self.0.read(buffer)?;
        self.1.packed.set(self.1.packed.get() + read as u64);
        Ok(read)
    }
}

/// Counts what comes out, and ends with an error where it is too much.
pub(super) struct Unpacked<R>(pub(super) R, pub(super) Rc<Bounds>);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Err(stopped) = self.1.stop.check() {
            return Err(self.1.refuse(stopped));
        }
        let read = self.0.read(buffer)?;
        self.1.took(read as u64)?;
        Ok(read)
    }
}

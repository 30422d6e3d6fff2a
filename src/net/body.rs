//! Bodies that are read as they arrive and sent as they are read: a blob of any size passes through a buffer.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read};

use ureq::{Body, BodyReader};

/// Where the body of an answer goes that is not to be read at once.
pub(crate) type Slot = RefCell<Option<Incoming>>;

/// The body of an answer, on its way. An early end is an error wherever its length was said.
pub(crate) struct Incoming {
    reader: BodyReader<'static>,
    /// How long it is, in bytes, where the answer says that.
    pub(crate) length: Option<u64>,
}

impl Incoming {
    /// The body of this answer.
    pub(crate) fn new(body: Body) -> Incoming {
        let length = body.content_length();
        Incoming { reader: body.into_reader(), length }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("length", &self.length).finish_non_exhaustive()
    }
}

/// The body of a request, read as it goes out.
pub(crate) struct Outgoing<'a> {
    /// Gives exactly `length` bytes or an error: the HTTP library spins on a reader that ends early.
    pub(crate) reader: &'a mut dyn Read,
    /// How long it is; `None` sends it in chunks.
    pub(crate) length: Option<u64>,
}

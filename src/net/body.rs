//! Bodies that are read as they arrive and sent as they are read: a blob of any size passes through a buffer.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read};

use ureq::{Body, BodyReader};

/// Where the body of an answer goes that is not to be read at once.
pub(crate) type BodySlot = RefCell<Option<ResponseBody>>;

/// The body of an answer, on its way. An early end is an error wherever its length was said.
pub(crate) struct ResponseBody {
    reader: BodyReader<'static>,
    /// How long it is, in bytes, where the answer says that.
    pub(crate) length: Option<u64>,
}

impl ResponseBody {
    /// The body of this answer.
    pub(crate) fn new(body: Body) -> ResponseBody {
        let length = body.content_length();
        ResponseBody { reader: body.into_reader(), length }
    }
}

impl Read for ResponseBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("length", &self.length).finish_non_exhaustive()
    }
}

/// The body of a request, read as it goes out.
pub(crate) struct RequestBody<'a> {
    /// Gives exactly `length` bytes or an error: the HTTP library spins on a reader that ends early.
    pub(crate) reader: &'a mut dyn Read,
    /// How long it is; `None` sends it in chunks.
    pub(crate) length: Option<u64>,
}

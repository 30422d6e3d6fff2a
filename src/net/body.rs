//! Bodies that are streamed: a blob of any size passes through a buffer.

use std::io::{self, Read};

use ureq::{Body, BodyReader};

/// The body of a response, not read yet. If its length was stated, an early end is an error.
pub(crate) struct ResponseBody {
    reader: BodyReader<'static>,
    /// The length in bytes, if the response states it.
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

/// The body of a request, read while it is sent.
pub(crate) struct RequestBody<'a> {
    /// Must return exactly `length` bytes or an error: the HTTP library loops on a reader that ends early.
    pub(crate) reader: &'a mut dyn Read,
    /// The length in bytes; `None` sends the body in chunks.
    pub(crate) length: Option<u64>,
}

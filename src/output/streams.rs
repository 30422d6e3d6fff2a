//! The two streams, behind locks so that several threads can talk without mixing lines.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

type Sink = Mutex<Box<dyn Write + Send>>;

/// Where output goes. Shared by everything that a command does.
pub struct Streams {
    out: Sink,
    err: Sink,
}

impl Streams {
    /// Streams that write to these two; the process's own, or a test's.
    pub fn new(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Streams {
        Streams { out: Mutex::new(Box::new(out)), err: Mutex::new(Box::new(err)) }
    }

    /// Writes data to stdout and flushes it.
    ///
    /// A reader that has gone away (`| head -1`) is no error: nobody is left to tell, and the work goes on.
    ///
    /// # Errors
    /// Any other failure, such as a full disk.
    pub fn data(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = lock(&self.out);
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    }

    /// Writes one line of data to stdout.
    ///
    /// # Errors
    /// As [`Streams::data`].
    pub fn line(&self, text: impl fmt::Display) -> io::Result<()> {
        self.data(format!("{text}\n").as_bytes())
    }

    /// Writes one line of talk to stderr. A failure is dropped: there is nowhere left to report it.
    pub fn note(&self, text: impl fmt::Display) {
        let mut err = lock(&self.err);
        let _ = err.write_all(format!("{text}\n").as_bytes());
    }
}

fn lock(sink: &Sink) -> MutexGuard<'_, Box<dyn Write + Send>> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_silent_and_a_full_disk_is_not() {
        let closed = Streams::new(Broken(io::ErrorKind::BrokenPipe), io::sink());
        assert!(closed.line("x").is_ok());
        let full = Streams::new(Broken(io::ErrorKind::StorageFull), io::sink());
        assert!(full.line("x").is_err());
    }
}

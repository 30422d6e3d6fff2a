//! The buffers of a connection, as the HTTP library wants them. They begin small and grow with what passes through
//! them: a command has many connections, and on most of them nothing large is sent or received.

use ureq::unversioned::transport::Buffers;

/// The first size of the input buffer, in bytes. It holds the response to most requests.
const INPUT_SIZE_FIRST: usize = 8 * 1024;
/// The first size of the output buffer, in bytes: the longest line of a head (see `connections::LINE_BYTES_MAX`), and
/// the longest record of TLS, which are 16 KiB and some bytes.
const OUTPUT_SIZE_FIRST: usize = 18 * 1024;
/// The size of the output buffer from the second piece of a body on, in bytes.
const OUTPUT_SIZE_BODY: usize = 96 * 1024;
/// The largest size of the input buffer, in bytes: a copy sends what one read has brought in one call.
const INPUT_SIZE_MAX: usize = OUTPUT_SIZE_BODY;
/// What is read at least of a body of unknown length before it is sent, in bytes.
const BODY_READ_SIZE_MIN: usize = 4 * 1024;

/// Buffers that grow.
#[derive(Debug)]
pub(crate) struct GrowingBuffers {
    input: Vec<u8>,
    /// The part of `input` that was received and not consumed.
    consumed: usize,
    filled: usize,
    /// Whether the last read filled the buffer, so that a larger one saves calls.
    was_full: bool,
    /// Whether the last consumption consumed anything.
    has_progress: bool,
    output: Vec<u8>,
    output_size_first: usize,
    /// Whether the output buffer is used for a body that did not fit.
    is_in_body: bool,
}

impl GrowingBuffers {
    /// Buffers that have no memory before they are used. If the longest line of a head, `head_line_max` bytes, exceeds
    /// what a body needs, the output buffer has its size at once. The input grows up to [`INPUT_SIZE_MAX`] bytes.
    pub(crate) fn new(head_line_max: usize) -> GrowingBuffers {
        GrowingBuffers {
            input: Vec::new(),
            consumed: 0,
            filled: 0,
            was_full: false,
            has_progress: false,
            output: Vec::new(),
            output_size_first: if head_line_max > OUTPUT_SIZE_BODY { head_line_max } else { OUTPUT_SIZE_FIRST },
            is_in_body: false,
        }
    }

    /// The first bytes of the output buffer, which the HTTP library has written and wants to be sent.
    pub(crate) fn written(&self, amount: usize) -> &[u8] {
        self.output.get(..amount).unwrap_or_default()
    }

    /// Provides an output buffer of at least this size, whose content may be lost. Unlike a vector that is resized, a
    /// new one has no memory before it is used, because the system hands out zeros.
    fn provide_output(&mut self, size: usize) {
        if self.output.len() < size {
            self.output = vec![0; size];
        }
    }

    /// Moves what was not consumed to the beginning if there is no room behind it, and makes room if that is not
    /// enough. The buffer grows in one step: the memory of sizes between would remain with the allocator.
    fn make_room(&mut self, least: usize) {
        if self.consumed == self.filled {
            (self.consumed, self.filled) = (0, 0);
        }
        if self.consumed > 0 && self.input.len() - self.filled < least {
            self.input.copy_within(self.consumed..self.filled, 0);
            (self.consumed, self.filled) = (0, self.filled - self.consumed);
        }
        let is_short = self.input.len() - self.filled < least;
        if is_short || std::mem::take(&mut self.was_full) {
            let size = if self.input.is_empty() { INPUT_SIZE_FIRST } else { INPUT_SIZE_MAX };
            if self.input.len() < size {
                let smaller = std::mem::replace(&mut self.input, vec![0; size]);
                self.input.iter_mut().zip(smaller).for_each(|(to, from)| *to = from);
            }
        }
    }
}

impl Buffers for GrowingBuffers {
    fn output(&mut self) -> &mut [u8] {
        self.is_in_body = false;
        self.provide_output(self.output_size_first);
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.consumed..self.filled).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.make_room(1);
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = self.filled.saturating_add(amount).min(self.input.len());
        self.was_full = self.filled == self.input.len();
    }

    fn input_consume(&mut self, amount: usize) {
        self.has_progress = amount > 0;
        self.consumed = self.consumed.saturating_add(amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        let is_second = std::mem::replace(&mut self.is_in_body, true);
        self.provide_output(if is_second {
            self.output_size_first.max(OUTPUT_SIZE_BODY)
        } else {
            self.output_size_first
        });
        self.make_room(BODY_READ_SIZE_MIN);
        (self.input.get_mut(self.filled..).unwrap_or_default(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        !self.input().is_empty() && self.has_progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffers: &mut GrowingBuffers, bytes: &[u8]) -> usize {
        let room = buffers.input_append_buf();
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        buffers.input_appended(count);
        count
    }

    #[test]
    fn input_buffer_keeps_the_order_of_bytes() {
        let sent: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
        for step in [1000, 5000, usize::MAX] {
            let (mut buffers, mut at, mut received) = (GrowingBuffers::new(INPUT_SIZE_MAX), 0, Vec::new());
            while received.len() < sent.len() {
                at += receive(&mut buffers, &sent[at..]);
                let input = buffers.input();
                let count = input.len().min(step);
                received.extend_from_slice(&input[..count]);
                buffers.input_consume(count);
                assert!(buffers.input.len() <= INPUT_SIZE_MAX);
            }
            assert!(received == sent && !buffers.can_use_input(), "{step}");
        }
    }

    #[test]
    fn input_buffer_grows_for_an_unconsumed_head_up_to_its_maximum() {
        let mut buffers = GrowingBuffers::new(0);
        let mut held = 0;
        loop {
            let count = receive(&mut buffers, &[7; 3000]);
            held += count;
            buffers.input_consume(0);
            assert!(!buffers.can_use_input(), "it was looked at in vain");
            if count == 0 {
                break;
            }
        }
        assert_eq!((held, buffers.input()), (INPUT_SIZE_MAX, &[7; INPUT_SIZE_MAX][..]));
    }

    #[test]
    fn buffers_grow_only_for_large_messages() {
        let mut buffers = GrowingBuffers::new(32 * 1024);
        for _ in 0..100 {
            assert_eq!(buffers.output().len(), OUTPUT_SIZE_FIRST);
            assert_eq!(buffers.tmp_and_output().1.len(), OUTPUT_SIZE_FIRST);
            receive(&mut buffers, &[1; 2000]);
            buffers.input_consume(2000);
        }
        assert_eq!(buffers.input.len(), INPUT_SIZE_FIRST);
        let piece = |_| {
            let room = buffers.tmp_and_output().1;
            room.fill(3);
            let size = room.len();
            assert_eq!(buffers.written(size), vec![3; size], "it is sent before the next piece");
            size
        };
        let sizes: Vec<usize> = (0..4).map(piece).collect();
        assert_eq!(sizes, [OUTPUT_SIZE_BODY; 4]);
        assert!(buffers.tmp_and_output().0.len() >= BODY_READ_SIZE_MIN);
    }

    #[test]
    fn output_buffer_has_room_for_a_long_line_at_once() {
        assert_eq!(GrowingBuffers::new(2 << 20).output().len(), 2 << 20);
        let mut buffers = GrowingBuffers::new(2 << 20);
        assert_eq!((buffers.tmp_and_output().1.len(), buffers.tmp_and_output().1.len()), (2 << 20, 2 << 20));
    }
}

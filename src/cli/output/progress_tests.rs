//! Bars and lines, looked at as a terminal shows them.

use std::io::{self, Write};
use std::sync::Mutex;

use super::super::terminal::TEST_SIZE;
use super::*;

const WIDTH: usize = TEST_SIZE.1 as usize;

/// A stderr that can be looked at.
#[derive(Clone, Default)]
pub(in crate::cli::output) struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    pub(in crate::cli::output) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// What a terminal shows in the end: enough of one for what indicatif sends. Like a real one it begins a new
    /// row only with the character after a full one.
    fn shown(&self) -> Vec<String> {
        let (text, mut lines) = (self.text(), vec![vec![' '; WIDTH]; 100]);
        let (mut row, mut column, mut rest) = (0, 0, text.as_str());
        while let Some(first) = rest.chars().next() {
            let mut taken = first.len_utf8();
            if let Some(sequence) = rest.strip_prefix("\x1b[") {
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let count: usize = sequence[..end].parse().unwrap();
                match &sequence[end..=end] {
                    "A" => row -= count,
                    "B" => row += count,
                    "K" => lines[row].fill(' '),
                    other => panic!("{other}"),
                }
                taken = 2 + end + 1;
            } else if first == '\n' {
                (row, column) = (row + 1, 0);
            } else if first == '\r' {
                column = 0;
            } else {
                if column == WIDTH {
                    (row, column) = (row + 1, 0);
                }
                lines[row][column] = first;
                column += 1;
            }
            rest = &rest[taken..];
        }
        let lines = lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn screen(is_terminal: bool) -> (Screen, Arc<Streams>) {
    let screen = Screen::default();
    (screen.clone(), Arc::new(Streams::new(io::sink(), screen).with_stderr_terminal(is_terminal)))
}

fn digest() -> Digest {
    Digest::from_bytes(b"blob")
}

fn short() -> String {
    digest().as_str()["sha256:".len()..][..12].to_owned()
}

/// One blob copied, one present, one failed.
fn copy_blobs(streams: &Arc<Streams>, quiet: bool) -> Box<CopyProgress> {
    let progress = Box::new(CopyProgress::new(streams, quiet));
    progress.set_total(3000, 3);
    let bar = progress.blob(&digest(), Some(1500), "a/app → b/app");
    bar.set_bytes(700);
    bar.set_bytes(0);
    bar.set_bytes(1500);
    bar.copied();
    progress.blob(&digest(), Some(500), "a/app → b/app").skipped();
    let lost = progress.blob(&digest(), None, "a/app → b/app");
    lost.set_bytes(5);
    drop(lost);
    progress
}

#[test]
fn without_a_terminal_each_copied_blob_is_a_line() {
    let (screen, streams) = screen(false);
    copy_blobs(&streams, false).finish();
    assert_eq!(screen.text(), format!("copied {} 1.5kB a/app → b/app\n", short()));
}

#[test]
fn a_blob_of_unknown_size_is_reported_with_the_bytes_received() {
    let (screen, streams) = screen(false);
    let progress = CopyProgress::new(&streams, false);
    let bar = progress.blob(&digest(), None, "a → b\u{1b}[2J");
    bar.set_bytes(42);
    bar.copied();
    assert!(screen.text().ends_with(" 42B a → b?[2J\n"), "{}", screen.text());
}

#[test]
fn quiet_progress_prints_nothing() {
    for is_terminal in [true, false] {
        let (screen, streams) = screen(is_terminal);
        copy_blobs(&streams, true).finish();
        assert_eq!(screen.text(), "");
    }
}

#[test]
fn bars_on_a_terminal_end_as_one_line() {
    let (screen, streams) = screen(true);
    let progress = copy_blobs(&streams, false);
    // indicatif holds back drawings that come too soon; a note has them drawn.
    let moving = progress.blob(&digest(), Some(2000), "x");
    moving.set_bytes(1000);
    streams.message("a note");
    let shown = screen.shown();
    assert_eq!(shown[0], "a note");
    assert!(shown[1].starts_with(&short()) && shown[1].contains("1.00 kB/2.00 kB "), "{shown:?}");
    assert!(shown[2].starts_with("total") && shown[2].contains("3.00 kB/3.00 kB"), "{shown:?}");
    assert!(shown[2].contains(" 2 of 3 blobs "), "{shown:?}");
    assert_eq!(shown.len(), 3, "{shown:?}");
    drop(moving);
    Box::new(progress).finish();
    assert_eq!(screen.shown(), ["a note", "copied 1 blob, 1.5kB"]);
    streams.message("after it");
    assert_eq!(screen.shown(), ["a note", "copied 1 blob, 1.5kB", "after it"]);
}

#[test]
fn no_bar_is_drawn_if_nothing_is_copied() {
    let (screen, streams) = screen(true);
    let progress = CopyProgress::new(&streams, false);
    progress.set_total(10, 1);
    let bar = progress.blob(&digest(), Some(10), "x");
    bar.set_bytes(0);
    bar.skipped();
    Box::new(progress).finish();
    assert_eq!(screen.text(), "");
}

#[test]
fn an_abandoned_copy_leaves_no_bar() {
    let (screen, streams) = screen(true);
    let progress = CopyProgress::new(&streams, false);
    let bar = progress.blob(&digest(), None, "x");
    bar.set_bytes(1);
    streams.message("a note");
    assert_eq!(screen.shown().len(), 3);
    drop(progress);
    bar.set_bytes(2);
    drop(bar);
    streams.message("an error");
    assert_eq!(screen.shown(), ["a note", "an error"]);
}

#[test]
fn notes_of_many_threads_stay_whole() {
    let (screen, streams) = screen(true);
    let progress = CopyProgress::new(&streams, false);
    progress.set_total(8 * 1000, 8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (progress, streams) = (&progress, &streams);
            scope.spawn(move || {
                let bar = progress.blob(&digest(), Some(1000), "x");
                for bytes in (0..=1000).step_by(10) {
                    bar.set_bytes(bytes);
                }
                streams.message(format!("note {thread}"));
                bar.copied();
            });
        }
    });
    Box::new(progress).finish();
    let mut shown = screen.shown();
    shown.sort();
    let notes: Vec<String> = (0..8).map(|thread| format!("note {thread}")).collect();
    assert_eq!(shown[1..], notes);
    assert_eq!(shown[0], "copied 8 blobs, 8kB");
}

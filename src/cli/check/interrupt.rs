//! Handles Ctrl-C and docker's request to stop during a check. The first one stops the probes, so that what was pushed
//! can be deleted. The second one ends the program at once, in case the registry does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::output::Streams;
use crate::cli::stop_handler::Stop;

/// The exit code of a program that an interrupt ended.
pub(crate) const INTERRUPTED: u8 = 130;

const NOTE: &str = "interrupted: what was pushed is taken away again; once more ends this at once";

/// Whether an interrupt came. Signals and docker's requests are handled while this lives.
pub(crate) struct Interrupt {
    came: Arc<AtomicBool>,
    stop: Stop,
    #[cfg(unix)]
    handle: Option<signal_hook::iterator::Handle>,
}

impl Interrupt {
    /// Handles interrupts from now on. If that is impossible, a signal ends the program as usual.
    pub(crate) fn listen(streams: &Arc<Streams>, stop: &Stop) -> Interrupt {
        let came: Arc<AtomicBool> = Arc::default();
        #[cfg(unix)]
        let handle = announce_first(streams, &came).ok();
        let (flag, talk) = (Arc::clone(&came), Arc::clone(streams));
        stop.handle_by(move || {
            // A signal has reported it already.
            if !flag.swap(true, Ordering::SeqCst) {
                talk.note(NOTE);
            }
        });
        Interrupt {
            came,
            stop: stop.clone(),
            #[cfg(unix)]
            handle,
        }
    }

    /// Whether one came.
    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.stop.release();
        #[cfg(unix)]
        if let Some(handle) = &self.handle {
            handle.close();
        }
    }
}

/// Sets `came` and prints a line at the first signal. The second signal ends the program.
#[cfg(unix)]
fn announce_first(streams: &Arc<Streams>, came: &Arc<AtomicBool>) -> std::io::Result<signal_hook::iterator::Handle> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM] {
        // Registered in this order, the first signal finds that none came.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(came))?;
        signal_hook::flag::register(signal, Arc::clone(came))?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let (handle, streams) = (signals.handle(), Arc::clone(streams));
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            streams.note(NOTE);
        }
    })?;
    Ok(handle)
}

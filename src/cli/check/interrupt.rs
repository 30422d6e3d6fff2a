//! Handles Ctrl-C and docker's interrupt during a check. The first one stops the probes, so that what was pushed
//! can be deleted. The second one ends the program at once, in case the registry does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::docker_interrupt::InterruptHandler;
use crate::cli::output::Streams;

/// The exit code of a program that an interrupt ended.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

const INTERRUPT_NOTE: &str = "interrupted: deleting what was pushed; interrupt again to stop at once";

/// Whether an interrupt was received. Signals and docker's requests are handled while this lives.
pub(crate) struct Interrupt {
    received: Arc<AtomicBool>,
    docker_interrupts: InterruptHandler,
    #[cfg(unix)]
    handle: Option<signal_hook::iterator::Handle>,
}

impl Interrupt {
    /// Handles interrupts from now on. If that is impossible, a signal ends the program as usual.
    pub(crate) fn listen(streams: &Arc<Streams>, docker_interrupts: &InterruptHandler) -> Interrupt {
        let received: Arc<AtomicBool> = Arc::default();
        #[cfg(unix)]
        let handle = handle_signals(streams, &received).ok();
        let (flag, output) = (Arc::clone(&received), Arc::clone(streams));
        docker_interrupts.set(move || {
            // A signal has reported it already.
            if !flag.swap(true, Ordering::SeqCst) {
                output.message(INTERRUPT_NOTE);
            }
        });
        Interrupt {
            received,
            docker_interrupts: docker_interrupts.clone(),
            #[cfg(unix)]
            handle,
        }
    }

    /// Whether one was received.
    pub(crate) fn was_received(&self) -> bool {
        self.received.load(Ordering::SeqCst)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.docker_interrupts.clear();
        #[cfg(unix)]
        if let Some(handle) = &self.handle {
            handle.close();
        }
    }
}

/// Sets `received` and prints a line at the first signal. The second signal ends the program.
#[cfg(unix)]
fn handle_signals(
    streams: &Arc<Streams>,
    received: &Arc<AtomicBool>,
) -> std::io::Result<signal_hook::iterator::Handle> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM] {
        // Registered in this order, the first signal finds that none was received before.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(received))?;
        signal_hook::flag::register(signal, Arc::clone(received))?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let (handle, streams) = (signals.handle(), Arc::clone(streams));
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            streams.message(INTERRUPT_NOTE);
        }
    })?;
    Ok(handle)
}

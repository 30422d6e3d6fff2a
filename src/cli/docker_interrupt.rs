//! Docker's interrupt of a plugin: it closes a socket instead of sending a signal.

use std::sync::{Arc, Mutex};

use crate::sync::lock;

type Handler = Box<dyn FnOnce() + Send>;

/// The handler of docker's interrupt. Without a handler the process exits.
#[derive(Clone, Default)]
pub struct InterruptHandler(Arc<Mutex<Option<Handler>>>);

impl InterruptHandler {
    /// Sets the handler that the first interrupt calls. It replaces the one before.
    pub(crate) fn set(&self, handler: impl FnOnce() + Send + 'static) {
        *lock(&self.0) = Some(Box::new(handler));
    }

    /// Removes the handler: the next interrupt ends the process.
    pub(crate) fn clear(&self) {
        *lock(&self.0) = None;
    }

    /// Calls the handler. Returns whether there is one.
    pub fn handle_interrupt(&self) -> bool {
        let handler = lock(&self.0).take();
        handler.map(|handler| handler()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn an_interrupt_is_handled_once_and_only_with_a_handler() {
        let (interrupts, calls) = (InterruptHandler::default(), Arc::new(AtomicUsize::new(0)));
        let count = || {
            let calls = Arc::clone(&calls);
            interrupts.set(move || {
                calls.fetch_add(1, Ordering::SeqCst);
            });
        };
        assert!(!interrupts.handle_interrupt());
        count();
        assert!(interrupts.clone().handle_interrupt() && !interrupts.handle_interrupt());
        count();
        interrupts.clear();
        assert!(!interrupts.handle_interrupt());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

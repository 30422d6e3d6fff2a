//! Docker's request to stop: it closes a socket instead of sending a signal.

use std::sync::{Arc, Mutex};

use crate::sync::lock;

type Handler = Box<dyn FnOnce() + Send>;

/// The handler of a request to stop. Without a handler the process exits.
#[derive(Clone, Default)]
pub struct StopHandler(Arc<Mutex<Option<Handler>>>);

impl StopHandler {
    /// Sets the handler that the first request calls. It replaces the one before.
    pub(crate) fn set(&self, handler: impl FnOnce() + Send + 'static) {
        *lock(&self.0) = Some(Box::new(handler));
    }

    /// Removes the handler: the next request ends the process.
    pub(crate) fn clear(&self) {
        *lock(&self.0) = None;
    }

    /// Passes a request to the handler. Returns whether there is one.
    pub fn handle_request(&self) -> bool {
        let handler = lock(&self.0).take();
        handler.map(|handler| handler()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_stop_request_is_handled_once_and_only_with_a_handler() {
        let (stop, calls) = (StopHandler::default(), Arc::new(AtomicUsize::new(0)));
        let count = || {
            let calls = Arc::clone(&calls);
            stop.set(move || {
                calls.fetch_add(1, Ordering::SeqCst);
            });
        };
        assert!(!stop.handle_request());
        count();
        assert!(stop.clone().handle_request() && !stop.handle_request());
        count();
        stop.clear();
        assert!(!stop.handle_request());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

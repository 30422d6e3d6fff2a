//! Holds requests back until the test releases them. No clock is involved.

use std::sync::{Condvar, Mutex};

use super::lock;

#[derive(Default)]
struct GateState {
    /// How often it was opened.
    opened: usize,
    /// How many bytes were let through for each answer that drips.
    dripped: u64,
    ended: bool,
}

/// What holds requests back.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

/// One request at the gate.
pub(crate) struct HeldRequest<'a> {
    gate: &'a Gate,
    opened: usize,
    dripped: u64,
}

impl Gate {
    /// Registers a request. Call it before the request is recorded in the log.
    pub(crate) fn register(&self) -> HeldRequest<'_> {
        let state = lock(&self.state);
        HeldRequest { gate: self, opened: state.opened, dripped: state.dripped }
    }

    /// Lets everything through that has waited since before this call.
    pub(crate) fn release(&self) {
        lock(&self.state).opened += 1;
        self.changed.notify_all();
    }

    /// Lets so many bytes more through of every answer that drips.
    pub(crate) fn drip(&self, bytes: u64) {
        lock(&self.state).dripped += bytes;
        self.changed.notify_all();
    }

    /// Lets everything through for good, to its end.
    pub(crate) fn shut_down(&self) {
        lock(&self.state).ended = true;
        self.changed.notify_all();
    }

    fn wait_while(&self, waiting: impl Fn(&GateState) -> bool) -> bool {
        let state = lock(&self.state);
        let state = self.changed.wait_while(state, |state| waiting(state) && !state.ended);
        !state.unwrap_or_else(|poisoned| poisoned.into_inner()).ended
    }
}

impl HeldRequest<'_> {
    /// Waits until the gate was opened after this request arrived. False after [`Gate::shut_down`].
    pub(crate) fn wait(&self) -> bool {
        self.gate.wait_while(|state| state.opened == self.opened)
    }

    /// Waits until one more byte than `sent` may go; false when it never may.
    pub(crate) fn wait_to_drip(&self, sent: u64) -> bool {
        self.gate.wait_while(|state| state.opened == self.opened && state.dripped - self.dripped <= sent)
    }
}

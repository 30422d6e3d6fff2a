//! Images for a list: fetched, taken apart, looked at again.

pub(super) mod assemble;
pub(super) mod bounds;
pub(super) mod carried;
pub(super) mod children;
pub(super) mod fetch;
pub(super) mod originals;
pub(super) mod refresh;
pub(super) mod sources;

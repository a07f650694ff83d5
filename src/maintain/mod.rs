//! Work on an archive that is not polling.

pub mod ingest;
pub mod state;
